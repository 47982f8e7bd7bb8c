import Lockstep

@testable import Wire

/// Messages of every kind, ordinary ones and those at the bounds of their fields.
enum Specimens {
  static let digest = Digest(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)
  static let envelope = Envelope(
    runID: RunID(bits: Digest(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F)), term: 7)
  static let extremeEnvelope = Envelope(runID: RunID(bits: Digest(high: .max, low: .max)), term: .max)
  static let lastStep = Int(UInt32.max)

  static let control: [ControlMessage] = [
    .hello(
      Hello(
        numerics: Numerics(engine: 2, selfTest: digest), name: "node-3", incarnation: 0x1122_3344_5566_7788,
        threads: 16,
        cpu: "Zen™ 4", fingerprint: Digest(high: 0xFFEE_DDCC_BBAA_9988, low: 0x7766_5544_3322_1100))),
    .hello(
      Hello(
        numerics: Numerics(engine: .max, selfTest: Digest(high: 0, low: .max)), name: String(repeating: "é", count: 32),
        incarnation: .max, threads: WireLimits.threads, cpu: String(repeating: "x", count: 128), fingerprint: nil)),
    .hello(
      Hello(
        numerics: Numerics(engine: 0, selfTest: digest), name: "", incarnation: 0, threads: 1, cpu: "", fingerprint: nil
      )),
    .beat(Beat(phase: .computing, pass: Pass(.training, step: 260), leavesFinished: 300, revision: 5)),
    .beat(Beat(phase: .idle, pass: nil, leavesFinished: 0, revision: 0)),
    .beat(Beat(phase: .sending, pass: Pass(.evaluation, step: lastStep), leavesFinished: .max, revision: .max)),
    .done(Done(pass: Pass(.training, step: 1), leaves: 0, seconds: 0)),
    .done(Done(pass: Pass(.evaluation, step: 0), leaves: WireLimits.leaves, seconds: .greatestFiniteMagnitude)),
    .fault(
      Fault(code: 65, sample: SampleReference(set: .validation, index: 12), reason: "cat/7.jpg cannot be decoded")),
    .fault(Fault(code: 255, sample: nil, reason: String(repeating: "r", count: 1024))),
    .fault(Fault(code: 1, sample: SampleReference(set: .training, index: Int(UInt32.max)), reason: "")),
    .leave,
    .welcome(
      Welcome(
        session: 9, configuration: Array(#"{"model":"googlenet"}"#.utf8), bulk: ":5556", samples: ":5557",
        beatMilliseconds: 500)),
    .welcome(
      Welcome(
        session: .max, configuration: [UInt8](repeating: 0x20, count: WireLimits.configuration),
        bulk: "tcp://" + String(repeating: "h", count: 244) + ":65535", samples: "",
        beatMilliseconds: WireLimits.beatMilliseconds)),
    .plan(Plan(revision: 258, pass: Pass(.evaluation, step: 65536), leaves: [0, 1, 2, 3, 8, 10, 11])),
    .plan(Plan(revision: 0, pass: Pass(.training, step: 1), leaves: [])),
    .plan(Plan(revision: .max, pass: Pass(.training, step: lastStep), leaves: Array(0..<WireLimits.planLeaves))),
    .plan(Plan(revision: 1, pass: Pass(.training, step: 2), leaves: (0..<WireLimits.planLeaves).map { $0 * 2 + 1 })),
    .plan(Plan(revision: 1, pass: Pass(.training, step: 2), leaves: [WireLimits.leaves - 1])),
    .pulse(Pulse(revision: 0)),
    .pulse(Pulse(revision: .max)),
    .refuse(Refuse(code: 78, reason: "protocol 2, not 3")),
    .refuse(Refuse(code: 0, reason: "")),
    .stop(Stop(code: 0, reason: "the run is done")),
    .stop(Stop(code: 255, reason: String(repeating: "🐢", count: 256))),
  ]

  static let key = ContributionKey(pass: Pass(.training, step: 4), bucket: 6, subtree: Subtree(8, 12))
  static let extremeKey = ContributionKey(
    pass: Pass(.evaluation, step: lastStep), bucket: WireLimits.buckets - 1,
    subtree: Subtree(WireLimits.leaves - 1, WireLimits.leaves))

  /// With their payloads.
  static let bulk: [(message: BulkMessage, payload: [UInt8])] = [
    (.attach(session: 0), []),
    (.attach(session: .max), []),
    (.gradient(Contribution(session: 0xFEDC_BA98_7654_3210, key: key)), [0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC0]),
    (.gradient(Contribution(session: .max, key: extremeKey)), [UInt8](repeating: 0xFF, count: WireLimits.bulkPayload)),
    (.fetch(Fetch(session: 1, version: 41, buckets: 16..<32)), []),
    (.fetch(Fetch(session: 1, version: 0, buckets: 0..<1)), []),
    (.fetch(Fetch(session: .max, version: lastStep, buckets: WireLimits.buckets - 16..<WireLimits.buckets)), []),
    (.received(key), []),
    (.received(extremeKey), []),
    (.parameters(Parameters(version: 0, bucket: 0)), [1, 2, 3, 4]),
    (.parameters(Parameters(version: lastStep, bucket: WireLimits.buckets - 1)), [UInt8](0..<252)),
  ]

  static let samples: [(message: SampleMessage, payload: [UInt8])] = [
    (.want(session: 9, set: .validation, indices: [70000, 3]), []),
    (.want(session: .max, set: .training, indices: [Int](repeating: Int(UInt32.max), count: 1024)), []),
    (
      .sample(
        SampleHeader(
          sample: SampleReference(set: .training, index: 12), label: 257, encoding: 1, height: 32, width: 31,
          channels: 3,
          digest: digest)), Array("abc".utf8)
    ),
    (
      .sample(
        SampleHeader(
          sample: SampleReference(set: .validation, index: Int(UInt32.max)), label: WireLimits.classes - 1,
          encoding: .max,
          height: WireLimits.side, width: WireLimits.side, channels: 4, digest: digest)), []
    ),
  ]
}

/// The bytes that hexadecimal digits stand for.
func bytes(_ hex: String) -> [UInt8] {
  let digits = Array(hex.utf8).map { UInt8($0 < 58 ? $0 - 48 : $0 - 87) }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// The same bytes with the checksum that fits them.
func resealed(_ message: [UInt8]) -> [UInt8] {
  let body = Array(message.dropLast(8))
  let checksum = body.withUnsafeBytes { checksum64($0) }
  return body + withUnsafeBytes(of: checksum.littleEndian) { Array($0) }
}

extension PayloadMessage {
  /// Decodes bytes of an array, with a copy of the payload.
  static func decode(_ bytes: [UInt8]) throws(WireError) -> (envelope: Envelope, message: Self, payload: [UInt8]) {
    try bytes.withUnsafeBytes { raw in
      Result { () throws(WireError) in
        let (envelope, message, payload) = try decode(raw)
        return (envelope, message, Array(payload))
      }
    }.get()
  }
}
