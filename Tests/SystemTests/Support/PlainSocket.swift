import Glibc

/// A TCP connection to a port of this host, or one that such a port has accepted, without any protocol.
final class PlainSocket {
  private let descriptor: Int32

  /// Connects.
  convenience init(port: Int) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError("socket") }
    self.init(descriptor)
    let result = withAddress(port: port) { connect(descriptor, $0, $1) }
    guard result == 0 else { throw SystemError("connect to port \(port)") }
  }

  fileprivate init(_ descriptor: Int32) {
    self.descriptor = descriptor
    // Nothing that a test waits for takes longer.
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  deinit { close(descriptor) }

  /// Sends all bytes; false when the other end has closed the connection.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      let sent = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      if sent <= 0 { return false }
      done += sent
    }
    return true
  }

  /// Receives so many bytes; fails when fewer come.
  func receive(_ count: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress.map { $0 + done }, count - done, 0) }
      guard got > 0 else {
        throw Overdue(description: "the other end closed or kept silent after \(done) of \(count) bytes")
      }
      done += got
    }
    return bytes
  }

  /// Reads until the other end closes the connection; false when it keeps it open for a minute.
  func isClosedByPeer() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while true {
      let got = recv(descriptor, &bytes, bytes.count, 0)
      if got == 0 || (got < 0 && errno == ECONNRESET) { return true }
      if got < 0 { return false }
    }
  }
}

/// A port of this host that a test listens on.
final class ListeningPort {
  private let descriptor: Int32
  let number: Int

  /// Listens on a port; 0: the system chooses one.
  init(_ port: Int = 0) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SystemError("socket") }
    let socket = descriptor
    // Connections that it accepted may outlive it and do not keep the next program from the port.
    var yes: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    guard withAddress(port: port, { bind(socket, $0, $1) }) == 0, listen(socket, 16) == 0 else {
      let error = SystemError("listen on port \(port)")
      close(socket)
      throw error
    }
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
    }
    number = Int(UInt16(bigEndian: address.sin_port))
  }

  deinit { close(descriptor) }

  /// The next connection.
  func accept() throws -> PlainSocket {
    var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&item, 1, 60_000) == 1 else { throw Overdue(description: "nobody connected to port \(number)") }
    let connection = Glibc.accept(descriptor, nil, nil)
    guard connection >= 0 else { throw SystemError("accept") }
    return PlainSocket(connection)
  }

  /// Three neighbouring ports that nobody listens on, below those that the system gives to outgoing connections.
  static func freeBlock() throws -> Int {
    for _ in 0..<1000 {
      let first = Int.random(in: 10_000..<32_000)
      let ports = (0..<3).compactMap { try? ListeningPort(first + $0) }
      if ports.count == 3 { return first }
    }
    throw Overdue(description: "no three free ports found")
  }
}

private func withAddress<Result>(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = UInt16(port).bigEndian
  address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
  }
}
