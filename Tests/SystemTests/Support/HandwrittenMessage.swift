import Lockstep

/// Messages as the protocol's document describes them, written without the program's own code.
enum HandwrittenMessage {
  static let version = 2
  static let hello = 1
  static let refuse = 2
  static let welcome = 7

  /// A HELLO from nobody in particular.
  static func hello(version: Int = version, engine: UInt32 = 1, fingerprint: Digest? = nil) -> [UInt8] {
    var fields = littleEndian(UInt64(0x1234_5678))
    fields += text("stranger")
    fields += littleEndian(engine) + Digest(high: 1, low: 2).canonicalBytes
    fields += littleEndian(UInt32(1)) + text("a CPU")
    fields += fingerprint.map { [1] + $0.canonicalBytes } ?? [0]
    return message(version: version, kind: hello, fields)
  }

  /// A REFUSE.
  static func refuse(version: Int = version, code: UInt8, reason: String) -> [UInt8] {
    message(version: version, kind: refuse, [code] + text(reason))
  }

  /// A message whose fields nobody of this version can read.
  static func ofUnknownContent(version: Int, kind: Int) -> [UInt8] {
    message(version: version, kind: kind, Array("what a later version says".utf8))
  }

  /// What a REFUSE says; nil for any other message.
  static func readRefuse(_ bytes: [UInt8]) -> (code: Int, reason: String)? {
    guard bytes.count >= 28 + 3 + 8, bytes[6] == refuse, bytes[7] == 0 else { return nil }
    let count = Int(bytes[29]) | Int(bytes[30]) << 8
    guard bytes.count == 31 + count + 8 else { return nil }
    return (Int(bytes[28]), String(decoding: bytes[31..<31 + count], as: UTF8.self))
  }

  private static func message(version: Int, kind: Int, _ fields: [UInt8]) -> [UInt8] {
    var bytes = Array("TRNR".utf8) + littleEndian(UInt16(version)) + littleEndian(UInt16(kind))
    // No run, no term.
    bytes += [UInt8](repeating: 0, count: 20) + fields
    return bytes + littleEndian(bytes.withUnsafeBytes { checksum64($0) })
  }

  private static func text(_ text: String) -> [UInt8] { littleEndian(UInt16(text.utf8.count)) + Array(text.utf8) }

  private static func littleEndian(_ value: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
