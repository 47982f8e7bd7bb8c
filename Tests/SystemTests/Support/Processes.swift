import Foundation
import Glibc

/// A process of this host, as /proc shows it.
struct HostProcess: Hashable {
  let pid: pid_t
  let parent: pid_t
  /// One letter; Z for one that has ended and waits for its parent.
  let state: Character
  /// How long its threads have computed, in hundredths of a second.
  let ticks: Int

  init?(pid: pid_t) {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      // The name in parentheses may hold anything.
      let end = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 12, let state = fields[0].first, let parent = pid_t(fields[1]), let ticks = Int(fields[11])
    else { return nil }
    (self.pid, self.parent, self.state, self.ticks) = (pid, parent, state, ticks)
  }

  /// Whether it still runs.
  var isRunning: Bool { state != "Z" && state != "X" }

  func send(_ signal: Int32) { kill(pid, signal) }

  var arguments: [String] { Self.strings("/proc/\(pid)/cmdline") }

  func hasEnvironment(_ assignment: String) -> Bool {
    isRunning && Self.strings("/proc/\(pid)/environ").contains(assignment)
  }

  private static func strings(_ path: String) -> [String] {
    guard let data = FileManager.default.contents(atPath: path) else { return [] }
    return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }
}

enum Processes {
  static func all() -> [HostProcess] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.compactMap { HostProcess(pid: $0) }
  }

  static func children(of pid: pid_t) -> [HostProcess] { all().filter { $0.parent == pid && $0.isRunning } }

  static func isRunning(_ pid: pid_t) -> Bool { HostProcess(pid: pid)?.isRunning ?? false }
}
