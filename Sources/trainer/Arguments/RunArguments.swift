import ArgumentParser
import Roles

/// on or off.
enum Switch: String, ExpressibleByArgument, CaseIterable, CustomStringConvertible {
  case on, off
  var description: String { rawValue }
}

/// The options of a run, shared by `train` and `coordinator`. Defaults are given where the run is prepared.
struct RunArguments: ParsableArguments {
  @OptionGroup(title: "Model") var model: ModelArguments
  @OptionGroup(title: "Data") var data: DataArguments
  @OptionGroup(title: "Optimization") var optimization: OptimizationArguments
  @OptionGroup(title: "Learning rate") var learningRate: LearningRateArguments
  @OptionGroup(title: "Averaging") var averaging: AveragingArguments
  @OptionGroup(title: "Fine-tuning") var fineTuning: FineTuningArguments
  @OptionGroup(title: "Files") var files: FileArguments

  /// What was given on the command line.
  var flags: RunOptions {
    var options = RunOptions()
    model.add(to: &options)
    data.add(to: &options)
    optimization.add(to: &options)
    learningRate.add(to: &options)
    averaging.add(to: &options)
    fineTuning.add(to: &options)
    files.add(to: &options)
    return options
  }

  /// Flags over environment variables over the configuration file.
  func resolved() throws -> RunOptions {
    let file = try files.config.map { path throws(Failure) in try RunOptions.fromFile(path) } ?? RunOptions()
    return flags.over(RunOptions.fromEnvironment()).over(file)
  }
}

struct ModelArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("A model of the catalog (see `trainer models`). (default: googlenet-seed)", valueName: "name"))
  var model: String?
  @Option(help: ArgumentHelp("Number of classes. (default: the dataset's)", valueName: "count"))
  var classes: Int?
  @Option(help: ArgumentHelp("Height and width of the input in pixels. (default: the model's)", valueName: "pixels"))
  var imageSize: Int?
  @Option(help: ArgumentHelp("Factor on every channel count. (default: 1)", valueName: "factor"))
  var width: Double?
  @Option(help: ArgumentHelp("Label smoothing. (default: the model's)", valueName: "epsilon"))
  var labelSmoothing: Double?
  @Option(help: ArgumentHelp("Weight of each auxiliary loss. (default: the model's)", valueName: "weight"))
  var auxWeight: Double?
  @Option(help: "Whether dropout layers drop. (default: on)")
  var dropout: Switch?
  func add(to options: inout RunOptions) {
    options.set("model", model)
    options.set("classes", classes)
    options.set("image-size", imageSize)
    options.set("width", width)
    options.set("label-smoothing", labelSmoothing)
    options.set("aux-weight", auxWeight)
    options.set("dropout", dropout)
  }
}

struct DataArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Training samples: synthetic[:samples=N,size=S,classes=C,seed=S], cifar10:DIR, cifar100:DIR, idx:DIR, imagefolder:DIR, or a folder. (default: synthetic)",
      valueName: "spec"))
  var data: String?
  @Option(help: ArgumentHelp("Validation samples, likewise. (default: none)", valueName: "spec"))
  var validation: String?
  @Option(help: ArgumentHelp("Passes over the training samples. (default: 10)", valueName: "count"))
  var epochs: Int?
  @Option(help: ArgumentHelp("Updates of the whole run, instead of --epochs.", valueName: "count"))
  var steps: Int?
  @Option(help: ArgumentHelp("What all random numbers are drawn from. (default: 0)", valueName: "number"))
  var seed: UInt64?
  @Option(help: ArgumentHelp("Samples of an update. (default: 32)", valueName: "samples"))
  var globalBatch: Int?
  @Option(
    help: ArgumentHelp(
      "Samples that are computed together, the unit of work and of batch norm. (default: 8)", valueName: "samples"))
  var microbatch: Int?
  @Option(help: ArgumentHelp("none, or standard: random crops and flips. (default: standard)", valueName: "kind"))
  var augment: String?
  @Option(help: "Whether each epoch has an order of its own. (default: on)")
  var shuffle: Switch?
  @Option(help: ArgumentHelp("imagenet, cifar, cifar100, half or none. (default: the dataset's)", valueName: "kind"))
  var normalization: String?
  @Option(
    help: ArgumentHelp("A file of the classes' names, one a line. (default: the dataset's)", valueName: "file"))
  var labels: String?

  func add(to options: inout RunOptions) {
    options.set("data", data)
    options.set("validation", validation)
    options.set("epochs", epochs)
    options.set("steps", steps)
    options.set("seed", seed)
    options.set("global-batch", globalBatch)
    options.set("microbatch", microbatch)
    options.set("augment", augment)
    options.set("shuffle", shuffle)
    options.set("normalization", normalization)
    options.set("labels", labels)
  }

  func validate() throws {
    if epochs != nil && steps != nil { throw ValidationError("give --epochs or --steps, not both") }
  }
}

struct FileArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The run's folder. (default: runs/MODEL-N)", valueName: "folder"))
  var output: String?
  @Option(help: ArgumentHelp("Steps between checkpoints. (default: 500)", valueName: "steps"))
  var checkpointEvery: Int?
  @Option(help: ArgumentHelp("How many checkpoints are kept. (default: 3)", valueName: "count"))
  var keep: Int?
  @Option(
    help: ArgumentHelp(
      "Continue the run in this folder; auto: the one in --output, if there is one.", valueName: "folder|auto"))
  var resume: String?
  @Option(help: ArgumentHelp("A JSON file with the same options; flags win.", valueName: "file"))
  var config: String?
  @Flag(help: "Print the resolved configuration and do nothing.")
  var dryRun = false

  func add(to options: inout RunOptions) {
    options.set("output", output)
    options.set("checkpoint-every", checkpointEvery)
    options.set("keep", keep)
  }
}
