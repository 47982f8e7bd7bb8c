import ArgumentParser
import Foundation
import Roles

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Top-1, top-5 and loss of a checkpoint on a dataset.",
    discussion: "Input size, normalization and model are the checkpoint's own; pictures are centre-cropped.")

  @Option(help: ArgumentHelp("The checkpoint.", valueName: "file")) var checkpoint: String
  @Option(help: ArgumentHelp("The samples, as for `trainer train`.", valueName: "spec")) var data: String
  @Option(help: ArgumentHelp("Samples that are computed together.", valueName: "samples")) var batch: Int = 16
  @Option(help: ArgumentHelp("Compute threads. (default: all cores)", valueName: "count")) var threads: Int?
  @Flag(help: "Print one JSON object.") var json = false

  func validate() throws {
    if !(1...4096).contains(batch) { throw ValidationError("--batch: \(batch) is not between 1 and 4096") }
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: \(threads) is not between 1 and 1024")
    }
  }

  func run() throws {
    let result = try evaluateCheckpoint(
      checkpoint, data: data, batch: batch, threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
    print(json ? result.json : result.text)
  }
}
