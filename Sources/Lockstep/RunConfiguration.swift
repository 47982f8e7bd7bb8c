/// Everything that defines a run, resolved: what `config.json` holds and what every role of a run works by.
///
/// Keys are the command line's flags. Each is either a *trajectory* key, which decides the bits, a *placement* key, which
/// does not, or the run's *length*; `RunConfiguration.kinds` says which, and a test fails for a key that it lacks.
public struct RunConfiguration: Codable, Hashable, Sendable {
  // The model.
  /// A name from the catalog of models.
  public var model: String
  /// Outputs of the classifiers.
  public var classes: Int
  /// Height and width of the model's input, in pixels.
  public var imageSize: Int
  /// Factor on every channel count.
  public var width: Double = 1

  // The data.
  /// Where the training samples are: a dataset SPEC.
  public var data: String
  /// Where the validation samples are, if any.
  public var validation: String?
  /// How many training samples there are.
  public var samples: Int
  /// How many validation samples there are.
  public var validationSamples: Int = 0
  /// The training data's fingerprint.
  public var fingerprint: Digest
  /// The validation data's fingerprint.
  public var validationFingerprint: Digest?
  /// How pixel values become inputs.
  public var normalization: PixelNormalization
  /// How training samples are varied.
  public var augment: Augmentation = .standard
  /// Whether each epoch has an order of its own.
  public var shuffle: Bool = true

  // The run.
  /// Updates of the whole run, resumes included.
  public var steps: Int
  /// Samples of a step.
  public var globalBatch: Int = 32
  /// Samples of a leaf: the unit of work and of batch-norm statistics.
  public var microbatch: Int = 8
  /// What every random number is drawn from.
  public var seed: UInt64 = 0
  /// `state_hash` of version 0, the state that the run starts from.
  public var initialState: Digest
  /// The file that the initial state was read from, if any.
  public var initFrom: String?
  /// Whether inputs are turned from ImageNet's normalization into (x − 0.5) / 0.5, as torchvision's `transform_input` does.
  public var transformInput: Bool = false
  /// Parameters and batch norms that stay as they are: those whose keys begin with one of these.
  public var freeze: [String] = []

  // The optimizer.
  /// What makes new parameters.
  public var optimizer: OptimizerKind = .sgd
  /// The base learning rate.
  public var learningRate: Double = 0.05
  /// The share of the classifiers' learning rate that every other parameter has.
  public var trunkLearningRateFactor: Double = 1
  /// How much of the velocity is kept from step to step.
  public var momentum: Double = 0.9
  /// Nesterov's variant of SGD's momentum.
  public var nesterov: Bool = false
  /// How much of RMSProp's mean square is kept from step to step.
  public var rmspropDecay: Double = 0.9
  /// What keeps RMSProp's divisor away from 0; nil where the optimizer has none.
  public var epsilon: Double?
  /// LARS's trust coefficient.
  public var larsTrust: Double = 0.001
  /// L2 weight decay, added to the gradient.
  public var weightDecay: Double = 1e-4
  /// Which parameters decay.
  public var decay: DecayRule = .all
  /// The largest L2 norm that the mean gradient may have; nil where it may have any.
  public var clipNorm: Double?
  /// How the learning rate changes.
  public var schedule: ScheduleKind = .constant
  /// Steps between two drops of the `step` schedule.
  public var scheduleStepSize: Int = 1000
  /// Factor of a drop of the `step` schedule.
  public var scheduleGamma: Double = 0.1
  /// Exponent of the `polynomial` schedule.
  public var schedulePower: Double = 1
  /// Steps over which the learning rate rises to its base.
  public var warmupSteps: Int = 0
  /// Which average of the parameters is kept beside them.
  public var average: AverageKind = .none
  /// How much of the exponential moving average is kept from step to step, once there are many steps.
  public var averageDecay: Double = 0.9999
  /// The last step that the plain average leaves out.
  public var averageStart: Int = 0

  // The loss.
  /// Label smoothing ε.
  public var labelSmoothing: Double
  /// Weight of each auxiliary loss.
  public var auxWeight: Double
  /// Whether dropout layers drop.
  public var dropout: Bool = true

  // Keeping it.
  /// The run's directory.
  public var output: String
  /// Steps between checkpoints.
  public var checkpointEvery: Int = 500
  /// How many checkpoints are kept.
  public var keep: Int = 3
  /// The file that the classes' names were read from, if not from the dataset.
  public var labels: String?

  /// A configuration with defaults wherever the model or the data do not decide.
  public init(
    model: String, classes: Int, imageSize: Int, data: String, samples: Int, fingerprint: Digest,
    normalization: PixelNormalization, steps: Int, initialState: Digest, labelSmoothing: Double, auxWeight: Double,
    output: String
  ) {
    (self.model, self.classes, self.imageSize) = (model, classes, imageSize)
    (self.data, self.samples, self.fingerprint, self.normalization) = (data, samples, fingerprint, normalization)
    (self.steps, self.initialState, self.output) = (steps, initialState, output)
    (self.labelSmoothing, self.auxWeight) = (labelSmoothing, auxWeight)
  }

  enum CodingKeys: String, CodingKey, CaseIterable {
    case model, classes, width, data, validation, samples, fingerprint, normalization, augment, shuffle, steps,
      microbatch, seed
    case momentum, nesterov, decay, schedule, dropout, output, keep, freeze, optimizer, epsilon, average, labels
    case imageSize = "image-size", validationSamples = "validation-samples", validationFingerprint =
      "validation-fingerprint"
    case globalBatch = "global-batch", initialState = "initial-state", initFrom = "init-from", learningRate =
      "learning-rate"
    case weightDecay = "weight-decay", scheduleStepSize = "schedule-step-size", scheduleGamma = "schedule-gamma"
    case schedulePower = "schedule-power", warmupSteps = "warmup-steps", labelSmoothing = "label-smoothing"
    case auxWeight = "aux-weight", checkpointEvery = "checkpoint-every", transformInput = "transform-input"
    case trunkLearningRateFactor = "trunk-learning-rate-factor", rmspropDecay = "rmsprop-decay"
    case larsTrust = "lars-trust", clipNorm = "clip-norm", averageDecay = "average-decay"
    case averageStart = "average-start"
  }
}

extension Digest: Codable {
  /// Reads the hexadecimal form.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let digest = Digest(hex: text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not 32 hexadecimal digits")
    }
    self = digest
  }

  /// Writes the hexadecimal form.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(hex)
  }
}
