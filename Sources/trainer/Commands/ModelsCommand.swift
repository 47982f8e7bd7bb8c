import ArgumentParser
import Roles

struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models", abstract: "The catalog: parameters, multiply-accumulates and input size of every model.")

  @Option(help: ArgumentHelp("Number of classes.", valueName: "count")) var classes: Int = 1000
  @Option(help: ArgumentHelp("Factor on every channel count.", valueName: "factor")) var width: Double = 1
  @Flag(help: "Print one JSON object.") var json = false

  func run() throws {
    let report = try CatalogReport(classes: classes, width: width)
    print(json ? report.json : report.text)
  }
}
