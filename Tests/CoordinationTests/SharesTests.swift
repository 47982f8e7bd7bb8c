import Lockstep
import Testing

@testable import Coordination

@Suite struct SharesTests {
  private func counts(_ leaves: Int, _ seconds: [Double]) -> [Int] {
    Shares(of: CanonicalTree(leafCount: leaves)).divided(amongWorkersWith: seconds).map {
      $0.reduce(0) { $0 + $1.leafCount }
    }
  }

  /// PROTOCOL.md §5: of 32 leaves three workers have at most 12, in two subtrees; 11 would need three subtrees.
  @Test func equalWorkersShareAsEvenlyAsTwoSubtreesAllow() {
    #expect(counts(32, [1, 1, 1]).max() == 12)
    #expect(counts(8, [1, 1, 1]) == [3, 3, 2])
    #expect(counts(32, [1, 1, 1, 1]) == [8, 8, 8, 8])
    #expect(counts(7, [1]) == [7])
  }

  @Test func fasterWorkersGetMore() {
    #expect(counts(12, [1, 2]) == [8, 4])
    // 13 + 13 + 6 would need three subtrees each; nothing ends before 16 with two.
    let three = counts(32, [1, 1, 2])
    #expect(max(three[0], three[1], 2 * three[2]) == 16)
    // Any leaf would take the slow one longer than all of them take the fast one.
    #expect(counts(8, [1, 100]) == [8, 0])
  }

  @Test func withFewerLeavesThanWorkersSomeGetNone() {
    #expect(counts(2, [3, 1, 1, 3]) == [0, 1, 1, 0])
    #expect(counts(1, [0.5, 0.25]) == [0, 1])
  }

  @Test func everyLeafIsGivenOnceInAtMostTwoSubtrees() {
    var random = SeededGenerator(seed: 5)
    for _ in 0..<2000 {
      let tree = CanonicalTree(leafCount: Int.random(in: 1...70, using: &random))
      let seconds = (0..<Int.random(in: 1...9, using: &random)).map { _ in Double.random(in: 0.01...4, using: &random) }
      let shares = Shares(of: tree).divided(amongWorkersWith: seconds)
      #expect(shares.allSatisfy { $0.count <= 2 && $0.allSatisfy(tree.contains) })
      #expect(shares.joined().flatMap { Array($0.lower..<$0.upper) }.sorted() == Array(0..<tree.leafCount))
      let longest = zip(shares, seconds).map { $1 * Double($0.reduce(0) { $0 + $1.leafCount }) }.max() ?? 0
      #expect(longest <= Double(tree.leafCount) * (seconds.min() ?? 0) * 1.000001)
    }
  }

  /// Against exhaustive search over all ways to give two workers at most two subtrees each.
  @Test func twoWorkersGetNearlyTheBestDivisionThereIs() {
    for leaves in 1...14 {
      let tree = CanonicalTree(leafCount: leaves)
      for slowness in [1.0, 1.7, 3] {
        var best = Double.infinity
        for mask in 0..<(1 << leaves) {
          let first = Set((0..<leaves).filter { mask >> $0 & 1 == 1 })
          let second = Set(0..<leaves).subtracting(first)
          let time = max(Double(first.count), Double(second.count) * slowness)
          if time >= best || tree.maximalSubtrees(of: first).count > 2 || tree.maximalSubtrees(of: second).count > 2 {
            continue
          }
          best = time
        }
        let found = counts(leaves, [1, slowness])
        #expect(max(Double(found[0]), Double(found[1]) * slowness) <= best * 1.34, "\(leaves) leaves, \(slowness)")
      }
    }
  }
}
