import Glibc
import Testing

@testable import Transport

/// What hostile, broken and restarted peers do to a socket, and to the others at it.
@Suite(.timeLimit(.minutes(2))) struct FaultTests {
  let context = MessageContext()

  @Test func anOversizedMessageCostsItsSenderTheConnection() throws {
    var narrow = SocketOptions.small
    narrow.maximumMessageSize = 1000
    let router = RouterSocket(context, narrow), monitor = router.makeMonitor()
    let good = DealerSocket(context, .eager), bad = DealerSocket(context, .eager)
    let poller = Poller([router, monitor])
    let bound = try router.bind(Place.ipv4.endpoint)
    try good.connect(bound)
    try good.send([1], on: poller)
    let peer = try router.next(on: poller).peer

    try bad.connect(bound)
    try bad.send([2], on: poller)
    let badPeer = try router.next(on: poller).peer
    try bad.send([UInt8](repeating: 0, count: 1001), on: poller)
    _ = try monitor.next("the end of a connection", on: poller) { $0.kind == .disconnected }

    try good.send([UInt8](repeating: 3, count: 1000), on: poller)
    #expect(try router.next(on: poller) == Arrival(peer: peer, bytes: [UInt8](repeating: 3, count: 1000)))
    #expect(router.send(Frame(copying: [4]), to: peer) == .sent)
    #expect(try good.next(on: poller) == [4])

    // It comes back as another peer; what it sends just after the cut may be lost.
    let again = try eventually("the sender's return", on: poller) { () -> Arrival? in
      _ = bad.send(Frame(copying: [5]))
      return router.arrival()
    }
    #expect(again.bytes == [5] && again.peer != badPeer)
  }

  @Test(arguments: [
    "GET / HTTP/1.1\r\nHost: trainer.example\r\nUser-Agent: a browser that took a wrong turn\r\n\r\n",
    "\u{1}", String(repeating: "\u{7F}", count: 5000), String(repeating: "\0", count: 200),
  ])
  func garbageIsTurnedAway(garbage: String) throws {
    let router = RouterSocket(context, .small), monitor = router.makeMonitor()
    let dealer = DealerSocket(context, .small)
    let poller = Poller([router, monitor])
    let bound = try router.bind(Place.ipv4.endpoint)
    let stranger = try connectPlainly(to: try #require(bound.port))
    let text = Array(garbage.utf8)
    #expect(send(stranger, text, text.count, Int32(MSG_NOSIGNAL)) > 0)
    shutdown(stranger, Int32(SHUT_WR))
    _ = try monitor.next("the stranger's end", on: poller) {
      switch $0.kind {
      case .handshakeFailed, .handshakeProtocolError, .disconnected: true
      default: false
      }
    }
    try dealer.connect(bound)
    try dealer.send([1], on: poller)
    #expect(try router.next(on: poller).bytes == [1])
    close(stranger)
  }

  @Test func aSilentStrangerIsTurnedAway() throws {
    var impatient = SocketOptions.small
    impatient.handshakeTimeout = .milliseconds(50)
    let router = RouterSocket(context, impatient), monitor = router.makeMonitor()
    let poller = Poller([monitor])
    let stranger = try connectPlainly(to: try #require(try router.bind(Place.ipv4.endpoint).port))
    _ = try monitor.next("the stranger's end", on: poller) {
      if case .handshakeFailed = $0.kind { true } else { $0.kind == .disconnected }
    }
    close(stranger)
  }

  @Test func dealersComeBackToARestartedRouter() throws {
    let dealer = DealerSocket(context, .eager), monitor = dealer.makeMonitor()
    let poller = Poller([dealer, monitor])
    let first = RouterSocket(context, .small)
    let bound = try first.bind(Place.ipv4.endpoint)
    try dealer.connect(bound)
    try dealer.send([1], on: poller)
    #expect(try first.next(on: poller).bytes == [1])
    first.close()
    _ = try monitor.next("the end of the connection", on: poller) { $0.kind == .disconnected }

    let second = RouterSocket(context, .small)
    poller.add(second)
    // The library closes the first one's port at its leisure.
    try eventually("the port", on: poller) { () -> Bool? in
      do throws(TransportError) { try second.bind(bound) } catch .addressInUse { return nil }
      return true
    }
    // What is sent while the old connection is being taken down is lost, although it was accepted.
    let arrival = try eventually("the dealer's return", on: poller) { () -> Arrival? in
      _ = dealer.send(Frame(copying: [2]))
      return second.arrival()
    }
    #expect(arrival.bytes == [2])
    #expect(second.send(Frame(copying: [4]), to: arrival.peer) == .sent)
    #expect(try dealer.next(on: poller) == [4])
  }

  @Test func heartbeatsKeepAQuietConnection() throws {
    var options = SocketOptions.small
    options.heartbeat = SocketOptions.Heartbeat(interval: .milliseconds(100), timeout: .seconds(30))
    let router = RouterSocket(context, options), dealer = DealerSocket(context, options)
    let poller = Poller([router])
    try dealer.connect(try router.bind(Place.ipv4.endpoint))
    try dealer.send([1], on: poller)
    #expect(try router.next(on: poller).bytes == [1])
  }

  /// A TCP connection by something that does not speak ZeroMQ.
  private func connectPlainly(to port: UInt16) throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafeBytes(of: &address) {
      connect(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
    try #require(result == 0)
    return descriptor
  }
}
