import CZeroMQ

/// The socket of a role that connects to one other: messages to and from it, in order, without ever waiting. Connections
/// that break are made again by the library; what they held is lost. It belongs to the thread that made it.
public final class DealerSocket: Pollable {
  private let socket: SocketHandle
  /// How many messages were thrown away because they had more than one part.
  public private(set) var rejectedMessages = 0

  /// Makes a socket that is not connected yet.
  public init(_ context: MessageContext, _ options: SocketOptions) {
    socket = SocketHandle(ZMQ_DEALER, context)
    socket.apply(options)
    // Without this, messages would wait for a connection and reach a later coordinator than the one they were meant for.
    socket.set(ZMQ_IMMEDIATE, Int32(1))
  }

  /// Connects, and goes on trying until the socket is closed or the other end breaks ZeroMQ's protocol.
  public func connect(_ endpoint: Endpoint) throws(TransportError) { try socket.connect(endpoint) }

  /// Begins anew to try an endpoint that `connect` has taken.
  func connectAgain(_ endpoint: Endpoint) { socket.connectAgain(endpoint) }

  /// Reports what happens to the connection from now on; ask before connecting to hear of all. Once a socket.
  public func makeMonitor() -> SocketMonitor { socket.makeMonitor() }

  /// Sends if that is possible at once: `full` also means that there is no connection.
  public func send(_ frame: consuming Frame) -> SendResult { socket.send(frame.message) }

  /// The next message, if one has arrived. Messages of several parts are thrown away and counted.
  public func receive() -> Frame? {
    for _ in 0..<64 {
      guard let frame = socket.receive() else { return nil }
      guard frame.hasMore else { return frame }
      socket.drainParts()
      rejectedMessages += 1
    }
    return nil
  }

  /// Closes the socket; what is unsent may take `lingering` to leave.
  public func close(lingering: Duration? = nil) { socket.close(lingering: lingering) }

  public var pollItem: PollItem { PollItem(socket: socket.raw) }
}
