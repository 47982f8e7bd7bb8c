/// A pseudo-random permutation of 0..<count that is computed element by element, never stored.
///
/// A balanced Feistel network of eight rounds over the smallest even number of bits that holds `count`, its round function
/// Philox; values outside 0..<count are walked on until they fall inside (fewer than four steps on average).
///
/// - Source: Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002 (cycle walking).
public struct Permutation: Sendable {
  /// How many elements are permuted.
  public let count: Int
  private let halfBits: UInt64
  private let keys: [UInt32]

  /// The order of `count` samples in one epoch.
  public init(count: Int, seed: UInt64, epoch: Int) {
    precondition(count > 0 && count <= UInt32.max, "a dataset has between 1 and 2^32 - 1 samples")
    self.count = count
    let bits = max(2, Int.bitWidth - (count - 1).leadingZeroBitCount)
    halfBits = UInt64((bits + 1) / 2)
    var random = AddressedRandom(seed: seed, purpose: .permutation, epoch: epoch)
    keys = (0..<8).map { _ in random.next() }
  }

  /// Which element stands at `position`.
  public subscript(position: Int) -> Int {
    precondition(position >= 0 && position < count, "a position lies inside the permutation")
    var value = UInt64(position)
    repeat { value = encrypt(value) } while value >= UInt64(count)
    return Int(value)
  }

  private func encrypt(_ value: UInt64) -> UInt64 {
    let mask = (UInt64(1) << halfBits) - 1
    var left = value >> halfBits, right = value & mask
    for key in keys {
      let mixed = AddressedRandom.philox((UInt32(right), key, 0, 0), key: (key, 0x5045_524D)).0
      (left, right) = (right, left ^ (UInt64(mixed) & mask))
    }
    return left << halfBits | right
  }
}
