import ArgumentParser
import Roles

/// How parameters are updated.
struct OptimizationArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp("sgd, rmsprop (PyTorch's), rmsprop-tf (TensorFlow's) or lars. (default: sgd)", valueName: "name")
  )
  var optimizer: String?
  @Option(help: ArgumentHelp("Momentum. (default: 0.9)", valueName: "factor"))
  var momentum: Double?
  @Option(help: "Nesterov's variant of sgd's momentum. (default: off)")
  var nesterov: Switch?
  @Option(help: ArgumentHelp("What RMSProp keeps of its mean square. (default: 0.9)", valueName: "factor"))
  var rmspropDecay: Double?
  @Option(
    help: ArgumentHelp(
      "Keeps RMSProp's divisor from 0. (default: 1e-8 outside the root for rmsprop, 1 inside for rmsprop-tf)",
      valueName: "number"))
  var epsilon: Double?
  @Option(help: ArgumentHelp("LARS's trust coefficient. (default: 0.001)", valueName: "factor"))
  var larsTrust: Double?
  @Option(help: ArgumentHelp("L2 weight decay, added to the gradient. (default: 1e-4)", valueName: "factor"))
  var weightDecay: Double?
  @Option(
    help: ArgumentHelp(
      "What decays: all, no-bn-bias, or caffe: as no-bn-bias, and biases learn at twice the rate. (default: all)",
      valueName: "rule"))
  var decay: String?
  @Option(help: ArgumentHelp("Largest L2 norm of the mean gradient, or none. (default: none)", valueName: "norm"))
  var clipNorm: String?

  func add(to options: inout RunOptions) {
    options.set("optimizer", optimizer)
    options.set("momentum", momentum)
    options.set("nesterov", nesterov)
    options.set("rmsprop-decay", rmspropDecay)
    options.set("epsilon", epsilon)
    options.set("lars-trust", larsTrust)
    options.set("weight-decay", weightDecay)
    options.set("decay", decay)
    options.set("clip-norm", clipNorm)
  }
}

/// How the learning rate changes.
struct LearningRateArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The base learning rate. (default: 0.05)", valueName: "rate"))
  var learningRate: Double?
  @Option(help: ArgumentHelp("constant, step, polynomial or cosine. (default: constant)", valueName: "kind"))
  var schedule: String?
  @Option(help: ArgumentHelp("Steps between two drops of the step schedule. (default: 1000)", valueName: "steps"))
  var scheduleStepSize: Int?
  @Option(help: ArgumentHelp("The same in epochs, instead of --schedule-step-size.", valueName: "epochs"))
  var scheduleStepEpochs: Double?
  @Option(help: ArgumentHelp("Factor of a drop of the step schedule. (default: 0.1)", valueName: "factor"))
  var scheduleGamma: Double?
  @Option(help: ArgumentHelp("Exponent of the polynomial schedule. (default: 1)", valueName: "exponent"))
  var schedulePower: Double?
  @Option(help: ArgumentHelp("Steps over which the learning rate rises to its base. (default: 0)", valueName: "steps"))
  var warmupSteps: Int?
  @Option(help: ArgumentHelp("The same in epochs, instead of --warmup-steps.", valueName: "epochs"))
  var warmupEpochs: Double?

  func add(to options: inout RunOptions) {
    options.set("learning-rate", learningRate)
    options.set("schedule", schedule)
    options.set("schedule-step-size", scheduleStepSize)
    options.set("schedule-step-epochs", scheduleStepEpochs)
    options.set("schedule-gamma", scheduleGamma)
    options.set("schedule-power", schedulePower)
    options.set("warmup-steps", warmupSteps)
    options.set("warmup-epochs", warmupEpochs)
  }

  func validate() throws {
    if scheduleStepSize != nil && scheduleStepEpochs != nil {
      throw ValidationError("give --schedule-step-size or --schedule-step-epochs, not both")
    }
    if warmupSteps != nil && warmupEpochs != nil {
      throw ValidationError("give --warmup-steps or --warmup-epochs, not both")
    }
  }
}

/// Which average of the weights is kept beside them.
struct AveragingArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Average of the weights, for validation and use: none, ema (moving) or polyak (plain). (default: none)",
      valueName: "kind"))
  var average: String?
  @Option(
    help: ArgumentHelp(
      "What the moving average keeps; less in a run's first steps: (1 + n) / (10 + n). (default: 0.9999)",
      valueName: "factor"))
  var averageDecay: Double?
  @Option(help: ArgumentHelp("The step after which the plain average begins. (default: 0)", valueName: "step"))
  var averageStart: Int?

  func add(to options: inout RunOptions) {
    options.set("average", average)
    options.set("average-decay", averageDecay)
    options.set("average-start", averageStart)
  }
}

/// How trained weights are taken over.
struct FineTuningArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Start from these weights instead of random ones.", valueName: "file"))
  var initFrom: String?
  @Option(
    defaultAsFlag: Switch.on, parsing: .next,
    help:
      "Whether --init-from's weights want torchvision's transform_input. (default: as the file says, or off)")
  var transformInput: Switch? = nil
  @Option(
    help: ArgumentHelp(
      "Keep parameters and batch norms as they are whose keys begin so: conv1,inception3a of googlenet. (default: none)",
      valueName: "prefixes"))
  var freeze: String?
  @Option(
    help: ArgumentHelp(
      "Share of the learning rate for all but the last layers of classifier and auxiliary heads. (default: 1)",
      valueName: "factor"))
  var trunkLearningRateFactor: Double?

  func add(to options: inout RunOptions) {
    options.set("init-from", initFrom)
    options.set("transform-input", transformInput)
    options.set("freeze", freeze)
    options.set("trunk-learning-rate-factor", trunkLearningRateFactor)
  }
}
