import Testing

@testable import Lockstep

@Suite struct AddressedRandomTests {
  /// Known answers of philox4x32-10, from the file kat_vectors of Random123 (Salmon et al., SC 2011).
  @Test func knownAnswers() {
    typealias Words = (UInt32, UInt32, UInt32, UInt32)
    let zeros = AddressedRandom.philox((0, 0, 0, 0), key: (0, 0))
    #expect(zeros == (0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8) as Words)
    let ones = AddressedRandom.philox((.max, .max, .max, .max), key: (.max, .max))
    #expect(ones == (0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD) as Words)
    let pi = AddressedRandom.philox(
      (0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344), key: (0xA409_3822, 0x299F_31D0))
    #expect(pi == (0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1) as Words)
  }

  /// An address's numbers, from Philox written in Python:
  /// philox([block, 2 << 24 | 5, 3, 77], [seed & 0xffffffff, seed >> 32]) for blocks 0 and 1, seed 0x0123456789ABCDEF.
  @Test func addresses() {
    var random = AddressedRandom(seed: 0x0123_4567_89AB_CDEF, purpose: .augmentation, layer: 5, epoch: 3, index: 77)
    let expected: [UInt32] = [
      0x0315_0BB4, 0xDF94_0A8D, 0x394A_34E0, 0x922C_AC9E, 0xAE1E_0729, 0x7E9D_3158, 0x71F3_21CB, 0xD028_D91F,
    ]
    for word in expected { #expect(random.next() == word) }
  }

  @Test func derivedNumbersComeFromTheSameBits() {
    let start = AddressedRandom(seed: 0x0123_4567_89AB_CDEF, purpose: .augmentation, layer: 5, epoch: 3, index: 77)
    var float = start, double = start, integer = start, bounded = start
    #expect(float.uniformFloat() == Float(0x03150B) / 0x1p24)
    #expect(double.uniform() == Double(0x0315_0BB4_DF94_0A8D >> 11) / 0x1p53)
    #expect(bounded.uniform(-2, 2) == -2 + 4 * (Double(0x0315_0BB4_DF94_0A8D >> 11) / 0x1p53))
    // 0x03150BB4DF940A8D · 1000 / 2^64 = 12.04…
    #expect(integer.integer(below: 1000) == 12)
  }

  /// Every part of an address changes the numbers, and the purposes are all different.
  @Test func addressesDoNotOverlap() {
    var firsts: Set<[UInt32]> = []
    var count = 0
    func add(_ random: AddressedRandom) {
      var random = random
      firsts.insert([random.next(), random.next(), random.next(), random.next()])
      count += 1
    }
    for purpose in RandomPurpose.allCases {
      for layer in [0, 1, 1 << 24 - 1] {
        for epoch in [0, 1, Int(UInt32.max)] {
          for index in [0, 1, Int(UInt32.max)] {
            for seed in [UInt64(0), 1, 1 << 32, .max] {
              add(AddressedRandom(seed: seed, purpose: purpose, layer: layer, epoch: epoch, index: index))
            }
          }
        }
      }
    }
    #expect(firsts.count == count)
  }

  /// The mean of n uniform numbers has the standard deviation 1 / sqrt(12 n); six of them are allowed.
  @Test func uniformNumbersAreUniform() {
    let n = 100_000
    var outside = 0
    var floats = 0.0, doubles = 0.0
    var buckets = [Int](repeating: 0, count: 10)
    var random = AddressedRandom(seed: 7, purpose: .synthesis)
    for _ in 0..<n {
      let float = random.uniformFloat(), double = random.uniform(), integer = random.integer(below: 10)
      if !(0..<1).contains(float) || !(0..<1).contains(double) { outside += 1 }
      floats += Double(float)
      doubles += double
      buckets[integer] += 1
    }
    #expect(outside == 0)
    let allowed = 6 / (12 * Double(n)).squareRoot()
    #expect(abs(floats / Double(n) - 0.5) < allowed && abs(doubles / Double(n) - 0.5) < allowed)
    // Six standard deviations of a binomial distribution with p = 0.1.
    for bucket in buckets { #expect(abs(Double(bucket) - 0.1 * Double(n)) < 6 * (0.09 * Double(n)).squareRoot()) }
  }
}
