import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(2))) struct MonitorTests {
  let context = MessageContext()

  /// A connection's end is matched with what it sent by its file descriptor.
  @Test func aConnectionsLifeIsReported() throws {
    let router = RouterSocket(context, .small), dealer = DealerSocket(context, .small)
    let monitor = router.makeMonitor(), dealerMonitor = dealer.makeMonitor()
    let poller = Poller([router, monitor, dealerMonitor])
    let bound = try router.bind(Place.ipv4.endpoint)
    let listening = try monitor.next("listening", on: poller) { $0.kind == .listening }
    #expect(listening.endpoint == bound.description)

    try dealer.connect(bound)
    let accepted = try monitor.next("an accepted connection", on: poller) { $0.kind == .accepted }
    #expect(accepted.endpoint == bound.description)
    let descriptor = try #require(accepted.fileDescriptor)
    _ = try monitor.next("a handshake", on: poller) { $0.kind == .handshakeSucceeded }
    let connected = try dealerMonitor.next("a connection", on: poller) { $0.kind == .connected }
    #expect(connected.endpoint == bound.description)
    _ = try dealerMonitor.next("a handshake", on: poller) { $0.kind == .handshakeSucceeded }

    try dealer.send([1], on: poller)
    let source = try eventually("a message", on: poller) { router.receive()?.frame.sourceFileDescriptor }
    #expect(source == descriptor)

    dealer.close()
    let disconnected = try monitor.next("the end of the connection", on: poller) { $0.kind == .disconnected }
    #expect(disconnected.fileDescriptor == descriptor)
  }

  @Test func aPollerSeesEvents() throws {
    let router = RouterSocket(context, .small), monitor = router.makeMonitor()
    let poller = Poller([monitor])
    #expect(poller.wait(atMost: .zero).isEmpty)
    try router.bind(Place.ipv4.endpoint)
    #expect(poller.wait(atMost: .seconds(30)).contains(monitor))
  }

  @Test func aServerThatIsAwayIsReported() throws {
    let dealer = DealerSocket(context, .eager), monitor = dealer.makeMonitor()
    let poller = Poller([monitor])
    // Nobody serves port 1 of this host.
    try dealer.connect(.tcp(host: "127.0.0.1", port: 1))
    _ = try monitor.next("a retry", on: poller) { if case .connectRetried = $0.kind { true } else { false } }
  }

  /// The library would wait forever to tell a closed monitor what happens.
  @Test func aForgottenMonitorHoldsNobodyUp() throws {
    let router = RouterSocket(context, .small)
    _ = router.makeMonitor()
    let poller = Poller([router])
    let bound = try router.bind(Place.ipv4.endpoint)
    for i in 0..<20 {
      let dealer = DealerSocket(context, .small)
      try dealer.connect(bound)
      try dealer.send([UInt8(i)], on: poller)
      #expect(try router.next(on: poller).bytes == [UInt8(i)])
    }
    router.close()
  }

  @Test func monitorsOutliveTheirSockets() throws {
    var router: RouterSocket? = RouterSocket(context, .small)
    let monitor = try #require(router?.makeMonitor())
    let poller = Poller([monitor])
    try router?.bind(Place.ipv4.endpoint)
    router = nil
    _ = try monitor.next("the end", on: poller) { $0.kind == .monitorStopped }
  }
}
