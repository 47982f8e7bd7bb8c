import ArgumentParser
import Foundation
import Roles

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "A whole run on this machine: one coordinator and some workers.",
    discussion: """
      Starts `trainer coordinator` and `trainer worker` processes, starts again what is killed, and ends when the run does. \
      Ctrl-C saves a checkpoint; continue with --resume FOLDER.
      """)

  @Option(help: ArgumentHelp("Worker processes. (default: 2)", valueName: "count"))
  var workers: Int?
  @Option(help: ArgumentHelp("Compute threads of each worker. (default: cores ÷ workers)", valueName: "count"))
  var threads: Int?
  @OptionGroup var options: RunArguments

  func validate() throws {
    if let workers, !(1...1024).contains(workers) {
      throw ValidationError("--workers: \(workers) is not between 1 and 1024")
    }
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: \(threads) is not between 1 and 1024")
    }
  }

  func run() throws {
    let resolved = try options.resolved()
    let start = try RunStart(options: resolved, resume: options.files.resume, flags: options.flags)
    if options.files.dryRun {
      print(try start.describe())
      return
    }
    let environment = ProcessInfo.processInfo.environment
    let count = workers ?? environment["TRAINER_WORKERS"].flatMap(Int.init) ?? 2
    let threads =
      threads ?? environment["TRAINER_THREADS"].flatMap(Int.init)
      ?? max(1, ProcessInfo.processInfo.activeProcessorCount / count)
    var arguments = resolved
    arguments.remove("output")
    let supervisor = try Supervisor(
      .init(
        runArguments: arguments.arguments, output: start.output, resuming: start.isResuming, workers: count,
        threads: threads))
    try finish(with: try supervisor.run())
  }
}
