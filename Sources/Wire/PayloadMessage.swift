import Lockstep

/// A message whose payload, where it has one, stands as it is between the fields and the checksum.
///
/// A received payload may lie at any address: read its numbers unaligned, or copy them.
public protocol PayloadMessage: Sendable {
  /// Bytes of the whole message with a payload of `payloadBytes`, 0 for messages without one.
  func encodedSize(payloadBytes: Int) -> Int

  /// Writes the whole message into `buffer`, whose size is `encodedSize(payloadBytes: payload.count)`.
  func encode(_ envelope: Envelope, payload: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer)

  /// Reads a message; the payload, empty for messages without one, is a part of `bytes` and lives as long as they do.
  static func decode(
    _ bytes: UnsafeRawBufferPointer
  ) throws(WireError) -> (envelope: Envelope, message: Self, payload: UnsafeRawBufferPointer)
}

extension PayloadMessage {
  /// The whole message in an array of its own.
  public func encode(_ envelope: Envelope, payload: [UInt8] = []) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: encodedSize(payloadBytes: payload.count)) { buffer, count in
      count = encodedSize(payloadBytes: payload.count)
      payload.withUnsafeBytes {
        encode(
          envelope, payload: $0,
          into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
      }
    }
  }
}

/// Puts a message together from its written fields and its payload.
func assemble(_ fields: [UInt8], payload: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer) {
  let end = fields.count + payload.count
  precondition(buffer.count == end + Envelope.checksumByteCount, "a buffer of the message's size")
  fields.withUnsafeBytes { buffer.copyMemory(from: $0) }
  if payload.count > 0 {
    UnsafeMutableRawBufferPointer(rebasing: buffer[fields.count..<end]).copyMemory(from: payload)
  }
  let checksum = checksum64(UnsafeRawBufferPointer(rebasing: buffer[..<end]))
  buffer.storeBytes(of: checksum.littleEndian, toByteOffset: end, as: UInt64.self)
}
