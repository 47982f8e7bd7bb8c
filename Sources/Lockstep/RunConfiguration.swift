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

  // The optimizer.
  /// The base learning rate.
  public var learningRate: Double = 0.05
  /// SGD's momentum.
  public var momentum: Double = 0.9
  /// Nesterov's variant of the momentum.
  public var nesterov: Bool = false
  /// L2 weight decay, added to the gradient.
  public var weightDecay: Double = 1e-4
  /// Which parameters decay.
  public var decay: DecayRule = .all
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
    case momentum, nesterov, decay, schedule, dropout, output, keep
    case imageSize = "image-size", validationSamples = "validation-samples", validationFingerprint =
      "validation-fingerprint"
    case globalBatch = "global-batch", initialState = "initial-state", initFrom = "init-from", learningRate =
      "learning-rate"
    case weightDecay = "weight-decay", scheduleStepSize = "schedule-step-size", scheduleGamma = "schedule-gamma"
    case schedulePower = "schedule-power", warmupSteps = "warmup-steps", labelSmoothing = "label-smoothing"
    case auxWeight = "aux-weight", checkpointEvery = "checkpoint-every"
  }
}

/// How pixel values, scaled to [0, 1], become a network's input.
public enum PixelNormalization: String, Codable, CaseIterable, Sendable {
  /// ImageNet's mean and standard deviation.
  case imagenet
  /// CIFAR-10's own.
  case cifar
  /// CIFAR-100's own.
  case cifar100
  /// (x − 0.5) / 0.5.
  case half
  /// Nothing.
  case none
}

/// How training samples are varied.
public enum Augmentation: String, Codable, CaseIterable, Sendable {
  /// Not at all.
  case none
  /// Random resized crop and flip; for 32×32 pictures pad-4 random crop and flip.
  case standard
}

/// How the learning rate changes over a run.
public enum ScheduleKind: String, Codable, CaseIterable, Sendable {
  /// It does not.
  case constant
  /// It drops by a factor every so many steps.
  case step
  /// (1 − t/T)^power.
  case polynomial
  /// (1 + cos(π t/T)) / 2.
  case cosine
}

/// Which parameters are decayed.
public enum DecayRule: String, Codable, CaseIterable, Sendable {
  /// Every parameter, PyTorch's default grouping.
  case all
  /// Neither batch norm's parameters nor biases.
  case noBatchNormOrBias = "no-bn-bias"
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
