import ArgumentParser
import Roles

struct DatasetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dataset", abstract: "Makes and inspects datasets.", subcommands: [Synthesize.self, Inspect.self])

  struct Synthesize: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Writes a dataset of drawn shapes as real files, in OUTPUT/train and OUTPUT/validation.")

    @Option(help: ArgumentHelp("imagefolder (JPEG files) or cifar10 (binary records).", valueName: "kind")) var format:
      String = "imagefolder"
    @Option(help: ArgumentHelp("Training samples.", valueName: "count")) var samples: Int = 2048
    @Option(help: ArgumentHelp("Validation samples.", valueName: "count")) var validationSamples: Int = 512
    @Option(help: ArgumentHelp("Height and width in pixels.", valueName: "pixels")) var size: Int = 32
    @Option(help: ArgumentHelp("Number of classes.", valueName: "count")) var classes: Int = 10
    @Option(help: ArgumentHelp("What the pictures are drawn from.", valueName: "number")) var seed: UInt64 = 1
    @Option(help: ArgumentHelp("The folder to write.", valueName: "folder")) var output: String

    func run() throws {
      try synthesizeDataset(
        format: format, samples: samples, validationSamples: validationSamples, size: size, classes: classes,
        seed: seed,
        output: output)
    }
  }

  struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Counts, classes, fingerprint and bad files of a dataset.",
      discussion: "Decodes every sample. Ends with 65 if one of them is bad.")

    @Argument(help: "The samples, as for `trainer train`.") var data: String
    @Option(help: ArgumentHelp("Height and width in pixels of the synthetic dataset.", valueName: "pixels"))
    var imageSize: Int = 32
    @Flag(help: "Look at the validation split, where one folder holds both.") var validation = false
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
      let report = try DatasetReport(data: data, validation: validation, imageSize: imageSize)
      print(json ? report.json : report.text)
      try finish(with: report.exitCode)
    }
  }
}
