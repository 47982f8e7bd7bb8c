import Models

/// What a step's statistics say about it: means over its samples, at the parameters before the update.
public struct StepMetrics: Hashable, Sendable {
  /// Samples of the step.
  public var samples: Int
  /// The main loss plus the weighted auxiliary losses, without weight decay.
  public var loss: Double
  /// The loss of the main classifier.
  public var mainLoss: Double
  /// The unweighted losses of the auxiliary classifiers.
  public var auxLosses: [Double]
  /// The share of samples whose label had the largest logit.
  public var top1: Double
  /// The share of samples whose label was among the five largest logits.
  public var top5: Double

  /// Reads a step's summed statistics.
  ///
  /// - Parameter statistics: the vector that `model.statistics` describes.
  public init(statistics: UnsafeBufferPointer<Double>, model: Model, auxWeight: Double) {
    let layout = model.statistics
    let n = statistics[layout.sampleCount]
    samples = wholeNumber(n)
    mainLoss = statistics[layout.mainLoss] / n
    auxLosses = layout.auxLosses.prefix(model.auxiliaryHeads).map { statistics[$0] / n }
    loss = mainLoss + auxWeight * auxLosses.reduce(0, +)
    top1 = statistics[layout.top1] / n
    top5 = statistics[layout.top5] / n
  }
}

/// What evaluation found: means over the samples.
public struct EvaluationMetrics: Hashable, Sendable {
  /// Samples that were evaluated.
  public var samples: Int
  /// The mean loss of the main classifier.
  public var loss: Double
  /// The share of samples whose label had the largest logit.
  public var top1: Double
  /// The share of samples whose label was among the five largest logits.
  public var top5: Double

  /// Reads the summed statistics of an evaluation, `StatisticsLayout.evaluationCount` numbers.
  public init(statistics: UnsafeBufferPointer<Double>, model: Model) {
    let layout = model.statistics
    let n = statistics[layout.sampleCount]
    samples = wholeNumber(n)
    loss = statistics[layout.mainLoss] / n
    top1 = statistics[layout.top1] / n
    top5 = statistics[layout.top5] / n
  }
}

/// A count of samples as it comes from sums; 0 where the sums were damaged.
private func wholeNumber(_ count: Double) -> Int {
  count.isFinite && count.magnitude < 0x1p53 ? Int(count) : 0
}
