import Lockstep
import Wire

/// One addition on the way up from a leaf: the sum so far and its sibling, in the tree's order, give the parent's sum.
public struct ClimbStep: Hashable, Sendable {
  /// The other part, which the driver has kept.
  public let sibling: Subtree
  /// Whether the sibling is the left operand.
  public let siblingIsLeft: Bool
  /// The sum's leaves.
  public let parent: Subtree
}

/// A leaf to compute, and what its gradient is to be added to, bucket by bucket.
public struct LeafTask: Hashable, Sendable {
  /// The pass.
  public let pass: Pass
  /// The leaf.
  public let leaf: Int
  /// Additions, in order; empty: the leaf itself is the result.
  public let climb: [ClimbStep]
  /// The subtree whose sum comes out.
  public let result: Subtree
  /// Whether each bucket is sent as soon as it is ready; otherwise the sum waits for its sibling.
  public let isReleased: Bool
}

/// A worker's sums of one pass, by name: which leaves are still to be computed, which sums wait for their sibling, and
/// what can be released because no larger subtree of the assignment can contain it. A binary counter, in effect.
struct LeafSums {
  let pass: Pass
  let tree: CanonicalTree
  /// The plan's leaves.
  private(set) var assigned: Set<Int> = []
  /// Leaves to compute, in order.
  private(set) var remaining: [Int] = []
  private var remainingSet: Set<Int> = []
  /// Leaves that are in some sum, kept or released.
  private var computed: Set<Int> = []
  /// Sums that wait for their sibling.
  private(set) var held: Set<Subtree> = []
  /// What the engine is working on.
  private(set) var current: LeafTask?

  init(pass: Pass, leafCount: Int) {
    self.pass = pass
    tree = CanonicalTree(leafCount: leafCount)
  }

  /// Takes over a plan; leaves out of the tree are left out.
  mutating func assign(_ leaves: [Int]) {
    assigned = Set(leaves.filter { $0 >= 0 && $0 < tree.leafCount })
    remaining = assigned.filter { !computed.contains($0) && $0 != current?.leaf }.sorted()
    remainingSet = Set(remaining)
  }

  /// Begins the next leaf.
  mutating func beginNext() -> LeafTask? {
    guard current == nil, let leaf = remaining.first else { return nil }
    remaining.removeFirst()
    remainingSet.remove(leaf)
    var sum = Subtree(leaf: leaf)
    var climb: [ClimbStep] = []
    while let (parent, sibling, isLeft) = tree.parent(of: sum), held.contains(sibling) {
      held.remove(sibling)
      climb.append(ClimbStep(sibling: sibling, siblingIsLeft: !isLeft, parent: parent))
      sum = parent
    }
    let task = LeafTask(pass: pass, leaf: leaf, climb: climb, result: sum, isReleased: !canGrow(sum))
    current = task
    return task
  }

  /// The current leaf is computed.
  mutating func finishCurrent() {
    guard let task = current else { return }
    current = nil
    computed.insert(task.leaf)
    if !task.isReleased { held.insert(task.result) }
  }

  /// Sums that need not wait any longer, and sums that nobody wants any more.
  mutating func settle() -> (released: [Subtree], dropped: [Subtree]) {
    var (released, dropped): ([Subtree], [Subtree]) = ([], [])
    for sum in held.sorted() {
      if (sum.lower..<sum.upper).allSatisfy({ !assigned.contains($0) }) {
        dropped.append(sum)
        computed.subtract(sum.lower..<sum.upper)
      } else if !canGrow(sum) {
        released.append(sum)
      }
    }
    held.subtract(released)
    held.subtract(dropped)
    return (released, dropped)
  }

  /// Whether all leaves of the sibling will be added here: they are to be computed, or wait in sums.
  private func canGrow(_ sum: Subtree) -> Bool {
    guard let (_, sibling, _) = tree.parent(of: sum) else { return false }
    var leaf = sibling.lower
    while leaf < sibling.upper {
      if remainingSet.contains(leaf) {
        leaf += 1
      } else if let task = current, !task.isReleased, task.result.contains(Subtree(leaf: leaf)),
        sibling.contains(task.result)
      {
        leaf = task.result.upper
      } else if let part = held.first(where: { $0.contains(Subtree(leaf: leaf)) && sibling.contains($0) }) {
        leaf = part.upper
      } else {
        return false
      }
    }
    return true
  }
}
