/// The vector of Float64 sums that a leaf yields besides its gradient; leaves' vectors add up element by element.
///
/// | place | meaning |
/// |---|---|
/// | 0 | samples n |
/// | 1 | sum of the main losses |
/// | 2, 3 | sums of the auxiliary losses, unweighted |
/// | 4, 5 | samples whose label is the top one, among the top five |
/// | then for each batch norm in state_dict order | n · mean of each channel, n · unbiased variance of each channel; 0 if it is frozen |
public struct StatisticsLayout: Hashable, Sendable {
  /// Where the number of samples is.
  public let sampleCount = 0
  /// Where the main loss is.
  public let mainLoss = 1
  /// Where the first and the second auxiliary loss are.
  public let auxLosses = [2, 3]
  /// Where the number of right answers is.
  public let top1 = 4
  /// Where the number of samples is whose label is among the five likeliest.
  public let top5 = 5
  /// Elements of an evaluation's vector, which has no batch norms.
  public static let evaluationCount = 6
  /// Elements.
  public let count: Int

  private let starts: [Int]
  private let channels: [Int]

  init(batchNorms: [BatchNormEntry]) {
    var starts: [Int] = []
    var count = Self.evaluationCount
    for batchNorm in batchNorms {
      starts.append(count)
      count += 2 * batchNorm.channels
    }
    (self.starts, self.channels, self.count) = (starts, batchNorms.map(\.channels), count)
  }

  /// The sums of n · mean of a batch norm's channels.
  public func means(ofBatchNorm index: Int) -> Range<Int> {
    starts[index]..<starts[index] + channels[index]
  }

  /// The sums of n · unbiased variance of a batch norm's channels.
  public func variances(ofBatchNorm index: Int) -> Range<Int> {
    starts[index] + channels[index]..<starts[index] + 2 * channels[index]
  }

  /// Both sums of a batch norm's channels, means before variances.
  public func batchNormRange(_ index: Int) -> Range<Int> {
    starts[index]..<starts[index] + 2 * channels[index]
  }
}
