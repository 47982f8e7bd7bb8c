import Wire

/// The order in which a run's passes are carried out: training(1), training(2), …, and an evaluation of the version
/// that each full epoch ends with and of the last version, where there are validation samples.
public struct PassSequence: Hashable, Sendable {
  /// Updates of the whole run.
  public let steps: Int
  /// Updates of an epoch.
  public let stepsPerEpoch: Int
  /// Whether there is anything to evaluate on.
  public let hasValidation: Bool

  /// The passes of a run.
  public init(steps: Int, stepsPerEpoch: Int, hasValidation: Bool) {
    precondition(steps >= 0 && stepsPerEpoch > 0, "the configuration was validated")
    (self.steps, self.stepsPerEpoch, self.hasValidation) = (steps, stepsPerEpoch, hasValidation)
  }

  /// Whether a version is evaluated.
  public func evaluates(version: Int) -> Bool {
    hasValidation && version > 0 && (version % stepsPerEpoch == 0 || version == steps)
  }

  /// The first pass of a coordinator that starts from a version; nil if nothing is left to do.
  ///
  /// - Parameter isEvaluated: whether the version's evaluation, if it has one, is known to be done.
  public func first(from version: Int, isEvaluated: Bool) -> Pass? {
    if !isEvaluated && evaluates(version: version) { return Pass(.evaluation, step: version) }
    return version < steps ? Pass(.training, step: version + 1) : nil
  }

  /// The pass after a pass; nil after the last.
  public func next(after pass: Pass) -> Pass? { first(from: pass.step, isEvaluated: pass.kind == .evaluation) }
}
