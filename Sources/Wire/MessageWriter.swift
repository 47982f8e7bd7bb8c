import Lockstep

/// Writes a message: the envelope, then fields, then the checksum.
///
/// A value outside its bounds is a bug of ours and traps; texts for people are made to fit instead.
struct MessageWriter {
  private(set) var bytes: [UInt8] = []

  /// Writes the envelope.
  init(_ kind: MessageKind, _ envelope: Envelope, version: UInt16 = protocolVersion) {
    bytes.reserveCapacity(128)
    bytes += Envelope.magic
    write(version)
    write(kind.rawValue)
    write(envelope.runID.bits)
    write(envelope.term)
  }

  /// Writes the checksum of everything before it.
  mutating func finish() -> [UInt8] {
    write(bytes.withUnsafeBytes { checksum64($0) })
    return bytes
  }

  /// A little-endian number.
  mutating func write(_ value: some FixedWidthInteger & Sendable) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  /// A number whose bounds are checked; `Field` is its width on the wire.
  mutating func write<Field: FixedWidthInteger & UnsignedInteger & Sendable>(
    _ value: Int, as _: Field.Type, in range: ClosedRange<Int>, _ name: StaticString
  ) {
    precondition(range.contains(value), "\(name) \(value) is not in \(range)")
    write(Field(value))
  }

  /// A number that is counted up from 0 without a bound, in 8 bytes.
  mutating func writeCount(_ value: Int, _ name: StaticString) {
    precondition(value >= 0, "\(name) \(value) is negative")
    write(UInt64(value))
  }

  /// The bits of a number.
  mutating func write(_ value: Double) { write(value.bitPattern) }

  /// 16 bytes in canonical form, the order in which hexadecimal digits are written.
  mutating func write(_ digest: Digest) { bytes += digest.canonicalBytes }

  /// A byte that says whether a value follows.
  mutating func writePresence(_ isPresent: Bool) { write(UInt8(isPresent ? 1 : 0)) }

  /// A text that a program reads: 2 bytes of length, then UTF-8.
  mutating func write(_ text: String, limit: Int, _ name: StaticString) {
    let utf8 = Array(text.utf8)
    precondition(utf8.count <= limit, "\(name) has \(utf8.count) bytes, more than \(limit)")
    precondition(text.unicodeScalars.allSatisfy { !$0.isControl }, "\(name) has control characters")
    write(UInt16(utf8.count))
    bytes += utf8
  }

  /// A text for people: control characters become spaces, and what exceeds the limit is cut off between characters.
  mutating func writeProse(_ text: String, limit: Int) {
    var utf8: [UInt8] = []
    for scalar in text.unicodeScalars {
      let next = Array(String(scalar.isControl ? " " : scalar).utf8)
      if utf8.count + next.count > limit { break }
      utf8 += next
    }
    write(UInt16(utf8.count))
    bytes += utf8
  }

  /// Bytes: 4 bytes of length, then they.
  mutating func write(_ content: [UInt8], limit: Int, _ name: StaticString) {
    precondition(content.count <= limit, "\(name) has \(content.count) bytes, more than \(limit)")
    write(UInt32(content.count))
    bytes += content
  }

  /// Announces a payload, which stands between the fields and the checksum.
  mutating func writePayloadSize(_ byteCount: Int, limit: Int) {
    precondition((0...limit).contains(byteCount), "a payload of \(byteCount) bytes is larger than \(limit)")
    write(UInt32(byteCount))
  }
}

extension Unicode.Scalar {
  /// Whether it steers a terminal instead of being printed on it.
  var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) }
}
