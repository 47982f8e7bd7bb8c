import CXXHash

/// A 128-bit XXH3 digest: a checksum against damage, not against an adversary.
///
/// - Source: XXH3-128, seed 0, canonical (big-endian) byte order.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
  /// The first eight canonical bytes.
  public let high: UInt64
  /// The last eight canonical bytes.
  public let low: UInt64

  /// Assembles a digest from its two halves, as read from a message.
  public init(high: UInt64, low: UInt64) {
    (self.high, self.low) = (high, low)
  }

  /// The digest of some bytes.
  public init(of bytes: UnsafeRawBufferPointer) {
    let hash = XXH3_128bits(bytes.baseAddress, bytes.count)
    self.init(high: hash.high64, low: hash.low64)
  }

  /// The digest of some bytes.
  public init(of bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { Digest(of: $0) }
  }

  /// Reads 32 lower-case hexadecimal digits; nil for anything else.
  public init?(hex: String) {
    let digits = Array(hex.utf8)
    guard digits.count == 32, digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }),
      let high = UInt64(hex.prefix(16), radix: 16), let low = UInt64(hex.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }

  /// 32 lower-case hexadecimal digits.
  public var hex: String { Self.digits(high) + Self.digits(low) }

  public var description: String { hex }

  /// The 16 bytes of the canonical form.
  public var canonicalBytes: [UInt8] {
    [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
  }

  private static func digits(_ word: UInt64) -> String {
    let text = String(word, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}

/// The 64-bit XXH3 checksum that ends every message.
public func checksum64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  XXH3_64bits(bytes.baseAddress, bytes.count)
}
