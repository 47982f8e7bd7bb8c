import CZeroMQ

/// What ROUTER and DEALER have in common: a socket of the library, its options, its end.
///
/// It belongs to the thread that made it.
final class SocketHandle {
  let context: MessageContext
  let raw: UnsafeMutableRawPointer
  private var isOpen = true
  // Kept until after the socket's end: the library waits forever for a monitor that was closed before, when it has an event
  // to tell, and all connections of the I/O thread wait with it.
  private var monitor: SocketMonitor?

  init(_ type: Int32, _ context: MessageContext) {
    self.context = context
    guard let raw = zmq_socket(context.handle, type) else { bug("zmq_socket") }
    self.raw = raw
  }

  deinit { close() }

  func apply(_ options: SocketOptions) {
    set(ZMQ_LINGER, options.linger.milliseconds)
    set(ZMQ_SNDHWM, Int32(clamping: options.sendHighWater))
    set(ZMQ_RCVHWM, Int32(clamping: options.receiveHighWater))
    set(ZMQ_MAXMSGSIZE, Int64(options.maximumMessageSize))
    set(ZMQ_RECONNECT_IVL, options.reconnectInterval.milliseconds)
    set(ZMQ_RECONNECT_IVL_MAX, options.maximumReconnectInterval.milliseconds)
    set(ZMQ_HANDSHAKE_IVL, options.handshakeTimeout.milliseconds)
    set(ZMQ_CONNECT_TIMEOUT, options.connectTimeout.milliseconds)
    set(ZMQ_IPV6, Int32(1))
    // A host that vanished without a word is noticed after 30 + 3 · 10 s of silence, should nobody else notice it.
    set(ZMQ_TCP_KEEPALIVE, Int32(1))
    set(ZMQ_TCP_KEEPALIVE_IDLE, Int32(30))
    set(ZMQ_TCP_KEEPALIVE_INTVL, Int32(10))
    set(ZMQ_TCP_KEEPALIVE_CNT, Int32(3))
    if let heartbeat = options.heartbeat {
      set(ZMQ_HEARTBEAT_IVL, heartbeat.interval.milliseconds)
      set(ZMQ_HEARTBEAT_TIMEOUT, heartbeat.timeout.milliseconds)
      set(ZMQ_HEARTBEAT_TTL, heartbeat.timeout.milliseconds)
    }
  }

  func set<Value: FixedWidthInteger & BitwiseCopyable>(_ option: Int32, _ value: Value) {
    var value = value
    if zmq_setsockopt(raw, option, &value, MemoryLayout<Value>.size) != 0 { bug("zmq_setsockopt(\(option), \(value))") }
  }

  /// Binds, and says where: a port of 0 was replaced by the system's choice.
  func bind(_ endpoint: Endpoint) throws(TransportError) -> Endpoint {
    guard zmq_bind(raw, endpoint.description) == 0 else { throw .last("bind to", endpoint) }
    var buffer = [UInt8](repeating: 0, count: 512), count = buffer.count
    if zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, &buffer, &count) != 0 { bug("ZMQ_LAST_ENDPOINT") }
    let bound = try Endpoint(String(decoding: buffer[..<max(0, count - 1)], as: UTF8.self))
    // The host stays as it was asked for: the library says 0.0.0.0 or :: for *.
    guard case .tcp(let host, _) = endpoint, case .tcp(_, let port) = bound else { return bound }
    return .tcp(host: host, port: port)
  }

  func connect(_ endpoint: Endpoint) throws(TransportError) {
    if endpoint.port == 0 { throw .badEndpoint(endpoint.description, reason: "port 0 is for binding only") }
    guard zmq_connect(raw, endpoint.description) == 0 else { throw .last("connect to", endpoint) }
  }

  func connectAgain(_ endpoint: Endpoint) {
    // Otherwise the library would keep what it knows of both.
    if zmq_disconnect(raw, endpoint.description) != 0, zmq_errno() != ENOENT { bug("zmq_disconnect(\(endpoint))") }
    if zmq_connect(raw, endpoint.description) != 0 { bug("zmq_connect(\(endpoint))") }
  }

  /// A socket that tells what happens to this one's connections from now on.
  func makeMonitor() -> SocketMonitor {
    precondition(monitor == nil, "a socket has one monitor")
    let name = "inproc://monitor-\(UInt(bitPattern: raw))"
    if zmq_socket_monitor(raw, name, ZMQ_EVENT_ALL) != 0 { bug("zmq_socket_monitor") }
    let monitor = SocketMonitor(context, name)
    self.monitor = monitor
    return monitor
  }

  /// Sends a part of a message if that is possible at once; unexpected errors are bugs of ours.
  func send(_ message: UnsafeMutablePointer<zmq_msg_t>, more: Bool = false) -> SendResult {
    precondition(isOpen, "an open socket")
    while zmq_msg_send(message, raw, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return .full
      case EHOSTUNREACH: return .unreachable
      default: bug("zmq_msg_send")
      }
    }
    return .sent
  }

  /// The next part of a message, if there is any.
  func receive() -> Frame? {
    precondition(isOpen, "an open socket")
    let frame = Frame()
    while zmq_msg_recv(frame.message, raw, ZMQ_DONTWAIT) < 0 {
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return nil
      default: bug("zmq_msg_recv")
      }
    }
    return frame
  }

  /// Takes the remaining parts of a message off the socket. All have arrived: messages are delivered whole.
  func drainParts() {
    while let part = receive(), part.hasMore {}
  }

  func close(lingering: Duration? = nil) {
    guard isOpen else { return }
    isOpen = false
    if let lingering { set(ZMQ_LINGER, lingering.milliseconds) }
    if zmq_close(raw) != 0 { bug("zmq_close") }
    monitor = nil
  }
}

extension Frame {
  /// Whether another part of the same message follows.
  var hasMore: Bool { zmq_msg_more(message) != 0 }
}

/// What became of a message that was to be sent. `sent` means accepted, not delivered: a broken connection loses what it held.
public enum SendResult: Hashable, Sendable {
  /// It is on its way.
  case sent
  /// The peer's queue is full or, on a DEALER, there is no connection; the message is gone.
  case full
  /// No such peer is connected; the message is gone.
  case unreachable
}
