import Testing

@testable import Lockstep

@Suite struct CanonicalTreeTests {
  /// RFC 6962, section 2.1.3: the tree over seven leaves is ((d0 d1)(d2 d3))((d4 d5) d6).
  @Test func shapesOfTheRFC() throws {
    #expect(shape(7) == "(((0 1)(2 3))((4 5)6))")
    #expect(shape(1) == "0")
    #expect(shape(2) == "(0 1)")
    #expect(shape(3) == "((0 1)2)")
    #expect(shape(4) == "((0 1)(2 3))")
    #expect(shape(5) == "(((0 1)(2 3))4)")
    #expect(shape(6) == "(((0 1)(2 3))(4 5))")
    #expect(shape(9) == "((((0 1)(2 3))((4 5)(6 7)))8)")
  }

  private func shape(_ count: Int) -> String {
    let tree = CanonicalTree(leafCount: count)
    func text(_ subtree: Subtree) -> String {
      guard let (left, right) = tree.children(of: subtree) else { return "\(subtree.lower)" }
      let a = text(left), b = text(right)
      return "(\(a)\(a.hasSuffix(")") || b.hasPrefix("(") ? "" : " ")\(b))"
    }
    return text(tree.root)
  }

  /// Every subtree of a tree, straight from the definition: split at the largest power of two below n.
  private func allSubtrees(_ lower: Int, _ upper: Int) -> [(Int, Int)] {
    let count = upper - lower
    guard count > 1 else { return [(lower, upper)] }
    let half = [1, 2, 4, 8, 16, 32, 64].last { $0 < count } ?? 1
    return [(lower, upper)] + allSubtrees(lower, lower + half) + allSubtrees(lower + half, upper)
  }

  @Test func membershipIsExact() {
    for count in 1...40 {
      let tree = CanonicalTree(leafCount: count)
      let subtrees = Set(allSubtrees(0, count).map { Subtree($0.0, $0.1) })
      #expect(subtrees.count == 2 * count - 1)
      for lower in 0..<count + 2 {
        for upper in lower + 1..<count + 4 {
          let subtree = Subtree(lower, upper)
          #expect(tree.contains(subtree) == subtrees.contains(subtree))
        }
      }
    }
  }

  @Test func subtreesAreNestedOrDisjoint() {
    for count in 1...40 {
      let subtrees = allSubtrees(0, count).map { Subtree($0.0, $0.1) }
      for a in subtrees {
        #expect(subtrees.allSatisfy { b in a.contains(b) || b.contains(a) || a.upper <= b.lower || b.upper <= a.lower })
      }
    }
  }

  @Test func parentsAndChildrenAgree() throws {
    for count in 1...40 {
      let tree = CanonicalTree(leafCount: count)
      #expect(tree.parent(of: tree.root) == nil)
      for (lower, upper) in allSubtrees(0, count) {
        let subtree = Subtree(lower, upper)
        guard let (left, right) = tree.children(of: subtree) else {
          #expect(subtree.leafCount == 1)
          continue
        }
        #expect(
          left.lower == lower && left.upper == right.lower && right.upper == upper && left.leafCount >= right.leafCount)
        let above = try #require(tree.parent(of: left))
        #expect(above.parent == subtree && above.sibling == right && above.isLeft)
        let other = try #require(tree.parent(of: right))
        #expect(other.parent == subtree && other.sibling == left && !other.isLeft)
      }
    }
    #expect(CanonicalTree(leafCount: 7).parent(of: Subtree(1, 3)) == nil)
    #expect(CanonicalTree(leafCount: 7).parent(of: Subtree(6, 8)) == nil)
  }

  /// Against all subsets of small trees: exactly those leaves, in order, and no two that could be one.
  @Test func maximalSubtreesAreFewest() {
    for count in 1...10 {
      let tree = CanonicalTree(leafCount: count)
      for bits in 0..<1 << count {
        let leaves = Set((0..<count).filter { bits >> $0 & 1 == 1 })
        let cover = tree.maximalSubtrees(of: leaves)
        #expect(cover.flatMap { Array($0.lower..<$0.upper) } == leaves.sorted())
        #expect(cover.allSatisfy { tree.contains($0) })
        for subtree in cover {
          if let (parent, _, _) = tree.parent(of: subtree) {
            #expect(!leaves.isSuperset(of: Set(parent.lower..<parent.upper)))
          }
        }
      }
    }
  }

  @Test func leavesOutsideATreeAreIgnored() {
    #expect(CanonicalTree(leafCount: 4).maximalSubtrees(of: [2, 3, 4, 100]) == [Subtree(2, 4)])
  }
}
