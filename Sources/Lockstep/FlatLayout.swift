/// How a flat vector of parameters is cut: tensors into units, units into buckets. Nothing here depends on who is present.
///
/// - Source: PROTOCOL.md §1. A bucket is at most 1 MiB, so that it is one message and is never cut again.
public struct FlatLayout: Hashable, Sendable {
  /// Elements of a unit, at most; a unit never spans two tensors.
  public static let unitSize = 16_384
  /// Elements of a bucket, at most: 1 MiB of Float32.
  public static let bucketSize = 262_144

  /// Consecutive elements of one tensor: what norms are added up from.
  public struct Unit: Hashable, Sendable {
    /// The elements.
    public let range: Range<Int>
    /// The tensor, in flat order.
    public let tensor: Int
  }

  /// Elements of every tensor, in flat order.
  public let tensorSizes: [Int]
  /// Elements in all.
  public let count: Int
  /// Consecutive ranges of elements that are sent, added and updated together, in flat order.
  public let buckets: [Range<Int>]
  /// All units, in flat order.
  public let units: [Unit]
  /// For each bucket, its first unit; and the number of units at the end.
  private let firstUnits: [Int]

  /// Lays out tensors given in flat order (the reverse of state_dict order).
  public init(tensorSizes: [Int]) {
    var buckets: [Range<Int>] = []
    var units: [Unit] = [], firstUnits = [0]
    var start = 0, end = 0
    for (tensor, size) in tensorSizes.enumerated() {
      precondition(size > 0, "a tensor has elements")
      var remaining = size
      while remaining > 0 {
        let unit = min(remaining, Self.unitSize)
        if end + unit - start > Self.bucketSize {
          buckets.append(start..<end)
          firstUnits.append(units.count)
          start = end
        }
        units.append(Unit(range: end..<end + unit, tensor: tensor))
        end += unit
        remaining -= unit
      }
    }
    if end > start {
      buckets.append(start..<end)
      firstUnits.append(units.count)
    }
    (self.tensorSizes, self.count, self.buckets) = (tensorSizes, end, buckets)
    (self.units, self.firstUnits) = (units, firstUnits)
  }

  /// The places of a bucket's units among all units.
  public func unitIndices(ofBucket bucket: Int) -> Range<Int> { firstUnits[bucket]..<firstUnits[bucket + 1] }
}
