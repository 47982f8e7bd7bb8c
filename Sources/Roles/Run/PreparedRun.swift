import Datasets
import Foundation
import Lockstep
import Models
import Training

/// A run whose options have been completed by the model and the data, and checked: ready to start.
struct PreparedRun {
  let configuration: RunConfiguration
  let model: Model
  let training: any Dataset
  let validation: (any Dataset)?
  /// The state that a new run starts from; nil when a run is continued, for then it comes from a checkpoint.
  let initial: StateSnapshot?
  /// The classes' names, which checkpoints keep.
  let classNames: [String]
  /// Things the user should know, such as heads that were started anew.
  let remarks: [String]

  init(_ start: RunStart) throws(Failure) {
    let options = start.options
    let definition = try failing { try ModelCatalog.definition(named: options.text("model") ?? RunStart.defaultModel) }
    let batch = try Batch(options)
    let imageSize = try options.number("image-size") ?? definition.defaultImageSize
    guard (1...4096).contains(imageSize) else {
      throw Failure(.usage, "--image-size: \(imageSize) is not between 1 and 4096 pixels")
    }

    let data = options.text("data") ?? "synthetic"
    let training = try failing { try DatasetCatalog.open(data, role: .training, imageSize: imageSize) }
    let validation = try options.text("validation").map { spec throws(Failure) in
      try failing { try DatasetCatalog.open(spec, role: .validation, imageSize: imageSize) }
    }
    let classes = try options.number("classes") ?? training.classNames.count
    for (set, count) in [("data", training.classNames.count)]
      + (validation.map { [("validation", $0.classNames.count)] } ?? [])
    where count > classes {
      throw Failure(
        .mismatch,
        "--\(set) has \(count) classes, more than the model's \(classes); leave out --classes, or use other data")
    }
    let model = try failing {
      try Model(
        definition, classes: classes, imageSize: imageSize, width: try options.number("width") ?? 1,
        freeze: options.list("freeze") ?? [])
    }

    let labels = options.text("labels")
    let names = try labels.map { path throws(Failure) in try readLabels(path, classes: classes) }

    var remarks: [String] = []
    var initial: StateSnapshot?
    var transformsInput = false
    let seed = try options.number("seed", UInt64.self) ?? 0
    let initialState: Digest
    if let stored = start.stored, options.text("init-from") == stored.initFrom {
      initialState = stored.initialState
    } else {
      let state: StateSnapshot
      if let path = options.text("init-from") {
        let inherited = try failing { try InheritedState(path: path, model: model, seed: seed) }
        state = inherited.state
        transformsInput = inherited.transformsInput
        // A continued run was told so when it began.
        if start.stored == nil { remarks += inherited.remarks }
        if transformsInput, options.text("transform-input") == nil {
          remarks.append("'\(path)' says that its weights want transform_input: pictures go through it in this run too")
        }
      } else {
        state = StateSnapshot(initialStateOf: model, seed: seed)
      }
      // A continued run goes on from its checkpoints, however the file is spelled; its contents are compared below.
      if start.stored == nil { initial = state }
      initialState = state.hash(model)
    }

    let plan = TrainingPlan(
      sampleCount: training.count, globalBatch: batch.global, microbatch: batch.micro, shuffle: true, seed: seed)
    let epochs = try options.number("epochs") ?? 10
    guard (1...1_000_000).contains(epochs) else {
      throw Failure(.usage, "--epochs: \(epochs) is not between 1 and 1,000,000")
    }
    let steps = try options.number("steps") ?? epochs * plan.stepsPerEpoch
    var configuration = RunConfiguration(
      model: definition.name, classes: classes, imageSize: imageSize, data: data, samples: training.count,
      fingerprint: try failing { try training.fingerprint() },
      normalization: try options.choice("normalization") ?? training.defaultNormalization, steps: steps,
      initialState: initialState,
      labelSmoothing: definition.labelSmoothing, auxWeight: definition.auxiliaryWeight, output: start.output)
    if configuration.normalization == .cifar, training.defaultNormalization == .cifar100 {
      configuration.normalization = .cifar100
    }
    configuration.validation = options.text("validation")
    if let validation {
      configuration.validationSamples = validation.count
      configuration.validationFingerprint = try failing { try validation.fingerprint() }
    }
    configuration.initFrom = options.text("init-from")
    configuration.transformInput = try options.flag("transform-input") ?? transformsInput
    configuration.labels = labels
    configuration.seed = seed
    (configuration.globalBatch, configuration.microbatch) = (batch.global, batch.micro)
    try configuration.apply(options, stepsPerEpoch: plan.stepsPerEpoch)
    do { try configuration.validate() } catch { throw Failure(.usage, "\(error)") }

    for size in configuration.trainingPlan.leafSizes {
      if let (layer, shape) = model.smallestLeafProblem(size) {
        throw Failure(
          .mismatch,
          "a microbatch of \(size) would leave batch norm \(layer) (\(shape)) a single value to take statistics of "
            + "(\(training.count) samples in steps of \(batch.global)); choose another --global-batch or a larger --microbatch"
        )
      }
    }
    if let stored = start.stored {
      let differences = Set(configuration.trajectoryDifferences(from: stored).map(Self.option)).sorted()
      guard differences.isEmpty else {
        throw Failure(
          .mismatch,
          "\(start.output) was run with other values of \(differences.joined(separator: ", ")), which would change its "
            + "bits; leave them out to continue it, or start a new run with another --output")
      }
    }
    (self.configuration, self.model, self.training, self.validation) = (configuration, model, training, validation)
    (self.initial, self.remarks, classNames) = (initial, remarks, names ?? training.classNames)
  }

