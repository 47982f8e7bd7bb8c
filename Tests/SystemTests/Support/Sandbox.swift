import Foundation
import Glibc
import Testing

/// The folder and the processes of one test. When it ends, however it ends, both are gone.
final class Sandbox: @unchecked Sendable {
  /// That of the running test.
  @TaskLocal static var ofTest: Sandbox?

  static var current: Sandbox {
    guard let sandbox = ofTest else { preconditionFailure("a test that starts processes has the trait .sandboxed") }
    return sandbox
  }

  /// Programs start here, and relative paths are meant from here.
  let folder: String
  /// Temporary files of programs, which they should clear away themselves.
  let temporary: String
  private let base: String
  private let mark = "SYSTEM_TEST_SANDBOX=" + UUID().uuidString

  // Guarded by the lock.
  private let lock = NSLock()
  private var programs: [RunningProgram] = []
  private var mounts: [String] = []
  private var logs = 0

  init() throws {
    var template = Array("/tmp/system-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
    base = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    (folder, temporary) = (base + "/work", base + "/tmp")
    for path in [folder, temporary, base + "/logs"] {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }
  }

  /// A path in the folder.
  func path(_ name: String) -> String { folder + "/" + name }

  /// What programs see: this process's variables but for those that stand for flags.
  var environment: [String: String] {
    var result = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("TRAINER_") }
    result["TMPDIR"] = temporary
    let parts = mark.split(separator: "=").map(String.init)
    result[parts[0]] = parts[1]
    return result
  }

  /// Two paths for a program's output.
  func nextLogs() -> (output: String, errors: String) {
    lock.withLock {
      logs += 1
      return ("\(base)/logs/\(logs).out", "\(base)/logs/\(logs).err")
    }
  }

  func add(_ program: RunningProgram) { lock.withLock { programs.append(program) } }

  /// Mounts a file system of so many bytes, in memory, on a new folder; unmounted at the end.
  func mountMemory(_ name: String, bytes: Int) throws -> String {
    let path = path(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(bytes)") == 0 else { throw SystemError("mount") }
    lock.withLock { mounts.append(path) }
    return path
  }

  /// Gives a file system in memory another size.
  func remountMemory(_ path: String, bytes: Int) throws {
    guard mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT), "size=\(bytes)") == 0 else {
      throw SystemError("mount")
    }
  }

  /// Ends everything that was started here, grandchildren included, and removes the folder.
  func close() {
    let (programs, mounts) = lock.withLock { (self.programs, self.mounts) }
    for program in programs { program.signal(SIGKILL) }
    // What a program started carries the mark, even when it is nobody's child any more.
    while true {
      let marked = Processes.all().filter { $0.hasEnvironment(mark) }
      if marked.isEmpty { break }
      for process in marked { kill(process.pid, SIGKILL) }
      _ = poll(nil, 0, 5)
    }
    for path in mounts { umount2(path, Int32(MNT_DETACH)) }
    try? FileManager.default.removeItem(atPath: base)
  }
}

/// What programs have left in the place for temporary files.
func temporaryFiles() throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: Sandbox.current.temporary)
}

/// Gives each test of a suite a sandbox of its own.
struct SandboxTrait: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void)
    async throws
  {
    guard testCase != nil else { return try await body() }
    let sandbox = try Sandbox()
    defer { sandbox.close() }
    try await Sandbox.$ofTest.withValue(sandbox) { try await body() }
  }
}

extension Trait where Self == SandboxTrait {
  static var sandboxed: Self { Self() }
}

/// A system call that failed.
struct SystemError: Error, CustomStringConvertible {
  let description: String

  init(_ call: String) { description = "\(call): \(String(cString: strerror(errno)))" }
}
