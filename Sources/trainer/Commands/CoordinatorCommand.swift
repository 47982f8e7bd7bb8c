import ArgumentParser
import Foundation
import Roles

struct CoordinatorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "The coordinator of a run: plans, adds, updates, broadcasts, saves.",
    discussion: "Workers may come and go at any time; with none it waits, and says so.")

  @Option(
    help: ArgumentHelp(
      "Where workers connect: tcp://ADDRESS:PORT; port 0 picks free ports and prints them.", valueName: "endpoint"))
  var bind: String?
  @Option(help: ArgumentHelp("Port of gradients and parameters. (default: the port after --bind's)", valueName: "port"))
  var bulkPort: Int?
  @Option(help: ArgumentHelp("Port of samples. (default: the second port after --bind's)", valueName: "port"))
  var samplePort: Int?
  @Option(help: .private) var supervisor: Int32?
  @Option(help: .private) var expectedWorkers: Int?
  @OptionGroup var options: RunArguments

  func run() throws {
    if let supervisor { try endWithSupervisor(supervisor) }
    // A supervisor gives what files and variables say as flags too, and has looked at its own.
    let start = try RunStart(
      options: try options.resolved(), resume: options.files.resume,
      flags: supervisor == nil ? options.flags : RunOptions())
    if options.files.dryRun {
      print(try start.describe())
      return
    }
    let environment = ProcessInfo.processInfo.environment
    let coordinator = try Coordinator(
      start, endpoint: bind ?? environment["TRAINER_BIND"] ?? "tcp://127.0.0.1:5555", bulkPort: bulkPort,
      samplePort: samplePort, expectedWorkers: expectedWorkers)
    try finish(with: try coordinator.run().rawValue)
  }
}
