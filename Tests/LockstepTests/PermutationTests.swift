import Testing

@testable import Lockstep

@Suite struct PermutationTests {
  @Test func isABijection() {
    for count in Array(1...260) + [1000, 4095, 4096, 4097, 50_000, 65_537] {
      let permutation = Permutation(count: count, seed: 3, epoch: 1)
      var seen = [Bool](repeating: false, count: count)
      for position in 0..<count { seen[permutation[position]] = true }
      #expect(seen.allSatisfy { $0 }, "of \(count) elements")
    }
  }

  /// From the definition, written in Python: eight Feistel rounds over (n − 1).bit_length() bits rounded up to an even number,
  /// l, r = r, l ^ (philox([r, k, 0, 0], [k, 0x5045524D])[0] & mask), keys from the permutation's address, cycle walking.
  @Test func goldenOrders() {
    func order(_ count: Int, _ seed: UInt64, _ epoch: Int) -> [Int] {
      let permutation = Permutation(count: count, seed: seed, epoch: epoch)
      return (0..<count).map { permutation[$0] }
    }
    #expect(order(10, 1, 0) == [8, 9, 5, 3, 2, 6, 0, 4, 1, 7])
    #expect(order(10, 1, 1) == [6, 3, 1, 2, 8, 9, 4, 0, 5, 7])
    #expect(order(16, 0x0123_4567_89AB_CDEF, 4) == [9, 12, 3, 6, 11, 2, 13, 8, 15, 0, 1, 7, 14, 5, 10, 4])
    #expect(Array(order(50_000, 0, 0).prefix(6)) == [3271, 43931, 1528, 8631, 49296, 32631])
  }

  @Test func epochsAndSeedsHaveOrdersOfTheirOwn() {
    var orders: Set<[Int]> = []
    for seed in [UInt64(0), 1, 1 << 40] {
      for epoch in 0..<20 {
        let permutation = Permutation(count: 100, seed: seed, epoch: epoch)
        orders.insert((0..<100).map { permutation[$0] })
      }
    }
    #expect(orders.count == 60)
  }

  /// Fixed points of a random permutation: one on average, whatever its size.
  @Test func ordersLookRandom() {
    var fixed = 0
    for epoch in 0..<400 {
      let permutation = Permutation(count: 100, seed: 5, epoch: epoch)
      fixed += (0..<100).count { permutation[$0] == $0 }
    }
    // Mean 400, standard deviation 20.
    #expect(abs(fixed - 400) < 120)
  }

  @Test func largeDatasets() {
    let permutation = Permutation(count: Int(UInt32.max), seed: 9, epoch: 2)
    let values = Set((0..<1000).map { permutation[$0 * 4_294_967] })
    #expect(values.count == 1000 && values.allSatisfy { $0 >= 0 && $0 < Int(UInt32.max) })
  }
}
