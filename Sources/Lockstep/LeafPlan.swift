/// How some samples are cut into leaves (microbatches): as many as the microbatch size needs, of balanced sizes.
///
/// - Source: PROTOCOL.md §10.
public struct LeafPlan: Hashable, Sendable {
  /// Leaves of a pass, at most: any one worker may have to be told about all of them in one message.
  public static let largestLeafCount = 65_536
  /// How many samples there are in all.
  public let sampleCount: Int
  /// How many leaves they make.
  public let leafCount: Int

  /// ⌈samples / microbatch⌉ leaves; sizes differ by one at most, larger ones first.
  public init(sampleCount: Int, microbatch: Int) {
    precondition(sampleCount > 0 && microbatch > 0, "leaves need samples")
    self.sampleCount = sampleCount
    leafCount = (sampleCount + microbatch - 1) / microbatch
  }

  /// The tree in which the leaves are added.
  public var tree: CanonicalTree { CanonicalTree(leafCount: leafCount) }

  /// The positions (not dataset indices) of a leaf's samples.
  public func positions(ofLeaf leaf: Int) -> Range<Int> {
    precondition(leaf >= 0 && leaf < leafCount, "a leaf of this plan")
    let size = sampleCount / leafCount, larger = sampleCount % leafCount
    let lower = leaf * size + min(leaf, larger)
    return lower..<(lower + size + (leaf < larger ? 1 : 0))
  }

  /// The sizes that occur, largest first: one or two.
  public var sizes: [Int] {
    let size = sampleCount / leafCount
    return sampleCount % leafCount == 0 ? [size] : [size + 1, size]
  }
}
