import CZeroMQ

/// One message's bytes, owned by whoever holds it: sending gives it away.
public struct Frame: ~Copyable, @unchecked Sendable {
  // ZeroMQ wants a message never to move, so it lies on the heap. Only the one owner touches it.
  let message: UnsafeMutablePointer<zmq_msg_t>
  private let isShared: Bool

  /// Bytes of unspecified value, to be written once.
  public init(byteCount: Int) {
    precondition(byteCount >= 0, "a message has no negative size")
    message = .allocate(capacity: 1)
    isShared = false
    guard zmq_msg_init_size(message, byteCount) == 0 else {
      fatalError("no memory for a message of \(byteCount) bytes")
    }
  }

  /// A copy of some bytes.
  public init(copying bytes: UnsafeRawBufferPointer) {
    self.init(byteCount: bytes.count)
    withUnsafeMutableBytes { $0.copyMemory(from: bytes) }
  }

  /// A copy of some bytes.
  public init(copying bytes: [UInt8]) {
    self.init(byteCount: bytes.count)
    withUnsafeMutableBytes { $0.copyBytes(from: bytes) }
  }

  /// An empty message, to be received into.
  init() {
    message = .allocate(capacity: 1)
    isShared = false
    if zmq_msg_init(message) != 0 { bug("zmq_msg_init") }
  }

  private init(sharing other: UnsafeMutablePointer<zmq_msg_t>) {
    message = .allocate(capacity: 1)
    isShared = true
    if zmq_msg_init(message) != 0 || zmq_msg_copy(message, other) != 0 { bug("zmq_msg_copy") }
  }

  deinit {
    if zmq_msg_close(message) != 0 { bug("zmq_msg_close") }
    message.deallocate()
  }

  /// The size.
  public var byteCount: Int { zmq_msg_size(message) }

  /// Lends the bytes. Those of a received message may lie at any address, unaligned.
  public borrowing func withUnsafeBytes<R: ~Copyable, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    try body(UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message)))
  }

  /// Lends the bytes for writing; not those of a shared message.
  public mutating func withUnsafeMutableBytes<R: ~Copyable, E: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    precondition(!isShared, "others read a shared message's bytes")
    return try body(UnsafeMutableRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message)))
  }

  /// Another message with the same bytes in the same memory, for sending them to several peers; nobody may write to
  /// them any more.
  public borrowing func shared() -> Frame { Frame(sharing: message) }

  /// The address that a message received over TCP came from, for logs.
  public var peerAddress: String? {
    // Older libraries count on the process for a zero-terminated name, which a literal is.
    guard let text = zmq_msg_gets(message, "Peer-Address") else { return nil }
    let address = Endpoint.plainAddress(String(cString: text))
    return address.isEmpty ? nil : address
  }

  /// The file descriptor of the connection that a message was received from. A monitor's `disconnected` event names the
  /// same number, which the system gives to another connection later on.
  public var sourceFileDescriptor: Int32? {
    let fileDescriptor = zmq_msg_get(message, ZMQ_SRCFD)
    return fileDescriptor >= 0 ? fileDescriptor : nil
  }
}
