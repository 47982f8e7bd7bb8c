import Lockstep

/// Reads a message's fields, trusting none of them.
struct MessageReader {
  private let bytes: UnsafeRawBufferPointer
  private var offset: Int

  /// Reads from `offset` to the end of `bytes`.
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
    (self.bytes, self.offset) = (bytes, offset)
  }

  /// How many bytes have not been read.
  var remaining: Int { bytes.count - offset }

  /// Checks that everything was read.
  func finish() throws(WireError) {
    guard remaining == 0 else { throw .trailingBytes }
  }

  /// The next bytes as they lie in the message.
  mutating func readBytes(_ count: Int) throws(WireError) -> UnsafeRawBufferPointer {
    guard count <= remaining else { throw .truncated }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  /// A little-endian number.
  mutating func read<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type = Number.self) throws(WireError)
    -> Number
  {
    Number(littleEndian: try readBytes(MemoryLayout<Number>.size).loadUnaligned(as: Number.self))
  }

  /// A number within bounds; `Field` is its width on the wire.
  mutating func read<Field: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _: Field.Type, in range: ClosedRange<Int>, _ name: String
  ) throws(WireError) -> Int {
    guard let value = Int(exactly: try read(Field.self)), range.contains(value) else {
      throw .invalidValue(field: name)
    }
    return value
  }

  /// A number that is counted up from 0 without a bound, in 8 bytes.
  mutating func readCount(_ name: String) throws(WireError) -> Int { try read(UInt64.self, in: 0...Int.max, name) }

  /// A finite number of at least 0.
  mutating func readDuration(_ name: String) throws(WireError) -> Double {
    let value = Double(bitPattern: try read())
    guard value.isFinite, value >= 0 else { throw .invalidValue(field: name) }
    return value
  }

  /// 16 bytes in canonical form.
  mutating func readDigest() throws(WireError) -> Digest {
    let high = UInt64(bigEndian: try readBytes(8).loadUnaligned(as: UInt64.self))
    let low = UInt64(bigEndian: try readBytes(8).loadUnaligned(as: UInt64.self))
    return Digest(high: high, low: low)
  }

  /// A byte that says whether a value follows.
  mutating func readPresence(_ name: String) throws(WireError) -> Bool {
    try read(UInt8.self, in: 0...1, name) == 1
  }

  /// A value of an enumeration.
  mutating func readCase<Value: RawRepresentable<UInt8>>(_: Value.Type, _ name: String) throws(WireError) -> Value {
    guard let value = Value(rawValue: try read()) else { throw .invalidValue(field: name) }
    return value
  }

  /// A text: 2 bytes of length, then UTF-8 without control characters.
  mutating func readText(limit: Int, _ name: String) throws(WireError) -> String {
    let count = Int(try read(UInt16.self))
    guard count <= limit else { throw .tooLong(field: name) }
    guard let text = String(validating: try readBytes(count), as: UTF8.self),
      text.unicodeScalars.allSatisfy({ !$0.isControl })
    else { throw .invalidValue(field: name) }
    return text
  }

  /// Bytes: 4 bytes of length, then they.
  mutating func readContent(limit: Int, _ name: String) throws(WireError) -> [UInt8] {
    let count = Int(try read(UInt32.self))
    guard count <= limit else { throw .tooLong(field: name) }
    return Array(try readBytes(count))
  }

  /// The payload, which is the rest.
  mutating func readPayload(limit: Int) throws(WireError) -> UnsafeRawBufferPointer {
    let count = Int(try read(UInt32.self))
    guard count <= limit else { throw .tooLong(field: "payload") }
    return try readBytes(count)
  }
}
