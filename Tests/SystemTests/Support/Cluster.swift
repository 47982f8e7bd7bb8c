import Glibc
import Testing

/// A coordinator and workers that a test starts by hand, on ports of this host.
final class Cluster {
  /// Where workers connect.
  let endpoint: String
  /// The port of control; those of bulk and samples follow it.
  let firstPort: Int
  let run: RunFiles

  /// Chooses ports; nothing is started yet.
  init(output: String = "run") throws {
    firstPort = try ListeningPort.freeBlock()
    endpoint = "tcp://127.0.0.1:\(firstPort)"
    run = RunFiles(Sandbox.current.path(output))
  }

  /// Starts a coordinator that begins a run.
  func coordinator(_ options: [String]) throws -> RunningProgram {
    try start(["coordinator", "--bind", endpoint, "--output", run.path] + options)
  }

  /// Starts a coordinator that continues the run.
  func resumingCoordinator(_ options: [String] = []) throws -> RunningProgram {
    try start(["coordinator", "--bind", endpoint, "--resume", run.path] + options)
  }

  /// Starts a worker.
  func worker(_ name: String, _ options: [String] = []) throws -> RunningProgram {
    try start(["worker", "--coordinator", endpoint, "--threads", "1", "--name", name] + options)
  }

  /// Starts workers and lets the coordinator meet them only when all are at its door: none is so late that the others
  /// have ended the run without it, however busy this host is.
  func workersTogether(_ workers: [(name: String, options: [String])], of coordinator: RunningProgram) throws
    -> [RunningProgram]
  {
    try coordinator.wait(toSay: "listening on")
    coordinator.signal(SIGSTOP)
    defer { coordinator.signal(SIGCONT) }
    let programs = try workers.map { try worker($0.name, $0.options) }
    for program in programs { try program.wait(toSay: "waiting for the coordinator") }
    return programs
  }

  /// The same for workers that need no options.
  func workersTogether(_ names: [String], of coordinator: RunningProgram) throws -> [RunningProgram] {
    try workersTogether(names.map { ($0, []) }, of: coordinator)
  }
}

/// Expects that a program ends with a code.
@discardableResult
func expect(
  _ program: RunningProgram, endsWith code: Int32, sourceLocation: SourceLocation = #_sourceLocation
) throws -> Outcome {
  let outcome = try program.wait()
  #expect(outcome.code == code, "\(outcome)", sourceLocation: sourceLocation)
  return outcome
}

/// Expects that a command fails with a code and says certain things, in words and not as a crash.
@discardableResult
func expectFailure(
  _ arguments: [String], code: Int32, saying texts: [String], environment: [String: String] = [:],
  sourceLocation: SourceLocation = #_sourceLocation
) throws -> Outcome {
  let outcome = try trainer(arguments, environment: environment)
  #expect(outcome.code == code, "\(outcome)", sourceLocation: sourceLocation)
  for text in texts { #expect(outcome.errors.contains(text), "\(outcome)", sourceLocation: sourceLocation) }
  #expect(outcome.output.isEmpty, "standard output is for data", sourceLocation: sourceLocation)
  for text in ["Fatal error", "Swift/", "Crash"] {
    #expect(!outcome.errors.contains(text), "\(outcome)", sourceLocation: sourceLocation)
  }
  return outcome
}
