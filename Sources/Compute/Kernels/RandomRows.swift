import Lockstep

/// The numbers of an `AddressedRandom` from its first on, in rows of 16. Eight of its blocks are made at a time, whose words
/// are in lanes that have room for a product of two.
struct RandomRows {
  private typealias Words = SIMD8<UInt64>

  private let random: AddressedRandom

  /// - Parameter random: from which nothing has been drawn.
  init(_ random: AddressedRandom) { self.random = random }

  /// Calls a body with the 32 bits of 16 numbers, of the next 16, and so on.
  @inline(__always)
  func forEach(_ rows: Int, _ body: (_ row: Int, _ numbers: SIMD16<UInt32>) -> Void) {
    withUnsafeTemporaryAllocation(of: Words.self, capacity: 2) { words in
      guard let words = words.baseAddress else { return }
      for first in stride(from: 0, to: rows, by: 2) {
        write(first / 2, into: words)
        for row in first..<min(rows, first + 2) {
          @inline(__always) func quarter(_ pair: Int) -> SIMD4<UInt64> {
            row == first ? words[pair].lowHalf : words[pair].highHalf
          }
          var numbers = Words.zero
          (numbers.evenHalf, numbers.oddHalf) = (quarter(0), quarter(1))
          body(row, unsafeBitCast(numbers, to: SIMD16<UInt32>.self))
        }
      }
    }
  }

  /// Eight blocks: the first two words of each, and the others.
  ///
  /// Not inlined: the compiler would bring the words into their final order before the rounds, each of which would then take
  /// them apart again.
  ///
  /// - Source: as `AddressedRandom`, whose rounds these are.
  @inline(never)
  private func write(_ index: Int, into words: UnsafeMutablePointer<Words>) {
    let low = Words(repeating: UInt64(UInt32.max))
    var x0 = Words(0, 1, 2, 3, 4, 5, 6, 7) &+ Words(repeating: UInt64(8 * index))
    var x1 = Words(repeating: UInt64(random.stream)), x2 = Words(repeating: UInt64(random.epoch))
    var x3 = Words(repeating: UInt64(random.index)), key = random.key
    for _ in 0..<10 {
      // What is above the low 32 bits of a word is of no meaning, and no multiplication looks at it.
      let a = (x0 & low) &* AddressedRandom.multipliers.0, b = (x2 & low) &* AddressedRandom.multipliers.1
      x0 = (b &>> 32) ^ x1 ^ Words(repeating: UInt64(key.0))
      x2 = (a &>> 32) ^ x3 ^ Words(repeating: UInt64(key.1))
      (x1, x3) = (b, a)
      key = (key.0 &+ AddressedRandom.keyIncrements.0, key.1 &+ AddressedRandom.keyIncrements.1)
    }
    words[0] = (x0 & low) | (x1 &<< 32)
    words[1] = (x2 & low) | (x3 &<< 32)
  }
}
