import Lockstep
import Testing

@testable import Wire

/// Messages that announce more than they may, or hold what they never may; each is a few bytes long.
@Suite struct LimitTests {
  private func message(_ kind: MessageKind, _ write: (inout MessageWriter) -> Void) -> [UInt8] {
    var writer = MessageWriter(kind, .unknown)
    write(&writer)
    return writer.finish()
  }

  @Test func wholeMessages() {
    let long = resealed(Array("TRNR".utf8) + [UInt8](repeating: 0, count: WireLimits.controlMessage))
    #expect(throws: WireError.tooLong(field: "message")) { try ControlMessage.decode(long) }
    let bulk = resealed(Array("TRNR".utf8) + [UInt8](repeating: 0, count: WireLimits.bulkMessage))
    #expect(throws: WireError.tooLong(field: "message")) { try BulkMessage.decode(bulk) }
  }

  @Test func otherPrograms() {
    #expect(throws: WireError.notOurs) {
      try ControlMessage.decode(Array("GET / HTTP/1.1\r\nHost: trainer.example\r\n\r\n".utf8))
    }
    #expect(throws: WireError.notOurs) { try ControlMessage.decode([UInt8](repeating: 0, count: 64)) }
    #expect(throws: WireError.truncated) { try ControlMessage.decode([]) }
  }

  /// Protocol.md: whole messages of another version are told from damaged ones, on each socket.
  @Test func otherVersions() {
    for version in [UInt16(0), 1, 3, .max] {
      let hello = Specimens.control[0].encode(.unknown, version: version)
      #expect(throws: WireError.otherVersion(Int(version))) { try ControlMessage.decode(hello) }
      #expect(throws: WireError.otherVersion(Int(version))) { try BulkMessage.decode(hello) }
      #expect(throws: WireError.otherVersion(Int(version))) { try SampleMessage.decode(hello) }
    }
  }

  @Test func messagesOfOtherSockets() {
    let beat = ControlMessage.pulse(Pulse(revision: 1)).encode(.unknown)
    let attach = BulkMessage.attach(session: 1).encode(.unknown)
    let want = SampleMessage.want(session: 1, set: .training, indices: [0]).encode(.unknown)
    #expect(throws: WireError.unknownKind(9)) { try BulkMessage.decode(beat) }
    #expect(throws: WireError.unknownKind(9)) { try SampleMessage.decode(beat) }
    #expect(throws: WireError.unknownKind(32)) { try ControlMessage.decode(attach) }
    #expect(throws: WireError.unknownKind(64)) { try ControlMessage.decode(want) }
    #expect(throws: WireError.unknownKind(64)) { try BulkMessage.decode(want) }
    #expect(throws: WireError.unknownKind(32)) { try SampleMessage.decode(attach) }
  }

  @Test func plans() {
    func plan(_ runs: [(first: UInt32, more: UInt16)], count: UInt32? = nil) -> [UInt8] {
      message(.plan) {
        $0.writeCount(1, "revision")
        $0.write(Pass(.training, step: 1))
        $0.write(count ?? UInt32(runs.count))
        for run in runs { $0.write(run.first); $0.write(run.more) }
      }
    }
    #expect(throws: WireError.truncated) { try ControlMessage.decode(plan([], count: 65_536)) }
    #expect(throws: WireError.tooLong(field: "plan")) { try ControlMessage.decode(plan([], count: .max)) }
    #expect(throws: WireError.tooLong(field: "plan")) { try ControlMessage.decode(plan([(0, .max), (70_000, 0)])) }
    #expect(throws: WireError.trailingBytes) { try ControlMessage.decode(plan([(0, 0), (5, 0)], count: 1)) }
    let impossible: [[(first: UInt32, more: UInt16)]] = [
      [(4, 0), (0, 0)], [(4, 2), (5, 0)], [(4, 0), (4, 0)], [(4, 0), (5, 0)], [(1 << 24, 0)], [(1 << 24 - 1, 1)],
      [(.max, .max)],
    ]
    for runs in impossible {
      #expect(throws: WireError.invalidValue(field: "leaves")) { try ControlMessage.decode(plan(runs)) }
    }
  }

  @Test func passes() {
    func done(kind: UInt8, step: UInt32, seconds: Double) -> [UInt8] {
      message(.done) {
        $0.write(kind); $0.write(step); $0.write(UInt32(1)); $0.write(seconds)
      }
    }
    #expect(throws: Never.self) { try ControlMessage.decode(done(kind: 1, step: 0, seconds: 0)) }
    #expect(throws: WireError.invalidValue(field: "pass")) {
      try ControlMessage.decode(done(kind: 0, step: 0, seconds: 0))
    }
    #expect(throws: WireError.invalidValue(field: "pass")) {
      try ControlMessage.decode(done(kind: 2, step: 1, seconds: 0))
    }
    for seconds in [-1, .nan, .infinity] {
      #expect(throws: WireError.invalidValue(field: "seconds")) {
        try ControlMessage.decode(done(kind: 0, step: 1, seconds: seconds))
      }
    }
  }

  @Test func texts() {
    func refuse(length: UInt16, _ text: [UInt8]) -> [UInt8] {
      message(.refuse) {
        $0.write(UInt8(78)); $0.write(length); for byte in text { $0.write(byte) }
      }
    }
    #expect(throws: WireError.tooLong(field: "reason")) { try ControlMessage.decode(refuse(length: 1025, [])) }
    #expect(throws: WireError.truncated) { try ControlMessage.decode(refuse(length: 1024, [65])) }
    for text: [UInt8] in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0x1B], [0x0A], [0xC2, 0x85]] {
      #expect(throws: WireError.invalidValue(field: "reason")) {
        try ControlMessage.decode(refuse(length: UInt16(text.count), text))
      }
    }
  }

  @Test func configurations() {
    func welcome(_ size: UInt32) -> [UInt8] {
      message(.welcome) {
        $0.write(UInt64(1)); $0.write(UInt32(500)); $0.write(UInt16(0)); $0.write(UInt16(0)); $0.write(size)
      }
    }
    #expect(throws: Never.self) { try ControlMessage.decode(welcome(0)) }
    #expect(throws: WireError.truncated) { try ControlMessage.decode(welcome(262_144)) }
    #expect(throws: WireError.tooLong(field: "configuration")) { try ControlMessage.decode(welcome(262_145)) }
  }

  @Test func bulk() throws {
    func key(lower: UInt32, upper: UInt32, bucket: UInt32 = 0) -> [UInt8] {
      message(.received) {
        $0.write(Pass(.training, step: 1)); $0.write(bucket); $0.write(lower); $0.write(upper)
      }
    }
    for (lower, upper) in [(UInt32(1), UInt32(1)), (2, 1), (0, 1 << 24 + 1), (.max, .max)] {
      #expect(throws: WireError.invalidValue(field: "subtree")) {
        try BulkMessage.decode(key(lower: lower, upper: upper))
      }
    }
    #expect(throws: WireError.invalidValue(field: "bucket")) {
      try BulkMessage.decode(key(lower: 0, upper: 1, bucket: 1 << 24))
    }

    func fetch(_ lower: UInt32, _ upper: UInt32) -> [UInt8] {
      message(.fetch) {
        $0.write(UInt64(1)); $0.write(UInt32(0)); $0.write(lower); $0.write(upper)
      }
    }
    #expect(throws: Never.self) { try BulkMessage.decode(fetch(0, 16)) }
    #expect(throws: WireError.tooLong(field: "buckets")) { try BulkMessage.decode(fetch(0, 17)) }
    #expect(throws: WireError.invalidValue(field: "buckets")) { try BulkMessage.decode(fetch(3, 3)) }

    func parameters(_ size: UInt32, _ payload: [UInt8]) -> [UInt8] {
      message(.parameters) {
        $0.write(UInt32(0)); $0.write(UInt32(0)); $0.write(size); for byte in payload { $0.write(byte) }
      }
    }
    #expect(throws: WireError.tooLong(field: "payload")) { try BulkMessage.decode(parameters(1 << 20 + 1, [])) }
    #expect(throws: WireError.truncated) { try BulkMessage.decode(parameters(8, [1, 2, 3, 4])) }
    #expect(throws: WireError.trailingBytes) { try BulkMessage.decode(parameters(4, [1, 2, 3, 4, 5])) }
    #expect(throws: WireError.invalidValue(field: "payload")) { try BulkMessage.decode(parameters(3, [1, 2, 3])) }
    // A model without batch norm has no buffers, but every sum has something in it.
    #expect(try BulkMessage.decode(parameters(0, [])).payload.isEmpty)
    let gradient = message(.gradient) {
      $0.write(UInt64(1)); $0.write(UInt8(0))
      for value in [1, 0, 0, 1, 0] as [UInt32] { $0.write(value) }
    }
    #expect(throws: WireError.invalidValue(field: "payload")) { try BulkMessage.decode(gradient) }
  }

  @Test func wants() {
    func want(_ count: UInt16, set: UInt8 = 0) -> [UInt8] {
      message(.want) {
        $0.write(UInt64(1)); $0.write(set); $0.write(count)
      }
    }
    #expect(throws: WireError.invalidValue(field: "indices")) { try SampleMessage.decode(want(0)) }
    #expect(throws: WireError.truncated) { try SampleMessage.decode(want(1024)) }
    #expect(throws: WireError.tooLong(field: "indices")) { try SampleMessage.decode(want(1025)) }
    #expect(throws: WireError.invalidValue(field: "sample set")) { try SampleMessage.decode(want(1, set: 2)) }
  }

  @Test func impossibleMessagesOfOursTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = ControlMessage.plan(Plan(revision: 1, pass: Pass(.training, step: 1), leaves: [3, 2])).encode(.unknown)
    }
    await #expect(processExitsWith: .failure) {
      _ = BulkMessage.fetch(Fetch(session: 1, version: 0, buckets: 3..<3)).encode(.unknown)
    }
  }
}
