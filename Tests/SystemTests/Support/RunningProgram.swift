import Foundation
import Glibc

/// How a program ended, and what it printed.
struct Outcome: CustomStringConvertible {
  let arguments: [String]
  /// The exit code, or minus the signal that killed it.
  let code: Int32
  let output: String
  let errors: String

  var description: String {
    "`trainer \(arguments.joined(separator: " "))` ended with \(code); its last words:\n\(tail(errors))"
  }
}

/// Something did not happen in time, or can no longer happen.
struct Overdue: Error, CustomStringConvertible {
  let description: String
}

/// A process that a test has started.
///
/// A thread of its own waits for its end, so that nobody has to ask for it.
final class RunningProgram: @unchecked Sendable {
  let arguments: [String]
  let pid: pid_t
  private let outputPath: String
  private let errorsPath: String
  // Guarded by the condition's lock. Until `status` is set the process is not reaped, so its number is its own.
  private let condition = NSCondition()
  private var status: Int32?

  /// Starts the program under test in a sandbox; it may have at most so many bytes of memory, mapped files included.
  init(_ arguments: [String], environment: [String: String] = [:], memory: Int? = nil, in sandbox: Sandbox) throws {
    guard access(Self.executable, X_OK) == 0 else {
      throw Overdue(
        description: "there is no program \(Self.executable); build it first: swift build -c release --product trainer")
    }
    self.arguments = arguments
    (outputPath, errorsPath) = sandbox.nextLogs()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, errorsPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    // Whoever started the tests may ignore or block signals; their programs must not.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    let variables = sandbox.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
    // The process that `env` begins as becomes the program.
    let launcher = "/usr/bin/env"
    let limits = memory.map { ["prlimit", "--as=\($0)"] } ?? []
    let command = [launcher, "--chdir=" + sandbox.folder] + limits + [Self.executable] + arguments
    var argv = command.map { strdup($0) } + [nil]
    var envp = variables.map { strdup($0) } + [nil]
    defer { (argv + envp).forEach { free($0) } }
    var pid: pid_t = 0
    let error = posix_spawn(&pid, launcher, &actions, &attributes, &argv, &envp)
    guard error == 0 else {
      throw Overdue(description: "cannot start \(launcher): \(String(cString: strerror(error)))")
    }
    self.pid = pid
    sandbox.add(self)
    Thread.detachNewThread { self.reap() }
  }

  /// The program under test, where `swift build -c release` puts it.
  static let executable: String = {
    var path = #filePath
    for _ in 0..<4 { path = (path as NSString).deletingLastPathComponent }
    return path + "/.build/release/trainer"
  }()

  private func reap() {
    var info = siginfo_t()
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
    condition.lock()
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    self.status = status
    condition.broadcast()
    condition.unlock()
  }

  /// What it has printed so far.
  var output: String { Self.text(outputPath) }
  /// What it has said so far.
  var errors: String { Self.text(errorsPath) }

  private static func text(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }

  var hasEnded: Bool {
    condition.lock()
    defer { condition.unlock() }
    return status != nil
  }

  /// Sends a signal, unless it has ended.
  func signal(_ number: Int32) {
    condition.lock()
    defer { condition.unlock() }
    if status == nil { kill(pid, number) }
  }

  /// Returns at its end, or after some milliseconds.
  func pause(milliseconds: Int) {
    condition.lock()
    defer { condition.unlock() }
    if status == nil { _ = condition.wait(until: Date(timeIntervalSinceNow: Double(milliseconds) / 1000)) }
  }

  /// Waits for its end; one that takes too long is killed.
  func wait(within limit: Duration = generous) throws -> Outcome {
    let deadline = Date(timeIntervalSinceNow: Double(limit.components.seconds))
    condition.lock()
    while status == nil, condition.wait(until: deadline) {}
    let status = self.status
    condition.unlock()
    guard let status else {
      signal(SIGKILL)
      throw Overdue(
        description: "`trainer \(arguments.joined(separator: " "))` did not end within \(limit); its last words:\n"
          + tail(errors))
    }
    let signal = status & 0x7f
    return Outcome(
      arguments: arguments, code: signal == 0 ? status >> 8 & 0xff : -signal, output: output, errors: errors)
  }

  /// Waits until it says something on standard error.
  func wait(toSay text: String, within limit: Duration = generous) throws {
    try eventually("'\(text)' from it", from: self, within: limit) { errors.contains(text) ? true : nil }
  }
}

/// Longer than anything takes, even where two cores do everything else as well.
let generous = Duration.seconds(120)

/// Looks for something again and again until it is there.
///
/// - Parameter program: whoever brings it about; when it has ended, there is one last look.
@discardableResult
func eventually<Result>(
  _ what: String, from program: RunningProgram, within limit: Duration = generous, _ look: () throws -> Result?
) throws -> Result {
  let deadline = ContinuousClock.now + limit
  while true {
    let isLastLook = program.hasEnded || ContinuousClock.now >= deadline
    if let result = try look() { return result }
    guard !isLastLook else {
      throw Overdue(
        description: "waited in vain for \(what); `trainer \(program.arguments.joined(separator: " "))` "
          + "\(program.hasEnded ? "has ended" : "goes on"); its last words:\n\(tail(program.errors))")
    }
    program.pause(milliseconds: 10)
  }
}

/// The last lines of a text.
func tail(_ text: String, lines: Int = 15) -> String {
  text.split(separator: "\n").suffix(lines).map { "  | " + $0 }.joined(separator: "\n")
}

/// Starts the program under test in this test's sandbox.
func start(_ arguments: [String], environment: [String: String] = [:]) throws -> RunningProgram {
  try RunningProgram(arguments, environment: environment, in: .current)
}

/// Runs the program under test to its end.
func trainer(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
  try trainer(arguments, environment: environment)
}

/// Runs the program under test to its end.
func trainer(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
  try start(arguments, environment: environment).wait()
}
