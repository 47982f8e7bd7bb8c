import CZeroMQ

/// Something that happened to one of a socket's connections.
public struct ConnectionEvent: Hashable, Sendable {
  /// What happened.
  public enum Kind: Hashable, Sendable {
    /// A connection to the endpoint was made; ZeroMQ's handshake follows.
    case connected
    /// A connection did not come about at once.
    case connectDelayed
    /// A connection is tried again after some milliseconds.
    case connectRetried(milliseconds: Int)
    /// The socket listens.
    case listening
    /// The socket cannot listen; the errno value.
    case bindFailed(number: Int)
    /// A peer connected; ZeroMQ's handshake follows.
    case accepted
    /// A peer could not be accepted, such as for want of file descriptors; the errno value.
    case acceptFailed(number: Int)
    /// A listening or connecting file descriptor was closed.
    case closed
    /// It could not be closed; the errno value.
    case closeFailed(number: Int)
    /// A connection ended.
    case disconnected
    /// The monitored socket was closed.
    case monitorStopped
    /// Both ends agree: messages can flow.
    case handshakeSucceeded
    /// The peer hung up, or took too long; the errno value.
    case handshakeFailed(number: Int)
    /// The peer does not speak ZeroMQ as we do; the library's number for why.
    case handshakeProtocolError(code: Int)
    /// The peer was not let in; the status code.
    case handshakeRefused(status: Int)
    /// An event that this program does not know.
    case unknown(Int)
  }

  /// What happened.
  public let kind: Kind
  /// The endpoint that the socket was bound or connected to; not the peer's.
  public let endpoint: String
  /// The connection's file descriptor, where the event names it. After `disconnected` and `closed` the system may give the
  /// number to another connection.
  public let fileDescriptor: Int32?
}

/// Tells what happens to a socket's connections, in order. It belongs to the thread that made it.
public final class SocketMonitor: Pollable {
  private let socket: SocketHandle

  init(_ context: MessageContext, _ name: String) {
    socket = SocketHandle(ZMQ_PAIR, context)
    socket.set(ZMQ_LINGER, Int32(0))
    // The library waits when this queue is full, and all connections with it: so it must not fill.
    socket.set(ZMQ_RCVHWM, Int32(0))
    if zmq_connect(socket.raw, name) != 0 { bug("zmq_connect(\(name))") }
  }

  /// The next event, if there is one.
  public func receive() -> ConnectionEvent? {
    guard let first = socket.receive() else { return nil }
    guard first.hasMore, let second = socket.receive(), first.byteCount == 6 else { bug("a monitor's event") }
    let (event, value) = first.withUnsafeBytes {
      (Int32($0.loadUnaligned(as: UInt16.self)), $0.loadUnaligned(fromByteOffset: 2, as: Int32.self))
    }
    let endpoint = second.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    if second.hasMore { socket.drainParts() }
    return ConnectionEvent(event: event, value: value, endpoint: endpoint)
  }

  public var pollItem: PollItem { PollItem(socket: socket.raw) }
}

extension ConnectionEvent {
  init(event: Int32, value: Int32, endpoint: String) {
    let number = Int(UInt32(bitPattern: value))
    var text = endpoint
    if case .tcp(let host, let port)? = try? Endpoint(endpoint) {
      text = Endpoint.tcp(host: Endpoint.plainAddress(host), port: port).description
    }
    let (kind, hasDescriptor): (Kind, Bool) =
      switch event {
      case ZMQ_EVENT_CONNECTED: (.connected, true)
      case ZMQ_EVENT_CONNECT_DELAYED: (.connectDelayed, false)
      case ZMQ_EVENT_CONNECT_RETRIED: (.connectRetried(milliseconds: number), false)
      case ZMQ_EVENT_LISTENING: (.listening, true)
      case ZMQ_EVENT_BIND_FAILED: (.bindFailed(number: number), false)
      case ZMQ_EVENT_ACCEPTED: (.accepted, true)
      case ZMQ_EVENT_ACCEPT_FAILED: (.acceptFailed(number: number), false)
      case ZMQ_EVENT_CLOSED: (.closed, true)
      case ZMQ_EVENT_CLOSE_FAILED: (.closeFailed(number: number), false)
      case ZMQ_EVENT_DISCONNECTED: (.disconnected, true)
      case ZMQ_EVENT_MONITOR_STOPPED: (.monitorStopped, false)
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: (.handshakeSucceeded, true)
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: (.handshakeFailed(number: number), false)
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: (.handshakeProtocolError(code: number), false)
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: (.handshakeRefused(status: number), false)
      default: (.unknown(Int(event)), false)
      }
    self.init(kind: kind, endpoint: text, fileDescriptor: hasDescriptor && value >= 0 ? value : nil)
  }
}
