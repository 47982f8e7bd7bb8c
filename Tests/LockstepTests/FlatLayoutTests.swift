import Testing

@testable import Lockstep

@Suite struct FlatLayoutTests {
  /// Units laid out one by one, and put into buckets while they fit.
  private func referenceBuckets(_ sizes: [Int]) -> [Range<Int>] {
    var units: [Range<Int>] = []
    var start = 0
    for size in sizes {
      for offset in stride(from: 0, to: size, by: 16_384) {
        units.append(start + offset..<start + min(size, offset + 16_384))
      }
      start += size
    }
    var buckets: [Range<Int>] = []
    for unit in units {
      if let last = buckets.last, unit.upperBound - last.lowerBound <= 262_144 {
        buckets[buckets.count - 1] = last.lowerBound..<unit.upperBound
      } else {
        buckets.append(unit)
      }
    }
    return buckets
  }

  @Test func agreesWithUnitsLaidOutOneByOne() {
    for index in 0..<200 {
      var random = AddressedRandom(seed: 1, purpose: .synthesis, index: index)
      let sizes = (0...random.integer(below: 30)).map { _ in
        1 + random.integer(below: [10, 20_000, 300_000, 1_000_000][random.integer(below: 4)])
      }
      let layout = FlatLayout(tensorSizes: sizes)
      #expect(layout.count == sizes.reduce(0, +))
      #expect(layout.buckets == referenceBuckets(sizes))
      #expect(layout.buckets.allSatisfy { !$0.isEmpty && $0.count <= FlatLayout.bucketSize })
    }
  }

  @Test func edges() {
    #expect(FlatLayout(tensorSizes: []).buckets == [] && FlatLayout(tensorSizes: []).count == 0)
    #expect(FlatLayout(tensorSizes: [262_144]).buckets == [0..<262_144])
    #expect(FlatLayout(tensorSizes: [262_144, 1]).buckets == [0..<262_144, 262_144..<262_145])
    #expect(FlatLayout(tensorSizes: [262_145]).buckets == [0..<262_144, 262_144..<262_145])
    // 1 + 15 · 16,384 fit together; a sixteenth unit of 16,384 would be one element too many.
    #expect(FlatLayout(tensorSizes: [1, 16 * 16_384]).buckets == [0..<245_761, 245_761..<262_145])
  }
}
