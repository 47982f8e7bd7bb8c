import Coordination
import Lockstep
import Models

extension VersionLayout {
  /// The buckets of a run's versions.
  init(_ model: Model, _ configuration: RunConfiguration) {
    self.init(
      gradientBuckets: model.flat.buckets.count, frozenBuckets: model.frozenBuckets.count,
      keepsAverage: configuration.average != .none)
  }

  /// Where a bucket's values lie.
  struct Place {
    /// Whether that is in the batch-norm buffers; otherwise it is in the parameters.
    var isBuffers: Bool
    /// The elements.
    var range: Range<Int>
    /// Whether those of the average are meant.
    var isAveraged: Bool
  }

  /// Where the values of a bucket of a version lie.
  func place(of bucket: Int, _ model: Model) -> Place {
    if frozen.contains(bucket) {
      return Place(isBuffers: false, range: model.frozenBuckets[bucket - frozen.lowerBound], isAveraged: false)
    }
    let isAveraged = averaged.contains(bucket)
    let index = isAveraged ? bucket - averaged.lowerBound : bucket
    let isBuffers = index == gradientBuckets
    return Place(
      isBuffers: isBuffers, range: isBuffers ? 0..<model.bufferCount : model.flat.buckets[index],
      isAveraged: isAveraged)
  }
}
