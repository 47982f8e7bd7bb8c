import ArgumentParser
import Foundation
import Roles

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict", abstract: "The most probable classes of image files.",
    discussion: "With several crops, probabilities are means over them.")

  @Option(
    help: ArgumentHelp("A checkpoint, a run's folder, or a .pth, .pt or .safetensors file.", valueName: "file"))
  var checkpoint: String
  @Option(help: ArgumentHelp("The model, where the file does not say it. (default: by its tensors)", valueName: "name"))
  var model: String?
  @Option(help: ArgumentHelp("How many classes to name.", valueName: "count")) var top: Int = 5
  @Option(
    help: ArgumentHelp("A file of the classes' names, one a line. (default: the checkpoint's)", valueName: "file"))
  var labels: String?
  @OptionGroup(title: "Pictures") var pictures: PictureArguments
  @Option(help: ArgumentHelp("Compute threads. (default: all cores)", valueName: "count")) var threads: Int?
  @Flag(help: "Print one JSON object.") var json = false
  @Argument(help: "JPEG or PNG files.") var images: [String]

  func validate() throws {
    if top < 1 { throw ValidationError("--top: \(top) is not at least 1") }
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads: \(threads) is not between 1 and 1024")
    }
  }

  func run() throws {
    let result = try predictImages(
      images, checkpoint: checkpoint, model: model, labels: labels, top: top, pictures: pictures.resolved(),
      threads: threads ?? ProcessInfo.processInfo.activeProcessorCount)
    print(json ? result.json : result.text)
  }
}
