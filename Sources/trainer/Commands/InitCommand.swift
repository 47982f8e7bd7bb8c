import ArgumentParser
import Roles

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Writes a model's initial weights.",
    discussion: "A run with the same model, classes, width and seed starts from the same weights.")

  @Option(help: ArgumentHelp("A model of the catalog.", valueName: "name")) var model: String = "googlenet-seed"
  @Option(help: ArgumentHelp("Number of classes.", valueName: "count")) var classes: Int = 1000
  @Option(help: ArgumentHelp("Height and width of the input in pixels. (default: the model's)", valueName: "pixels"))
  var imageSize: Int?
  @Option(help: ArgumentHelp("Factor on every channel count.", valueName: "factor")) var width: Double = 1
  @Option(help: ArgumentHelp("What the weights are drawn from.", valueName: "number")) var seed: UInt64 = 0
  @Option(help: ArgumentHelp("The file to write (safetensors).", valueName: "file")) var out: String

  func run() throws {
    try writeInitialWeights(model: model, classes: classes, imageSize: imageSize, width: width, seed: seed, to: out)
  }
}
