import CZeroMQ
import Foundation
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(2))) struct RouterDealerTests {
  let context = MessageContext()

  @Test(arguments: Place.allCases) func messagesGoBothWays(place: Place) throws {
    let router = RouterSocket(context, .small), dealer = DealerSocket(context, .small)
    let poller = Poller([router, dealer])
    let bound = try router.bind(place.endpoint)
    #expect(bound.port != 0)
    try dealer.connect(place.reached(bound))
    // 33 bytes are the most that the library keeps inside a message's head.
    for size in [0, 1, 33, 34, 8192, 100_001, 1 << 20] {
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ size) }
      try dealer.send(bytes, on: poller)
      let arrival = try router.next(on: poller)
      #expect(arrival.bytes == bytes)
      #expect(router.send(Frame(copying: Array(bytes.reversed())), to: arrival.peer) == .sent)
      #expect(try dealer.next(on: poller) == bytes.reversed())
    }
    #expect(router.rejectedMessages == 0 && dealer.rejectedMessages == 0)
  }

  @Test func orderIsKept() throws {
    let router = RouterSocket(context, .small), dealer = DealerSocket(context, .small)
    let poller = Poller([router])
    try dealer.connect(try router.bind(Place.ipv4.endpoint))
    for i in 0..<50 { try dealer.send([UInt8(i)], on: poller) }
    for i in 0..<50 { #expect(try router.next(on: poller).bytes == [UInt8(i)]) }
  }

  @Test func peersAreToldApart() throws {
    let router = RouterSocket(context, .small)
    let dealers = (0..<5).map { _ in DealerSocket(context, .small) }
    let poller = Poller([router] + dealers)
    let bound = try router.bind(Place.ipv4.endpoint)
    var peers: [PeerID] = []
    for (i, dealer) in dealers.enumerated() {
      try dealer.connect(bound)
      try dealer.send([UInt8(i)], on: poller)
      peers.append(try router.next(on: poller).peer)
    }
    #expect(Set(peers).count == 5)
    for (i, peer) in peers.enumerated() { #expect(router.send(Frame(copying: [UInt8(10 + i)]), to: peer) == .sent) }
    for (i, dealer) in dealers.enumerated() { #expect(try dealer.next(on: poller) == [UInt8(10 + i)]) }
  }

  @Test func theSendersAddressIsKnown() throws {
    let router = RouterSocket(context, .small), dealer = DealerSocket(context, .small)
    let poller = Poller([router])
    try dealer.connect(try router.bind(Place.ipv4.endpoint))
    try dealer.send([1], on: poller)
    let (address, descriptor) = try eventually("a message", on: poller) { () -> (String?, Int32?)? in
      guard let received = router.receive() else { return nil }
      return (received.frame.peerAddress, received.frame.sourceFileDescriptor)
    }
    #expect(address == "127.0.0.1")
    #expect((descriptor ?? -1) > 2)
    #expect(Frame(copying: [1]).peerAddress == nil)
    #expect(Frame(copying: [1]).sourceFileDescriptor == nil)
  }

  @Test func unknownPeersAreUnreachable() throws {
    let router = RouterSocket(context, .small), dealer = DealerSocket(context, .small)
    let poller = Poller([router, dealer])
    let bound = try router.bind(Place.ipv4.endpoint)
    #expect(router.send(Frame(copying: [1]), to: PeerID(bytes: [0, 1, 2, 3, 4])) == .unreachable)
    try dealer.connect(bound)
    try dealer.send([1], on: poller)
    let peer = try router.next(on: poller).peer
    #expect(router.send(Frame(copying: [2]), to: peer) == .sent)
    dealer.close()
    poller.remove(dealer)
    try eventually("the peer's end", on: poller) {
      router.send(Frame(copying: [3]), to: peer) == .unreachable ? true : nil
    }
    // The failed sends have left the socket whole.
    let other = DealerSocket(context, .small)
    try other.connect(bound)
    try other.send([4], on: poller)
    #expect(try router.next(on: poller).bytes == [4])
  }

  /// A message for a coordinator that is not there must not reach the next one.
  @Test func nothingWaitsForAConnection() throws {
    let dealer = DealerSocket(context, .small)
    try dealer.connect(.tcp(host: "127.0.0.1", port: 1))
    #expect(dealer.send(Frame(copying: [1])) == .full)
  }

  @Test func sendingNeverBlocks() throws {
    let options = SocketOptions(maximumMessageSize: 2 << 20, sendHighWater: 2, receiveHighWater: 2)
    let router = RouterSocket(context, options), dealer = DealerSocket(context, options)
    let poller = Poller([router])
    try dealer.connect(try router.bind(Place.ipv4.endpoint))
    try dealer.send([0], on: poller)
    let peer = try router.next(on: poller).peer
    var fromDealer = 0, fromRouter = 0
    while dealer.send(Frame(byteCount: 1 << 20)) == .sent, fromDealer < 1000 { fromDealer += 1 }
    while router.send(Frame(byteCount: 1 << 20), to: peer) == .sent, fromRouter < 1000 { fromRouter += 1 }
    // Beyond the queues only the system's buffers hold messages.
    #expect(fromDealer < 100 && fromRouter < 100)
    #expect(router.send(Frame(copying: [1]), to: peer) == .full)
  }

  @Test func aClosedSocketMayStillDeliver() throws {
    let router = RouterSocket(context, .small), dealer = DealerSocket(MessageContext(), .small)
    let poller = Poller([router])
    try dealer.connect(try router.bind(Place.ipv4.endpoint))
    try dealer.send([0], on: poller)
    for _ in 0..<20 { #expect(dealer.send(Frame(byteCount: 1 << 20)) == .sent) }
    dealer.close(lingering: .seconds(20))
    for _ in 0..<21 { _ = try router.next(on: poller) }
  }

  /// Messages have one part; others are dropped whole, and what follows them is right.
  @Test func messagesOfSeveralPartsAreDropped() throws {
    let router = RouterSocket(context, .small)
    let poller = Poller([router])
    let raw = SocketHandle(ZMQ_DEALER, context)
    raw.apply(.small)
    try raw.connect(try router.bind(Place.ipv4.endpoint))
    for parts in [3, 2, 1] {
      for part in 1...parts {
        let frame = Frame(copying: [UInt8(part)])
        #expect(raw.send(frame.message, more: part < parts) == .sent)
      }
    }
    #expect(try router.next(on: poller).bytes == [1])
    #expect(router.rejectedMessages == 2)
  }
}
