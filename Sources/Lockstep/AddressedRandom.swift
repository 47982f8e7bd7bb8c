/// What random numbers are drawn for; two purposes never share a number.
public enum RandomPurpose: UInt8, Sendable, CaseIterable {
  /// The order of the samples in an epoch.
  case permutation = 1
  /// Crop, flip and the like, of one sample.
  case augmentation = 2
  /// Dropout masks, of one layer and sample.
  case dropout = 3
  /// Initial weights, of one tensor.
  case initialization = 4
  /// The pictures of the synthetic dataset.
  case synthesis = 5
  /// Which samples a dataset's fingerprint reads.
  case fingerprint = 6
}

/// Random numbers that are addressed, not drawn: the same address gives the same numbers on every host, in any order.
///
/// The generator is Philox4x32-10. The key is the seed; the counter is (block, purpose and layer, epoch, index), so one
/// address has 2^32 blocks of four 32-bit numbers.
///
/// - Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
public struct AddressedRandom: Sendable {
  /// The seed's halves, the lower first.
  public let key: (UInt32, UInt32)
  /// The address, as the counter's words after the block: the purpose in the highest byte and the layer below it; the epoch;
  /// the index.
  public let stream, epoch, index: UInt32
  private var block: UInt32 = 0
  private var buffer: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
  private var used = 4

  /// Opens the sequence at an address.
  ///
  /// - Parameters:
  ///   - layer: which of several users of one purpose, below 2^24 (a dropout layer, a tensor).
  ///   - index: a sample's index in its dataset, or whatever else the purpose counts; below 2^32.
  public init(seed: UInt64, purpose: RandomPurpose, layer: Int = 0, epoch: Int = 0, index: Int = 0) {
    precondition(layer >= 0 && layer < 1 << 24, "a layer is a 24-bit number")
    precondition(epoch >= 0 && epoch <= UInt32.max && index >= 0 && index <= UInt32.max, "addresses are 32-bit numbers")
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    stream = UInt32(purpose.rawValue) << 24 | UInt32(layer)
    self.epoch = UInt32(epoch)
    self.index = UInt32(index)
  }

  /// The next 32 random bits.
  public mutating func next() -> UInt32 {
    if used == 4 {
      buffer = Self.philox((block, stream, epoch, index), key: key)
      block &+= 1
      used = 0
    }
    defer { used += 1 }
    switch used {
    case 0: return buffer.0
    case 1: return buffer.1
    case 2: return buffer.2
    default: return buffer.3
    }
  }

  /// A number in [0, 1), a multiple of 2^-24: exact as a Float.
  public mutating func uniformFloat() -> Float { Float(next() >> 8) * 0x1p-24 }

  /// A number in [0, 1), a multiple of 2^-53.
  public mutating func uniform() -> Double {
    let high = UInt64(next()), low = UInt64(next())
    return Double((high << 32 | low) >> 11) * 0x1p-53
  }

  /// A number in [lower, upper).
  public mutating func uniform(_ lower: Double, _ upper: Double) -> Double { lower + (upper - lower) * uniform() }

  /// An integer in 0..<bound. The bias, below bound / 2^64, is of no consequence.
  public mutating func integer(below bound: Int) -> Int {
    precondition(bound > 0, "an empty range has no member")
    let high = UInt64(next()), low = UInt64(next())
    return Int((high << 32 | low).multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// What a round multiplies the first and the third word by.
  @inlinable public static var multipliers: (UInt64, UInt64) { (0xD251_1F53, 0xCD9E_8D57) }
  /// What a round adds to the key.
  @inlinable public static var keyIncrements: (UInt32, UInt32) { (0x9E37_79B9, 0xBB67_AE85) }

  /// Philox4x32 with ten rounds.
  static func philox(_ counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)) -> (
    UInt32, UInt32, UInt32, UInt32
  ) {
    var (x, k) = (counter, key)
    for _ in 0..<10 {
      let a = UInt64(x.0) &* multipliers.0, b = UInt64(x.2) &* multipliers.1
      x = (
        UInt32(b >> 32) ^ x.1 ^ k.0, UInt32(truncatingIfNeeded: b), UInt32(a >> 32) ^ x.3 ^ k.1,
        UInt32(truncatingIfNeeded: a)
      )
      k = (k.0 &+ keyIncrements.0, k.1 &+ keyIncrements.1)
    }
    return x
  }
}
