/// A value that no run can have.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The key, as the flag is called.
  public let key: String
  /// What is wrong, and what to do about it.
  public let reason: String

  /// Names the key and the reason.
  public init(key: String, reason: String) {
    (self.key, self.reason) = (key, reason)
  }

  public var description: String { "--\(key): \(reason)" }
}

extension RunConfiguration {
  /// Throws for the first value that no run can have.
  public func validate() throws(ConfigurationError) {
    func require(_ condition: Bool, _ key: String, _ reason: @autoclosure () -> String) throws(ConfigurationError) {
      if !condition { throw ConfigurationError(key: key, reason: reason()) }
    }
    try require((1...1_000_000).contains(classes), "classes", "\(classes) is not between 1 and 1,000,000")
    try require((1...4096).contains(imageSize), "image-size", "\(imageSize) is not between 1 and 4096 pixels")
    try require(width > 0 && width <= 16, "width", "\(width) is not above 0 and at most 16")
    try require((1...65_536).contains(microbatch), "microbatch", "\(microbatch) is not between 1 and 65,536 samples")
    try require(
      (1...1 << 24).contains(globalBatch), "global-batch", "\(globalBatch) is not between 1 and 16,777,216 samples")
    try require(
      globalBatch % microbatch == 0, "global-batch",
      "\(globalBatch) samples are not a multiple of the microbatch of \(microbatch); "
        + "try --global-batch \((globalBatch / microbatch + 1) * microbatch) or another --microbatch")
    try require(
      validationSamples >= 0 && validationSamples < UInt32.max, "validation",
      "\(validationSamples) samples are not between 0 and 2^32 - 2")
    for (key, count) in [("global-batch", globalBatch), ("validation", validationSamples)] {
      let leaves = (count + microbatch - 1) / microbatch
      try require(
        leaves <= LeafPlan.largestLeafCount, key,
        "\(count) samples in microbatches of \(microbatch) are \(leaves) microbatches, more than "
          + "\(LeafPlan.largestLeafCount); choose a larger --microbatch")
    }
    try require(samples >= 1 && samples < UInt32.max, "data", "\(samples) samples are not between 1 and 2^32 - 2")
    try require(steps >= 1 && steps < UInt32.max, "steps", "\(steps) is not between 1 and 2^32 - 2")
    for (key, value) in [("learning-rate", learningRate), ("weight-decay", weightDecay), ("aux-weight", auxWeight)] {
      try require(value.isFinite && value >= 0, key, "\(value) is not a number of at least 0")
    }
    try require(momentum >= 0 && momentum < 1, "momentum", "\(momentum) is not at least 0 and below 1")
    try require(!nesterov || momentum > 0, "nesterov", "Nesterov's variant needs --momentum above 0")
    try require(
      !nesterov || optimizer == .sgd, "nesterov",
      "\(optimizer.rawValue) has no such variant; leave it out, or use --optimizer sgd")
    try require(
      labelSmoothing >= 0 && labelSmoothing < 1, "label-smoothing", "\(labelSmoothing) is not at least 0 and below 1")
    try require(scheduleStepSize >= 1, "schedule-step-size", "\(scheduleStepSize) is not at least 1")
    try require(scheduleGamma > 0 && scheduleGamma.isFinite, "schedule-gamma", "\(scheduleGamma) is not above 0")
    try require(schedulePower > 0 && schedulePower.isFinite, "schedule-power", "\(schedulePower) is not above 0")
    try require(warmupSteps >= 0, "warmup-steps", "\(warmupSteps) is negative")
    try validateOptimizer(require)
    try validateFineTuning(require)
    try require(checkpointEvery >= 1, "checkpoint-every", "\(checkpointEvery) is not at least 1 step")
    try require(keep >= 1, "keep", "\(keep) is not at least 1 checkpoint")
  }

  private typealias Requirement = (Bool, String, @autoclosure () -> String) throws(ConfigurationError) -> Void

  private func validateOptimizer(_ require: Requirement) throws(ConfigurationError) {
    try require(
      rmspropDecay >= 0 && rmspropDecay < 1, "rmsprop-decay", "\(rmspropDecay) is not at least 0 and below 1")
    if let epsilon {
      try require(
        epsilon.isFinite && Float(epsilon) > 0, "epsilon", "\(epsilon) is not a 32-bit number above 0")
    }
    try require(
      (epsilon != nil) == (optimizer.defaultEpsilon != nil), "epsilon",
      "\(optimizer.rawValue) \(epsilon == nil ? "needs one" : "has none")")
    try require(larsTrust > 0 && larsTrust.isFinite, "lars-trust", "\(larsTrust) is not above 0")
    if let clipNorm { try require(clipNorm > 0 && clipNorm.isFinite, "clip-norm", "\(clipNorm) is not above 0") }
    try require(
      averageDecay >= 0 && averageDecay < 1, "average-decay", "\(averageDecay) is not at least 0 and below 1")
    try require(averageStart >= 0, "average-start", "\(averageStart) is negative")
    try require(
      average != .polyak || averageStart < steps, "average-start",
      "step \(averageStart) is not before the end of the run, \(steps) steps; nothing would be averaged")
  }

  private func validateFineTuning(_ require: Requirement) throws(ConfigurationError) {
    try require(
      trunkLearningRateFactor >= 0 && trunkLearningRateFactor.isFinite, "trunk-learning-rate-factor",
      "\(trunkLearningRateFactor) is not a number of at least 0")
    for prefix in freeze {
      try require(
        !prefix.isEmpty && !prefix.contains(","), "freeze",
        "'\(prefix)' is not the beginning of a parameter's key; give such as conv1,inception3a, separated by commas")
    }
    try require(
      !transformInput || initFrom != nil, "transform-input",
      "it is how the weights of --init-from want their pictures; without such a file there is nothing to fit")
    try require(
      !transformInput || normalization == .imagenet, "transform-input",
      "it starts from pictures in --normalization imagenet, not \(normalization.rawValue); use both, or neither")
  }
}
