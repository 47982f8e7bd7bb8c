import Glibc
import Interchange
import Testing

/// Strangers at the ports of a run cannot disturb it.
@Suite("Strangers at a run's ports", .serialized, .sandboxed)
struct HostileTests {
  let reference: ReferenceRun
  let cluster: Cluster

  init() throws {
    (reference, cluster) = (try ReferenceRun.long.get(), try Cluster())
  }

  /// Lets a stranger act in the middle of a run, while its only worker is stopped, and expects that the run goes on.
  private func meanwhile(_ act: () throws -> Void) throws {
    let coordinator = try cluster.coordinator(reference.options(steps: 34))
    let worker = try cluster.worker("worker")
    try cluster.run.wait(forStep: 2, of: coordinator)
    worker.signal(SIGSTOP)
    try act()
    worker.signal(SIGCONT)
    for program in [coordinator, worker] { try expect(program, endsWith: 0) }
    try reference.expect(cluster.run, steps: 34)
  }

  /// Control, bulk and samples.
  @Test(arguments: 0..<3) func garbageIsDropped(offset: Int) throws {
    try meanwhile {
      let port = cluster.firstPort + offset
      let web = try PlainSocket(port: port)
      web.send(Array("GET / HTTP/1.1\r\nHost: a.stranger.example\r\n\r\n".utf8))
      let noise = try PlainSocket(port: port)
      var random = UInt64(offset + 1)
      noise.send(
        (0..<100_000).map { _ in
          random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          return UInt8(truncatingIfNeeded: random >> 56)
        })
      #expect(web.isClosedByPeer() && noise.isClosedByPeer())

      // One that speaks ZeroMQ well, and nothing else.
      let peer = try ZMTPConnection(try PlainSocket(port: port), as: "DEALER")
      for message in [[], [0], Array("TRNR".utf8), [UInt8](repeating: 0xFF, count: 5000)] {
        #expect(peer.send(message))
      }
      // Well-formed messages on the wrong socket, or cut short.
      let hello = HandwrittenMessage.hello()
      for count in stride(from: 0, to: hello.count, by: 7) { #expect(peer.send(Array(hello.prefix(count)))) }
      if offset > 0 { #expect(peer.send(hello)) }
    }
  }

  @Test(arguments: 0..<3) func aFrameOfOneGigabyteCostsItsSenderTheConnection(offset: Int) throws {
    try meanwhile {
      let peer = try ZMTPConnection(try PlainSocket(port: cluster.firstPort + offset), as: "DEALER")
      peer.announce(byteCount: 1 << 30, sending: 256 << 20)
      #expect(peer.isClosedByPeer())
    }
  }

  @Test func aWorkerOfAnotherProtocolVersionIsRefused() throws {
    try meanwhile {
      let peer = try ZMTPConnection(try PlainSocket(port: cluster.firstPort), as: "DEALER")
      #expect(peer.send(HandwrittenMessage.hello(version: HandwrittenMessage.version + 1)))
      let answer = try #require(HandwrittenMessage.readRefuse(try peer.receive()))
      #expect(answer.code == 78)
      #expect(answer.reason.contains("version"), "\(answer.reason)")
    }
  }

  @Test func aWorkerOfOtherNumericsIsRefused() throws {
    try meanwhile {
      let peer = try ZMTPConnection(try PlainSocket(port: cluster.firstPort), as: "DEALER")
      #expect(peer.send(HandwrittenMessage.hello(engine: 4_000_000_000)))
      let answer = try #require(HandwrittenMessage.readRefuse(try peer.receive()))
      #expect(answer.code == 78)
      #expect(answer.reason.contains("numerics"), "\(answer.reason)")
    }
    let refused = try cluster.run.lines(kind: "event").first { $0["event"]?.stringValue == "refused" }
    #expect(refused?["worker"]?.stringValue == "stranger")
  }

  /// Another program that speaks ZeroMQ has the coordinator's port when a worker comes, and then lets go of it.
  @Test func aWorkerOutlastsAnotherProgramAtItsCoordinatorsPort() throws {
    var port: ListeningPort? = try ListeningPort(cluster.firstPort)
    let worker = try cluster.worker("worker")
    let other = try port.map { try ZMTPConnection(try $0.accept(), as: "PUSH") }
    try worker.wait(toSay: "what answers at \(cluster.endpoint) is no coordinator")
    port = nil
    #expect(try #require(other).isClosedByPeer())
    let coordinator = try cluster.coordinator(reference.options(steps: 4))
    for program in [coordinator, worker] { try expect(program, endsWith: 0) }
    try reference.expect(cluster.run, steps: 4)
  }

  /// A real worker meets a coordinator of another version: it is refused, or it sees for itself.
  @Test(arguments: [true, false]) func aWorkerEndsWhenItsCoordinatorIsOfAnotherVersion(isRefused: Bool) throws {
    let port = try ListeningPort()
    let worker = try start(["worker", "--coordinator", "tcp://127.0.0.1:\(port.number)", "--threads", "1"])
    let peer = try ZMTPConnection(try port.accept(), as: "ROUTER")
    let hello = try peer.receive()
    #expect(hello.starts(with: Array("TRNR".utf8)) && hello[4] == UInt8(HandwrittenMessage.version) && hello[6] == 1)
    let other = HandwrittenMessage.version + 1
    let answer =
      isRefused
      ? HandwrittenMessage.refuse(version: other, code: 78, reason: "this coordinator is newer")
      : HandwrittenMessage.ofUnknownContent(version: other, kind: HandwrittenMessage.welcome)
    #expect(peer.send(answer))
    let outcome = try expect(worker, endsWith: 78)
    #expect(outcome.errors.contains(isRefused ? "this coordinator is newer" : "version"), "\(outcome)")
  }
}
