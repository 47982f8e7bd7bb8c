import Lockstep

/// One bucket's sum while it grows: the maximal subtrees that have come, siblings added as soon as both are there.
///
/// Memory: at most ⌈M / 2⌉ values for a tree of M leaves (no two of them are siblings); with planned shares, two for
/// each worker or fewer.
struct BucketSum<Value> {
  /// What became of an arrival.
  enum Outcome {
    /// All its leaves were there; it is dropped.
    case contained
    /// It is in the sum; these of its leaves are new.
    case inserted(newLeaves: [Int])
    /// It is in the sum, and completed it. The value is handed over and no longer kept.
    case completed(Value, newLeaves: [Int])
  }

  private let tree: CanonicalTree
  private var parts: [Subtree: Value] = [:]
  private(set) var isComplete = false

  init(tree: CanonicalTree) { self.tree = tree }

  /// How many values are kept.
  var count: Int { parts.count }

  /// Adds the sum of a subtree, which must be one of the tree's.
  mutating func insert(_ subtree: Subtree, _ value: Value, add: (_ left: Value, _ right: Value) -> Value) -> Outcome {
    if isComplete || isCovered(subtree) { return .contained }
    var newLeaves = Set(subtree.lower..<subtree.upper)
    for part in parts.keys where subtree.contains(part) {
      parts[part] = nil
      newLeaves.subtract(part.lower..<part.upper)
    }
    var (current, sum) = (subtree, value)
    while let (parent, sibling, isLeft) = tree.parent(of: current), let other = parts.removeValue(forKey: sibling) {
      sum = isLeft ? add(sum, other) : add(other, sum)
      current = parent
    }
    guard current == tree.root else {
      parts[current] = sum
      return .inserted(newLeaves: newLeaves.sorted())
    }
    isComplete = true
    return .completed(sum, newLeaves: newLeaves.sorted())
  }

  private func isCovered(_ subtree: Subtree) -> Bool {
    var current = subtree
    while true {
      if parts[current] != nil { return true }
      guard let (parent, _, _) = tree.parent(of: current) else { return false }
      current = parent
    }
  }
}
