/// Why some bytes are not a message that this program can use.
public enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
  /// They do not begin as our messages do: another program talks to this socket.
  case notOurs
  /// A whole message of another version of the protocol.
  case otherVersion(Int)
  /// They end before the message does.
  case truncated
  /// The checksum does not fit the bytes.
  case damaged
  /// No message of this socket has this number.
  case unknownKind(Int)
  /// Something is longer than its limit.
  case tooLong(field: String)
  /// The message ends before they do.
  case trailingBytes
  /// A field holds what it never may.
  case invalidValue(field: String)

  public var description: String {
    switch self {
    case .notOurs: "not a message of this program; does another program use this address?"
    case .otherVersion(let version):
      "a message of protocol version \(version), and this is version \(protocolVersion); run the same build everywhere"
    case .truncated: "a message that was cut short"
    case .damaged: "a message whose checksum is wrong: it was damaged on its way"
    case .unknownKind(let kind): "a message of kind \(kind), which has no place on this socket"
    case .tooLong(let field): "a message whose \(field) is too long"
    case .trailingBytes: "a message with something behind its end"
    case .invalidValue(let field): "a message whose \(field) is impossible"
    }
  }
}
