import Testing

@testable import Transport

@Suite struct FrameTests {
  @Test func ownsItsBytes() {
    var frame = Frame(byteCount: 5)
    #expect(frame.byteCount == 5)
    frame.withUnsafeMutableBytes { $0.copyBytes(from: [1, 2, 3, 4, 5]) }
    #expect(frame.withUnsafeBytes { Array($0) } == [1, 2, 3, 4, 5])
    #expect(Frame(copying: []).byteCount == 0)
  }

  /// Sending a version to many workers costs no copies of it.
  @Test func sharedMessagesShareMemory() throws {
    let context = MessageContext(), router = RouterSocket(context, .small)
    let dealers = (0..<3).map { _ in DealerSocket(context, .small) }
    let poller = Poller([router] + dealers)
    let bound = try router.bind(Place.ipv4.endpoint)
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    let original = Frame(copying: bytes)
    for dealer in dealers {
      try dealer.connect(bound)
      try dealer.send([1], on: poller)
      let peer = try router.next(on: poller).peer
      let copy = original.shared()
      let addresses = original.withUnsafeBytes { a in copy.withUnsafeBytes { b in (a.baseAddress, b.baseAddress) } }
      #expect(addresses.0 == addresses.1)
      #expect(router.send(copy, to: peer) == .sent)
    }
    for dealer in dealers { #expect(try dealer.next(on: poller) == bytes) }
    #expect(original.withUnsafeBytes { Array($0) } == bytes)
  }

  @Test func errorsOfTheBodyPassThrough() {
    struct Refusal: Error {}
    let frame = Frame(copying: [1])
    #expect(throws: Refusal.self) { try frame.withUnsafeBytes { (_) throws(Refusal) in throw Refusal() } }
  }

  @Test func sharedMessagesCannotBeWrittenTo() async {
    await #expect(processExitsWith: .failure) {
      var copy = Frame(copying: [1]).shared()
      copy.withUnsafeMutableBytes { $0[0] = 2 }
    }
  }
}