  /// The option that decides a key of the configuration.
  private static func option(deciding key: String) -> String {
    switch key {
    case "fingerprint", "samples": "--data"
    case "initial-state": "--init-from or --seed"
    default: "--\(key)"
    }
  }

  /// Batch sizes, checked before any data is opened.
  private struct Batch {
    let global: Int
    let micro: Int

    init(_ options: RunOptions) throws(Failure) {
      global = try options.number("global-batch") ?? 32
      micro = try options.number("microbatch") ?? 8
      guard global > 0, micro > 0, global % micro == 0 else {
        let advice =
          micro > 0 && global > 0 ? "; try --global-batch \((global / micro + 1) * micro), or another --microbatch" : ""
        throw Failure(
          .usage, "--global-batch: \(global) samples are not a multiple of the microbatch of \(micro)\(advice)")
      }
    }
  }
}

extension RunConfiguration {
  /// Takes over the options that neither the model nor the data decide.
  fileprivate mutating func apply(_ options: RunOptions, stepsPerEpoch: Int) throws(Failure) {
    func steps(_ key: String, orEpochs epochs: String, atLeast least: Int = 0) throws(Failure) -> Int? {
      if let count = try options.number(key, Int.self) { return count }
      guard let count = try options.number(epochs, Double.self) else { return nil }
      guard count >= 0, count <= 1_000_000 else {
        throw Failure(.usage, "--\(epochs): \(count) is not between 0 and 1,000,000")
      }
      let steps = Int((count * Double(stepsPerEpoch)).rounded())
      guard steps >= least else {
        throw Failure(.usage, "--\(epochs): \(count) of an epoch of \(stepsPerEpoch) steps is not at least 1 step")
      }
      return steps
    }
    width = try options.number("width") ?? width
    augment = try options.choice("augment") ?? augment
    shuffle = try options.flag("shuffle") ?? shuffle
    learningRate = try options.number("learning-rate") ?? learningRate
    momentum = try options.number("momentum") ?? momentum
    nesterov = try options.flag("nesterov") ?? nesterov
    optimizer = try options.choice("optimizer") ?? optimizer
    rmspropDecay = try options.number("rmsprop-decay") ?? rmspropDecay
    // An epsilon that is left over from another optimizer says nothing.
    epsilon = try optimizer.defaultEpsilon.map { value throws(Failure) in try options.number("epsilon") ?? value }
    larsTrust = try options.number("lars-trust") ?? larsTrust
    clipNorm = try options.numberOrNone("clip-norm") ?? clipNorm
    average = try options.choice("average") ?? average
    averageDecay = try options.number("average-decay") ?? averageDecay
    averageStart = try options.number("average-start") ?? averageStart
    trunkLearningRateFactor = try options.number("trunk-learning-rate-factor") ?? trunkLearningRateFactor
    freeze = options.list("freeze") ?? freeze
    weightDecay = try options.number("weight-decay") ?? weightDecay
    decay = try options.choice("decay") ?? decay
    schedule = try options.choice("schedule") ?? schedule
    scheduleStepSize =
      try steps("schedule-step-size", orEpochs: "schedule-step-epochs", atLeast: 1) ?? scheduleStepSize
    scheduleGamma = try options.number("schedule-gamma") ?? scheduleGamma
    schedulePower = try options.number("schedule-power") ?? schedulePower
    warmupSteps = try steps("warmup-steps", orEpochs: "warmup-epochs") ?? warmupSteps
    labelSmoothing = try options.number("label-smoothing") ?? labelSmoothing
    auxWeight = try options.number("aux-weight") ?? auxWeight
    dropout = try options.flag("dropout") ?? dropout
    checkpointEvery = try options.number("checkpoint-every") ?? checkpointEvery
    keep = try options.number("keep") ?? keep
  }
}
