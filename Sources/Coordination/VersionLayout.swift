import Wire

/// The parameters that a pass reads: those of a version, or the average that the run keeps beside them.
public struct Weights: Hashable, Sendable, CustomStringConvertible {
  /// The version.
  public let version: Int
  /// Whether the average is meant.
  public let isAveraged: Bool

  /// Names parameters.
  public init(version: Int, isAveraged: Bool = false) { (self.version, self.isAveraged) = (version, isAveraged) }

  public var description: String { isAveraged ? "\(version) averaged" : "\(version)" }
}

/// How the buckets of a version are numbered: a pure function of the run's configuration.
///
/// | buckets | what |
/// |---|---|
/// | 0 ..< *B* | the trained parameters, as gradients are cut |
/// | *B* | the batch-norm buffers |
/// | then *F* | the frozen parameters, the same in every version |
/// | then *B* + 1, where the run keeps an average | the averages of the trained parameters and of the buffers |
public struct VersionLayout: Hashable, Sendable {
  /// Buckets of a gradient, *B*.
  public let gradientBuckets: Int
  /// Buckets of parameters that never change, *F*.
  public let frozenBuckets: Int
  /// Whether an average is kept; evaluations then read it.
  public let keepsAverage: Bool

  /// Numbers the buckets.
  public init(gradientBuckets: Int, frozenBuckets: Int = 0, keepsAverage: Bool = false) {
    (self.gradientBuckets, self.frozenBuckets) = (gradientBuckets, frozenBuckets)
    self.keepsAverage = keepsAverage
  }

  /// The trained parameters and the buffers.
  public var current: Range<Int> { 0..<gradientBuckets + 1 }
  /// The frozen parameters.
  public var frozen: Range<Int> { current.upperBound..<current.upperBound + frozenBuckets }
  /// The averages of the trained parameters and of the buffers.
  public var averaged: Range<Int> {
    frozen.upperBound..<frozen.upperBound + (keepsAverage ? current.count : 0)
  }
  /// Buckets in all.
  public var count: Int { averaged.upperBound }

  /// What a pass reads.
  public func weights(readBy pass: Pass) -> Weights {
    Weights(version: pass.version, isAveraged: keepsAverage && pass.kind == .evaluation)
  }

  /// The buckets of some weights, without the frozen parameters.
  public func buckets(of weights: Weights) -> Range<Int> { weights.isAveraged ? averaged : current }
}
