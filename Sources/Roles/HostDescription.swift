import Foundation

/// What people may want to know of this host.
enum HostDescription {
  /// The CPU's name, at most 128 bytes.
  static var cpu: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let name = text.split(separator: "\n").first { $0.hasPrefix("model name") }?.split(separator: ":").last
    let trimmed = name.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    return String(decoding: trimmed.utf8.prefix(128), as: UTF8.self)
  }

  /// The most memory of this process that was resident so far, in MiB. (`getrusage` would count what the process was
  /// before it became this program.)
  static var peakResidentMebibytes: Double {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }
    return (kibibytes ?? .nan) / 1024
  }
}
