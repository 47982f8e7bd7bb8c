import Lockstep

/// Divides a tree's leaves among workers: at most two subtrees each, since each costs a whole gradient's bytes.
///
/// The largest expected time of a worker is made small: for a time limit T worker i could do ⌊T / seconds per leaf⌋
/// leaves; the limit is feasible if handing out subtrees greedily uses up the tree; the smallest feasible limit is
/// found by bisection. Handing out goes by descending capacity, in two rounds: each worker takes the largest subtree
/// that fits it, cut off the smallest free part that has one. The fastest worker alone can always do everything, so an
/// answer exists. Of 32 leaves three equal workers get 12, 12 and 8. Transfer times are not looked at.
public struct Shares {
  /// The tree.
  public let tree: CanonicalTree

  /// Shares of a tree.
  public init(of tree: CanonicalTree) { self.tree = tree }

  /// One list of subtrees, perhaps empty, for each worker.
  ///
  /// - Parameter secondsPerLeaf: what a leaf is expected to take each worker; positive.
  public func divided(amongWorkersWith secondsPerLeaf: [Double]) -> [[Subtree]] {
    precondition(!secondsPerLeaf.isEmpty && secondsPerLeaf.allSatisfy { $0 > 0 && $0.isFinite }, "workers have speeds")
    let leaves = Double(tree.leafCount)
    let fastest = secondsPerLeaf.min() ?? 1
    var enough = leaves * fastest
    var tooLittle = leaves / secondsPerLeaf.reduce(0) { $0 + 1 / $1 } * 0.5
    // Rounding of T / s must not cost the fastest worker its last leaf.
    var best = handedOut(capacities: secondsPerLeaf.map { $0 == fastest ? tree.leafCount : Self.capacity(enough, $0) })
    // 24 halvings: shares differ by whole leaves, so a relative precision of 1e-7 is plenty.
    for _ in 0..<24 {
      let limit = (enough + tooLittle) / 2
      if let shares = handedOut(capacities: secondsPerLeaf.map { Self.capacity(limit, $0) }) {
        best = shares
        enough = limit
      } else {
        tooLittle = limit
      }
    }
    guard let best else { preconditionFailure("the fastest worker can do everything") }
    return best
  }

  private static func capacity(_ limit: Double, _ secondsPerLeaf: Double) -> Int {
    Int(min(limit / secondsPerLeaf, 1e9))
  }

  /// Greedy; nil if leaves are left over.
  private func handedOut(capacities: [Int]) -> [[Subtree]]? {
    guard capacities.reduce(0, { min($0 + $1, 1 << 40) }) >= tree.leafCount else { return nil }
    var free = [tree.root]
    var rest = capacities
    var shares = [[Subtree]](repeating: [], count: capacities.count)
    for _ in 0..<2 {
      for worker in rest.indices.sorted(by: { rest[$0] == rest[$1] ? $0 < $1 : rest[$0] > rest[$1] }) {
        guard let taken = takeLargest(atMost: rest[worker], from: &free) else { continue }
        shares[worker].append(taken)
        rest[worker] -= taken.leafCount
      }
    }
    return free.isEmpty ? shares.map { $0.sorted() } : nil
  }

  /// Cuts the largest subtree of at most `capacity` leaves out of the smallest free part that has one so large.
  private func takeLargest(atMost capacity: Int, from free: inout [Subtree]) -> Subtree? {
    guard capacity > 0 else { return nil }
    var choice: (part: Int, subtree: Subtree)?
    for (index, part) in free.enumerated() {
      let subtree = largest(atMost: capacity, in: part)
      guard let best = choice else { choice = (index, subtree); continue }
      if subtree.leafCount > best.subtree.leafCount
        || (subtree.leafCount == best.subtree.leafCount && part.leafCount < free[best.part].leafCount)
      {
        choice = (index, subtree)
      }
    }
    guard let choice else { return nil }
    var part = free.remove(at: choice.part)
    while part != choice.subtree, let children = tree.children(of: part) {
      let inLeft = children.left.contains(choice.subtree)
      free.append(inLeft ? children.right : children.left)
      part = inLeft ? children.left : children.right
    }
    return choice.subtree
  }

  private func largest(atMost capacity: Int, in part: Subtree) -> Subtree {
    guard part.leafCount > capacity, let children = tree.children(of: part) else { return part }
    let left = largest(atMost: capacity, in: children.left)
    // A part of 2^k leaves has only parts of 2^j, and its left half has them all.
    if part.leafCount & (part.leafCount - 1) == 0 { return left }
    let right = largest(atMost: capacity, in: children.right)
    return right.leafCount > left.leafCount ? right : left
  }
}
