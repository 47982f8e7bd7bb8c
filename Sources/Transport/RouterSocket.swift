import CZeroMQ

/// A peer of a ROUTER: one connection, named by the socket. The same process has another name after it connects again.
public struct PeerID: Hashable, Sendable, CustomStringConvertible {
  /// The name as ZeroMQ gave it.
  public let bytes: [UInt8]

  /// Names a peer.
  public init(bytes: [UInt8]) { self.bytes = bytes }

  /// Hexadecimal digits.
  public var description: String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

/// The socket of a role that others connect to: receives from all of its peers, and sends to a chosen one without ever
/// waiting. It belongs to the thread that made it.
public final class RouterSocket: Pollable {
  private let socket: SocketHandle
  /// How many messages were thrown away because they had more than one part, or less.
  public private(set) var rejectedMessages = 0

  /// Makes a socket that is not bound yet.
  public init(_ context: MessageContext, _ options: SocketOptions) {
    socket = SocketHandle(ZMQ_ROUTER, context)
    socket.apply(options)
    // Without this, a message to a peer that is gone would vanish without a word.
    socket.set(ZMQ_ROUTER_MANDATORY, Int32(1))
  }

  /// Binds, and returns the endpoint with the port that the system chose, if that was left to it.
  ///
  /// - Errors: `addressInUse`, `notOurs`, `badEndpoint`; exit code 69 for the first two.
  @discardableResult
  public func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint { try socket.bind(endpoint) }

  /// Reports what happens to connections from now on; ask before binding to hear of all. Once a socket.
  public func makeMonitor() -> SocketMonitor { socket.makeMonitor() }

  /// Sends to a peer if that is possible at once.
  public func send(_ frame: consuming Frame, to peer: PeerID) -> SendResult {
    let address = Frame(copying: peer.bytes)
    let result = socket.send(address.message, more: true)
    // A peer that was reachable for the address takes the message too.
    return result == .sent ? socket.send(frame.message) : result
  }

  /// The next message, if one has arrived. Messages that are not of one part are thrown away and counted.
  public func receive() -> Received? {
    // The bound keeps a flood of such messages from holding the caller: it polls again and comes back.
    for _ in 0..<64 {
      guard let address = socket.receive() else { return nil }
      guard address.hasMore, let frame = socket.receive() else { rejectedMessages += 1; continue }
      if frame.hasMore {
        socket.drainParts()
        rejectedMessages += 1
        continue
      }
      return Received(peer: PeerID(bytes: address.withUnsafeBytes { Array($0) }), frame: frame)
    }
    return nil
  }

  /// Closes the socket; what is unsent may take `lingering` to leave.
  public func close(lingering: Duration? = nil) { socket.close(lingering: lingering) }

  public var pollItem: PollItem { PollItem(socket: socket.raw) }

  /// A message and who sent it.
  public struct Received: ~Copyable {
    /// The sender.
    public let peer: PeerID
    /// The message.
    public let frame: Frame
  }
}
