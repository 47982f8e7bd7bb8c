import Lockstep
import Testing

@testable import Training

@Suite struct TreeSumTests {
  /// Symbols instead of numbers: any wrong pair or order shows.
  private func symbol(_ tree: CanonicalTree, _ subtree: Subtree) -> String {
    guard let parts = tree.children(of: subtree) else { return "\(subtree.lower)" }
    return "(\(symbol(tree, parts.left))+\(symbol(tree, parts.right)))"
  }

  @Test(arguments: 1...19) func theSamePairsAreAddedInWhateverOrder(leaves: Int) {
    let tree = CanonicalTree(leafCount: leaves)
    for round in 0..<10 {
      let order = Permutation(count: leaves, seed: UInt64(round), epoch: 0)
      var sum = TreeSum<String>(tree) { "(\($0)+\($1))" }
      for position in 0..<leaves {
        #expect(sum.root == nil)
        sum.insert("\(order[position])", at: Subtree(leaf: order[position]))
      }
      #expect(sum.root == symbol(tree, tree.root))
    }
  }

  @Test func sevenLeavesByHand() {
    var sum = TreeSum<String>(CanonicalTree(leafCount: 7)) { "(\($0)+\($1))" }
    sum.insert("ab", at: Subtree(4, 6))
    sum.insert("x", at: Subtree(0, 4))
    sum.insert("c", at: Subtree(leaf: 6))
    #expect(sum.root == "(x+(ab+c))")
  }
}
