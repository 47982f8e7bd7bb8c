import ArgumentParser
import Foundation
import Roles

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Top-1, top-5 and loss of a checkpoint on a dataset, and what it takes for what.",
    discussion: """
      Input size, normalization and model are the checkpoint's own unless options say otherwise. With several crops the \
      probabilities of a picture are the means over its crops, and its loss is -log of the label's mean probability. \
      --json has the confusion table: a row for each class, in it how many of its samples were taken for each class.
      """)

  @Option(
    help: ArgumentHelp("A checkpoint, a run's folder, or a .pth, .pt or .safetensors file.", valueName: "file"))
  var checkpoint: String
  @Option(help: ArgumentHelp("The model, where the file does not say it. (default: by its tensors)", valueName: "name"))
  var model: String?
  @Option(help: ArgumentHelp("The samples, as for `trainer train`.", valueName: "spec")) var data: String
  @OptionGroup(title: "Pictures") var pictures: PictureArguments
  @Option(help: ArgumentHelp("Crops that are computed together.", valueName: "count")) var batch: Int = 16
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
      checkpoint, model: model, data: data, pictures: pictures.resolved(), batch: batch,
      threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
    print(json ? result.json : result.text)
  }
}
