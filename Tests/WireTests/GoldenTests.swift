import Testing

@testable import Wire

/// Protocol.md's byte tables, written down a second time in Python:
///
///     import struct, xxhash
///     def message(kind, fields, version=2, run=bytes(range(16)), term=7):
///         body = b"TRNR" + struct.pack("<HH", version, kind) + run + struct.pack("<I", term) + fields
///         return (body + struct.pack("<Q", xxhash.xxh3_64_intdigest(body))).hex()
///     text = lambda s: struct.pack("<H", len(s.encode())) + s.encode()
///     pass_ = lambda kind, step: struct.pack("<BI", kind, step)
///     digest = bytes.fromhex("00112233445566778899aabbccddeeff")
@Suite struct GoldenTests {
  /// message(1, pack("<Q", 0x1122334455667788) + text("node-3") + pack("<I", 2) + digest + pack("<I", 16)
  ///   + text("Zen™ 4") + b"\1" + digest[::-1], run=bytes(16), term=0)
  @Test func hello() throws {
    let golden = bytes(
      "54524e52020001000000000000000000000000000000000000000000887766554433221106006e6f64652d330200000000112233445566778899aabb"
        + "ccddeeff1000000008005a656ee284a2203401ffeeddccbbaa998877665544332211000752740888da18d9")
    #expect(Specimens.control[0].encode(.unknown) == golden)
    let decoded = try ControlMessage.decode(golden)
    #expect(decoded.envelope == .unknown && decoded.message == Specimens.control[0])
  }

  /// message(3, pack("<BQQB", 3, 300, 5, 1) + pass_(0, 260))
  @Test func beat() {
    let beat = ControlMessage.beat(
      Beat(phase: .computing, pass: Pass(.training, step: 260), leavesFinished: 300, revision: 5))
    #expect(
      beat.encode(Specimens.envelope)
        == bytes(
          "54524e5202000300000102030405060708090a0b0c0d0e0f07000000032c01000000000000050000000000000001000401000045962c5ad0b4"
            + "bac1"))
  }

  /// message(8, pack("<Q", 258) + pass_(1, 65536) + pack("<I", 3) + pack("<IHIHIH", 0, 3, 8, 0, 10, 1))
  @Test func plan() {
    let plan = ControlMessage.plan(
      Plan(revision: 258, pass: Pass(.evaluation, step: 65536), leaves: [0, 1, 2, 3, 8, 10, 11]))
    #expect(
      plan.encode(Specimens.envelope)
        == bytes(
          "54524e5202000800000102030405060708090a0b0c0d0e0f0700000002010000000000000100000100030000000000000003000800000000000a"
            + "000000010022f1fd328bc1de60"))
  }

  /// message(6, b"") and message(2, b"\x4e" + text("protocol 2, not 3"))
  @Test func leaveAndRefuse() {
    #expect(
      ControlMessage.leave.encode(Specimens.envelope)
        == bytes("54524e5202000600000102030405060708090a0b0c0d0e0f07000000de7c659dd3d0effe"))
    #expect(
      ControlMessage.refuse(Refuse(code: 78, reason: "protocol 2, not 3")).encode(Specimens.envelope)
        == bytes(
          "54524e5202000200000102030405060708090a0b0c0d0e0f070000004e110070726f746f636f6c20322c206e6f7420330f462c228e5d0996"
        ))
  }

  /// message(33, pack("<Q", 0xfedcba9876543210) + pass_(0, 4) + pack("<III", 6, 8, 12) + pack("<I", 8)
  ///   + pack("<ff", 1.0, -2.5)); message(34, pack("<QIII", 1, 41, 16, 32)); message(35, pass_(0, 4) + pack("<III", 6, 8, 12))
  @Test func bulk() {
    let (gradient, payload) = Specimens.bulk[2]
    #expect(
      gradient.encode(Specimens.envelope, payload: payload)
        == bytes(
          "54524e5202002100000102030405060708090a0b0c0d0e0f070000001032547698badcfe000400000006000000080000000c0000000800000000"
            + "00803f000020c07b10e1b720a40551"))
    #expect(
      BulkMessage.fetch(Fetch(session: 1, version: 41, buckets: 16..<32)).encode(Specimens.envelope)
        == bytes(
          "54524e5202002200000102030405060708090a0b0c0d0e0f0700000001000000000000002900000010000000200000006cb5ae9b63a9749a"
        ))
    #expect(
      BulkMessage.received(Specimens.key).encode(Specimens.envelope)
        == bytes(
          "54524e5202002300000102030405060708090a0b0c0d0e0f07000000000400000006000000080000000c000000676d7b7f88f79e8f"))
  }

  /// message(64, pack("<QBH", 9, 1, 2) + pack("<II", 70000, 3)); message(65, pack("<BI", 0, 12)
  ///   + pack("<IBIIB", 257, 1, 32, 31, 3) + digest + pack("<I", 3) + b"abc")
  @Test func samples() {
    #expect(
      Specimens.samples[0].message.encode(Specimens.envelope)
        == bytes(
          "54524e5202004000000102030405060708090a0b0c0d0e0f07000000090000000000000001020070110100030000008a2d823bf0c12a2a"
        ))
    #expect(
      Specimens.samples[2].message.encode(Specimens.envelope, payload: Specimens.samples[2].payload)
        == bytes(
          "54524e5202004100000102030405060708090a0b0c0d0e0f07000000000c0000000101000001200000001f0000000300112233445566778899aa"
            + "bbccddeeff03000000616263abbe9e2014a52258"))
  }

  /// message(2, b"\x4e" + text("protocol 9, not 1") + b"future fields", version=9): read in spite of its version, for its reason.
  @Test func refuseOfAnotherVersion() throws {
    let decoded = try ControlMessage.decode(
      bytes(
        "54524e5209000200000102030405060708090a0b0c0d0e0f070000004e110070726f746f636f6c20392c206e6f742031667574757265206669656c"
          + "64735c58c70ec094f81c"))
    #expect(decoded.envelope == Specimens.envelope)
    #expect(decoded.message == .refuse(Refuse(code: 78, reason: "protocol 9, not 1")))
  }

  /// message(1, pack("<Q", 5) + text("w") + b"other fields", version=9)
  @Test func helloOfAnotherVersion() {
    #expect(throws: WireError.otherVersion(9)) {
      try ControlMessage.decode(
        bytes(
          "54524e5209000100000102030405060708090a0b0c0d0e0f0700000005000000000000000100776f74686572206669656c6473f26eaeb51b14ade5"
        ))
    }
  }
}
