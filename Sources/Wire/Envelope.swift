import Lockstep

/// What every message begins with, besides its kind: which run it belongs to, and which start of its coordinator.
///
/// | Offset | Bytes | What |
/// |---|---|---|
/// | 0 | 4 | "TRNR" |
/// | 4 | 2 | protocol version |
/// | 6 | 2 | kind |
/// | 8 | 16 | run id |
/// | 24 | 4 | term |
/// | 28 | … | the message's fields, and a payload where it has one |
/// | n − 8 | 8 | XXH3-64 of all bytes before |
///
/// This table is the same in every version of the protocol. Numbers are little-endian.
public struct Envelope: Hashable, Sendable {
  /// The run; unknown in a worker's first HELLO.
  public var runID: RunID
  /// Which start of the run's coordinator; 0 in a worker's first HELLO.
  public var term: UInt32

  /// Names a run and a term.
  public init(runID: RunID, term: UInt32) { (self.runID, self.term) = (runID, term) }

  /// Before a worker knows its run.
  public static let unknown = Envelope(runID: .unknown, term: 0)

  static let magic: [UInt8] = Array("TRNR".utf8)
  static let byteCount = 28
  static let checksumByteCount = 8
}

/// A message whose envelope and checksum are right, its fields yet unread.
struct OpenedMessage {
  let version: UInt16
  let kind: UInt16
  let envelope: Envelope
  /// From the first field to the checksum.
  var fields: MessageReader

  /// Checks length, magic and checksum, in this order, and reads the envelope.
  init(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(WireError) {
    let begins = zip(bytes, Envelope.magic).allSatisfy { $0 == $1 }
    guard begins else { throw .notOurs }
    guard bytes.count >= Envelope.byteCount + Envelope.checksumByteCount else { throw .truncated }
    guard bytes.count <= limit else { throw .tooLong(field: "message") }
    let end = bytes.count - Envelope.checksumByteCount
    let body = UnsafeRawBufferPointer(rebasing: bytes[..<end])
    let checksum = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self))
    // A damaged version number must not pass for another version: that answer is final.
    guard checksum64(body) == checksum else { throw .damaged }

    var reader = MessageReader(body, at: Envelope.magic.count)
    version = try reader.read()
    kind = try reader.read()
    envelope = Envelope(runID: RunID(bits: try reader.readDigest()), term: try reader.read())
    fields = reader
  }

  /// What the message is; throws if it is of another version.
  func currentKind() throws(WireError) -> MessageKind {
    guard version == protocolVersion else { throw .otherVersion(Int(version)) }
    guard let kind = MessageKind(rawValue: kind) else { throw .unknownKind(Int(self.kind)) }
    return kind
  }
}
