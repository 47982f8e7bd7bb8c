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
      labelSmoothing >= 0 && labelSmoothing < 1, "label-smoothing", "\(labelSmoothing) is not at least 0 and below 1")
    try require(scheduleStepSize >= 1, "schedule-step-size", "\(scheduleStepSize) is not at least 1")
    try require(scheduleGamma > 0 && scheduleGamma.isFinite, "schedule-gamma", "\(scheduleGamma) is not above 0")
    try require(schedulePower > 0 && schedulePower.isFinite, "schedule-power", "\(schedulePower) is not above 0")
    try require(warmupSteps >= 0, "warmup-steps", "\(warmupSteps) is negative")
    try require(checkpointEvery >= 1, "checkpoint-every", "\(checkpointEvery) is not at least 1 step")
    try require(keep >= 1, "keep", "\(keep) is not at least 1 checkpoint")
  }
}
