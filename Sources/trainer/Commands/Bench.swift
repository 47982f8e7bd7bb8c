import ArgumentParser
import Foundation
import Roles

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures this host.", subcommands: [Engine.self])

  struct Engine: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "How fast steps are, and where their time goes.",
      discussion: """
        A step of training is forward with auxiliary heads and dropout, loss, backward, SGD with momentum and weight decay, and \
        loading the new parameters; a step of evaluation is forward and loss. Two warm-up steps are not counted. Time per \
        layer is the median over the steps; GFLOP/s are those that a direct computation would take.
        """)

    @Option(help: ArgumentHelp("A model of the catalog.", valueName: "name")) var model: String = "googlenet"
    @Option(help: "What a step is.") var mode: EngineBenchOptions.Mode = .train
    @Option(help: ArgumentHelp("Samples of a step.", valueName: "samples")) var batch: Int = 16
    @Option(help: ArgumentHelp("Compute threads. (default: all cores)", valueName: "count")) var threads: Int?
    @Option(help: ArgumentHelp("Steps that count.", valueName: "count")) var steps: Int = 10
    @Option(help: ArgumentHelp("Height and width of the input in pixels. (default: the model's)", valueName: "pixels"))
    var size: Int?
    @Option(help: ArgumentHelp("Factor on every channel count.", valueName: "factor")) var width: Double = 1
    @Option(help: ArgumentHelp("Number of classes.", valueName: "count")) var classes: Int = 1000
    @Flag(help: "Print the plan of a step (operations, shapes, methods, bytes, multiply-accumulates) and end.")
    var plan = false
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
      func check(_ name: String, _ value: Int?, _ range: ClosedRange<Int>) throws {
        guard let value, !range.contains(value) else { return }
        throw ValidationError("--\(name): \(value) is not between \(range.lowerBound) and \(range.upperBound)")
      }
      try check("batch", batch, 1...4096)
      try check("threads", threads, 1...1024)
      try check("steps", steps, 1...1_000_000)
      try check("size", size, 1...8192)
      try check("classes", classes, 1...1_000_000)
      if plan && json { throw ValidationError("give --plan or --json, not both") }
    }

    func run() throws {
      let options = EngineBenchOptions(
        model: model, mode: mode, batch: batch, threads: try threads ?? defaultThreads(), steps: steps, size: size,
        width: width, classes: classes)
      if plan {
        print(try describePlan(options))
        return
      }
      let report = try benchEngine(options)
      print(json ? report.json : report.text)
    }

    private func defaultThreads() throws -> Int {
      guard let text = ProcessInfo.processInfo.environment["TRAINER_THREADS"] else {
        return ProcessInfo.processInfo.activeProcessorCount
      }
      guard let count = Int(text), (1...1024).contains(count) else {
        throw Failure(.usage, "TRAINER_THREADS: '\(text)' is not a number between 1 and 1024")
      }
      return count
    }
  }
}

extension EngineBenchOptions.Mode: ExpressibleByArgument {}
