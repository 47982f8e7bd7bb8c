import ArgumentParser
import Foundation
import Roles

struct WorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "A worker: computes gradients for a coordinator until the run is done.",
    discussion: """
      It may be started before the coordinator, and waits for it. Without --data it gets its samples from the coordinator.
      """)

  @Option(
    help: ArgumentHelp("The coordinator: tcp://HOST:PORT. (default: tcp://127.0.0.1:5555)", valueName: "endpoint"))
  var coordinator: String?
  @Option(help: ArgumentHelp("Compute threads. (default: all cores)", valueName: "count"))
  var threads: Int?
  @Option(
    help: ArgumentHelp("Its own copy of the training samples, which must be the coordinator's.", valueName: "spec"))
  var data: String?
  @Option(help: ArgumentHelp("What it is called in logs. (default: host and process id)", valueName: "name"))
  var name: String?
  @Option(
    help: ArgumentHelp(
      "Seconds without any word from the coordinator until it gives up.", valueName: "seconds"))
  var patience: Int = 600
  @Option(help: .private) var supervisor: Int32?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: \(threads) is not between 1 and 1024")
    }
    if patience < 1 { throw ValidationError("--patience: \(patience) is not at least 1 second") }
    if let name, name.isEmpty || name.utf8.count > 64 { throw ValidationError("--name: give 1 to 64 bytes") }
  }

  func run() throws {
    if let supervisor { try endWithSupervisor(supervisor) }
    let environment = ProcessInfo.processInfo.environment
    let worker = try Worker(
      .init(
        coordinator: coordinator ?? environment["TRAINER_COORDINATOR"] ?? "tcp://127.0.0.1:5555",
        threads: threads ?? environment["TRAINER_THREADS"].flatMap(Int.init)
          ?? ProcessInfo.processInfo.activeProcessorCount,
        data: data ?? environment["TRAINER_WORKER_DATA"], name: name ?? environment["TRAINER_NAME"],
        patience: .seconds(patience),
        isSupervised: supervisor != nil))
    try finish(with: try worker.run())
  }
}
