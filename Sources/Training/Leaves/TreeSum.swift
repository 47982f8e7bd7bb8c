import Lockstep

/// Adds up values of a canonical tree's subtrees as they come, in any order: the same pairs are added, whoever comes first.
public struct TreeSum<Value> {
  /// The shape of the sum.
  public let tree: CanonicalTree
  private let add: (_ left: Value, _ right: Value) -> Value
  private var parts: [Subtree: Value] = [:]

  /// A sum of nothing yet.
  ///
  /// - Parameter add: left + right, in this order.
  public init(_ tree: CanonicalTree, add: @escaping (_ left: Value, _ right: Value) -> Value) {
    (self.tree, self.add) = (tree, add)
  }

  /// Adds the value of a subtree, none of whose leaves was added before.
  public mutating func insert(_ value: Value, at subtree: Subtree) {
    precondition(tree.contains(subtree), "a subtree of this tree")
    var (value, subtree) = (value, subtree)
    while let (parent, sibling, isLeft) = tree.parent(of: subtree), let other = parts.removeValue(forKey: sibling) {
      value = isLeft ? add(value, other) : add(other, value)
      subtree = parent
    }
    precondition(parts[subtree] == nil, "each leaf is added once")
    parts[subtree] = value
  }

  /// The sum of all leaves; nil while some are missing.
  public var root: Value? { parts[tree.root] }
}
