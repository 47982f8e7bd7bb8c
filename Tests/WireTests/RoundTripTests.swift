import Lockstep
import Testing

@testable import Wire

@Suite struct RoundTripTests {
  @Test(arguments: [Envelope.unknown, Specimens.envelope, Specimens.extremeEnvelope])
  func control(envelope: Envelope) throws {
    for message in Specimens.control {
      let encoded = message.encode(envelope)
      #expect(encoded.count <= WireLimits.controlMessage)
      let decoded = try ControlMessage.decode(encoded)
      #expect(decoded.envelope == envelope)
      #expect(decoded.message == message)
    }
  }

  @Test(arguments: [Envelope.unknown, Specimens.envelope, Specimens.extremeEnvelope])
  func payloads(envelope: Envelope) throws {
    for (message, payload) in Specimens.bulk { try check(message, payload, envelope, limit: WireLimits.bulkMessage) }
    for (message, payload) in Specimens.samples {
      try check(message, payload, envelope, limit: WireLimits.sampleMessage)
    }
  }

  private func check(
    _ message: some PayloadMessage & Equatable, _ payload: [UInt8], _ envelope: Envelope, limit: Int
  ) throws {
    let encoded = message.encode(envelope, payload: payload)
    #expect(encoded.count == message.encodedSize(payloadBytes: payload.count) && encoded.count <= limit)
    let decoded = try type(of: message).decode(encoded)
    #expect(decoded.envelope == envelope)
    #expect(decoded.message == message)
    #expect(decoded.payload == payload)
  }

  @Test func largestSample() throws {
    let payload = [UInt8](repeating: 0xA5, count: WireLimits.samplePayload)
    try check(Specimens.samples[2].message, payload, Specimens.envelope, limit: WireLimits.sampleMessage)
  }

  /// Every kind has a specimen, so that a new message cannot be forgotten here.
  @Test func specimensAreComplete() {
    let encoded =
      Specimens.control.map { $0.encode(.unknown) }
      + Specimens.bulk.map { $0.message.encode(.unknown, payload: $0.payload) }
      + Specimens.samples.map { $0.message.encode(.unknown, payload: $0.payload) }
    let kinds = Set(encoded.map { UInt16($0[6]) | UInt16($0[7]) << 8 })
    #expect(kinds == Set(MessageKind.allCases.map(\.rawValue)))
  }

  @Test func payloadIsPartOfTheMessage() throws {
    let (message, payload) = Specimens.bulk[2]
    let encoded = message.encode(Specimens.envelope, payload: payload)
    try encoded.withUnsafeBytes { raw in
      let slice = try BulkMessage.decode(raw).payload
      let start = try #require(raw.baseAddress), address = try #require(slice.baseAddress)
      #expect(address - start == raw.count - 8 - payload.count)
    }
  }

  /// Reasons hold file names of any kind; they must neither trap nor steer a terminal.
  @Test func proseIsMadeToFit() throws {
    let reason = "bad\u{1B}[2J\nfile " + String(repeating: "ü", count: 1000)
    let decoded = try ControlMessage.decode(
      ControlMessage.fault(Fault(code: 65, sample: nil, reason: reason)).encode(.unknown))
    guard case .fault(let fault) = decoded.message else { Issue.record("a fault"); return }
    #expect(fault.reason.hasPrefix("bad [2J file ü"))
    #expect(fault.reason.utf8.count == 1023 || fault.reason.utf8.count == 1024)
    #expect(fault.reason.unicodeScalars.allSatisfy { !$0.isControl })
  }
}
