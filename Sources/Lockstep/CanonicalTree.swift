/// A complete subtree of a canonical tree: the leaves `lower ..< upper`.
public struct Subtree: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The first leaf.
  public let lower: Int
  /// One past the last leaf.
  public let upper: Int

  /// Names the leaves; whether they form a subtree of a given tree, `CanonicalTree.contains` tells.
  public init(_ lower: Int, _ upper: Int) {
    precondition(0 <= lower && lower < upper, "a subtree has at least one leaf")
    (self.lower, self.upper) = (lower, upper)
  }

  /// One leaf.
  public init(leaf: Int) { self.init(leaf, leaf + 1) }

  /// How many leaves it has.
  public var leafCount: Int { upper - lower }

  /// Whether every leaf of `other` is one of its own.
  public func contains(_ other: Subtree) -> Bool { lower <= other.lower && other.upper <= upper }

  public static func < (a: Subtree, b: Subtree) -> Bool { (a.lower, a.upper) < (b.lower, b.upper) }

  public var description: String { "[\(lower), \(upper))" }
}

/// The one shape in which a step's leaves are added: n leaves are split at the largest power of two below n, the larger
/// part on the left. Any two subtrees are nested or disjoint.
///
/// - Source: the Merkle trees of RFC 6962, section 2.1; PROTOCOL.md §1.
public struct CanonicalTree: Hashable, Sendable {
  /// How many leaves the whole tree has.
  public let leafCount: Int

  /// The tree over some leaves, at least one.
  public init(leafCount: Int) {
    precondition(leafCount > 0, "a tree has at least one leaf")
    self.leafCount = leafCount
  }

  /// The whole tree.
  public var root: Subtree { Subtree(0, leafCount) }

  /// The two parts that are added to give `subtree`; nil for a leaf.
  public func children(of subtree: Subtree) -> (left: Subtree, right: Subtree)? {
    guard subtree.leafCount > 1 else { return nil }
    var half = 1
    while half * 2 < subtree.leafCount { half *= 2 }
    let middle = subtree.lower + half
    return (Subtree(subtree.lower, middle), Subtree(middle, subtree.upper))
  }

  /// Whether `subtree` is one of this tree's.
  public func contains(_ subtree: Subtree) -> Bool {
    guard subtree.upper <= leafCount else { return false }
    return descend(to: subtree) != nil
  }

  /// The subtree that `subtree` is a part of, and its sibling there; nil for the root.
  public func parent(of subtree: Subtree) -> (parent: Subtree, sibling: Subtree, isLeft: Bool)? {
    guard let path = descend(to: subtree), let parent = path.last, let parts = children(of: parent) else { return nil }
    let isLeft = parts.left == subtree
    return (parent, isLeft ? parts.right : parts.left, isLeft)
  }

  /// The fewest subtrees that together have exactly the given leaves, in order.
  public func maximalSubtrees(of leaves: Set<Int>) -> [Subtree] {
    var result: [Subtree] = []
    func visit(_ subtree: Subtree) {
      let present = (subtree.lower..<subtree.upper).reduce(0) { $0 + (leaves.contains($1) ? 1 : 0) }
      if present == 0 { return }
      if present == subtree.leafCount { result.append(subtree); return }
      guard let parts = children(of: subtree) else { return }
      visit(parts.left)
      visit(parts.right)
    }
    visit(root)
    return result
  }

  /// The subtrees on the way from the root to `subtree`, without itself; nil if it is not of this tree.
  private func descend(to subtree: Subtree) -> [Subtree]? {
    var path: [Subtree] = []
    var current = root
    while current != subtree {
      guard current.contains(subtree), let parts = children(of: current) else { return nil }
      path.append(current)
      current = parts.left.contains(subtree) ? parts.left : parts.right
    }
    return path
  }
}
