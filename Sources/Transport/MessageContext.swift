import CZeroMQ

/// ZeroMQ's I/O threads and everything that its sockets share. Sockets hold on to their context; it ends after the last.
///
/// Two contexts never delay each other: control has one of its own.
public final class MessageContext: @unchecked Sendable {
  // ZeroMQ's contexts may be used from any thread.
  let handle: UnsafeMutableRawPointer

  /// Starts a context; a connection is served by one of its I/O threads.
  ///
  /// - Parameters:
  ///   - sockets: how many sockets it may hold; a monitored one counts three times.
  public init(ioThreads: Int = 1, sockets: Int = 1023) {
    precondition(ioThreads > 0 && sockets > 0, "a context serves sockets")
    guard let handle = zmq_ctx_new() else { bug("zmq_ctx_new") }
    self.handle = handle
    if zmq_ctx_set(handle, ZMQ_IO_THREADS, Int32(ioThreads)) != 0 { bug("ZMQ_IO_THREADS") }
    if zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, Int32(sockets)) != 0 { bug("ZMQ_MAX_SOCKETS") }
  }

  // Waits until what closed sockets still had to send is sent, or their linger period is over.
  deinit {
    while zmq_ctx_term(handle) != 0 && zmq_errno() == EINTR {}
  }

  /// The library's version, such as "4.3.4".
  public static var libraryVersion: String {
    var (major, minor, patch): (Int32, Int32, Int32) = (0, 0, 0)
    zmq_version(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }
}
