/// One end of a ZeroMQ connection, spoken by hand, so that it can say what the library never would.
///
/// - Source: ZMTP 3.0 (rfc.zeromq.org/spec/23) with the NULL mechanism.
final class ZMTPConnection {
  private let socket: PlainSocket

  /// Exchanges greetings and READY commands over a connection.
  init(_ socket: PlainSocket, as type: String) throws {
    self.socket = socket
    var greeting: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 0] + Array("NULL".utf8)
    greeting += [UInt8](repeating: 0, count: 64 - greeting.count)
    socket.send(greeting)
    _ = try socket.receive(64)
    let text = { (text: String) in [UInt8(text.utf8.count)] + Array(text.utf8) }
    let ready = text("READY") + text("Socket-Type") + [0, 0, 0, UInt8(type.utf8.count)] + Array(type.utf8)
    socket.send([4, UInt8(ready.count)] + ready)
    let frame = try receiveFrame()
    guard frame.isCommand, frame.body.starts(with: text("READY")) else {
      throw Overdue(description: "the other end is not ready, but says \(frame.body)")
    }
  }

  /// Sends a message of one part.
  @discardableResult
  func send(_ message: [UInt8]) -> Bool { socket.send(Self.header(byteCount: message.count) + message) }

  /// Announces a message of so many bytes, and sends as many of them until the other end hangs up.
  func announce(byteCount: Int, sending limit: Int) {
    guard socket.send(Self.header(byteCount: byteCount)) else { return }
    let piece = [UInt8](repeating: 0xA5, count: 65_536)
    for _ in 0..<limit / piece.count where !socket.send(piece) { return }
  }

  /// The next message, which must have one part.
  func receive() throws -> [UInt8] {
    while true {
      let frame = try receiveFrame()
      if !frame.isCommand { return frame.body }
    }
  }

  func isClosedByPeer() -> Bool { socket.isClosedByPeer() }

  private func receiveFrame() throws -> (isCommand: Bool, body: [UInt8]) {
    let flags = try socket.receive(1)[0]
    let isLong = flags & 2 != 0
    let count = try socket.receive(isLong ? 8 : 1).reduce(0) { $0 << 8 | Int($1) }
    guard count <= 1 << 24, flags & 1 == 0 else { throw Overdue(description: "a frame of \(count) bytes") }
    return (flags & 4 != 0, try socket.receive(count))
  }

  private static func header(byteCount: Int) -> [UInt8] {
    [2] + (0..<8).map { UInt8(truncatingIfNeeded: byteCount >> (56 - 8 * $0)) }
  }
}
