import Lockstep

extension SampleMessage: PayloadMessage {
  public func encodedSize(payloadBytes: Int) -> Int {
    let fields =
      switch self {
      case .want(_, _, let indices): 8 + 1 + 2 + 4 * indices.count
      case .sample: 5 + 4 + 1 + 4 + 4 + 1 + 16 + 4
      }
    return Envelope.byteCount + fields + payloadBytes + Envelope.checksumByteCount
  }

  public func encode(_ envelope: Envelope, payload: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer)
  {
    switch self {
    case .want(let session, let set, let indices):
      precondition((1...WireLimits.wantIndices).contains(indices.count), "a request for \(indices.count) samples")
      precondition(payload.isEmpty, "a message without a payload")
      var writer = MessageWriter(.want, envelope)
      writer.write(session)
      writer.write(set.rawValue)
      writer.write(UInt16(indices.count))
      for index in indices { writer.write(index, as: UInt32.self, in: 0...Int(UInt32.max), "a sample's index") }
      assemble(writer.bytes, payload: payload, into: buffer)
    case .sample(let header):
      var writer = MessageWriter(.sample, envelope)
      header.write(to: &writer)
      writer.writePayloadSize(payload.count, limit: WireLimits.samplePayload)
      assemble(writer.bytes, payload: payload, into: buffer)
    }
  }

  public static func decode(
    _ bytes: UnsafeRawBufferPointer
  ) throws(WireError) -> (envelope: Envelope, message: SampleMessage, payload: UnsafeRawBufferPointer) {
    var opened = try OpenedMessage(bytes, limit: WireLimits.sampleMessage)
    let message: SampleMessage
    var payload = UnsafeRawBufferPointer(start: nil, count: 0)
    switch try opened.currentKind() {
    case .want:
      message = try want(from: &opened.fields)
    case .sample:
      message = .sample(try SampleHeader(from: &opened.fields))
      payload = try opened.fields.readPayload(limit: WireLimits.samplePayload)
    case let other:
      throw .unknownKind(Int(other.rawValue))
    }
    try opened.fields.finish()
    return (opened.envelope, message, payload)
  }

  private static func want(from reader: inout MessageReader) throws(WireError) -> SampleMessage {
    let session: UInt64 = try reader.read()
    let set = try reader.readCase(SampleSet.self, "sample set")
    let count = Int(try reader.read(UInt16.self))
    guard count > 0 else { throw .invalidValue(field: "indices") }
    guard count <= WireLimits.wantIndices else { throw .tooLong(field: "indices") }
    guard count * 4 <= reader.remaining else { throw .truncated }
    var indices: [Int] = []
    indices.reserveCapacity(count)
    for _ in 0..<count { indices.append(Int(try reader.read(UInt32.self))) }
    return .want(session: session, set: set, indices: indices)
  }
}

extension SampleHeader {
  fileprivate func write(to writer: inout MessageWriter) {
    writer.write(sample)
    writer.write(label, as: UInt32.self, in: 0...WireLimits.classes - 1, "a label")
    writer.write(encoding)
    writer.write(height, as: UInt32.self, in: 0...WireLimits.side, "a height")
    writer.write(width, as: UInt32.self, in: 0...WireLimits.side, "a width")
    writer.write(channels, as: UInt8.self, in: 0...4, "channels")
    writer.write(digest)
  }

  fileprivate init(from reader: inout MessageReader) throws(WireError) {
    let sample = try reader.readSampleReference()
    let label = try reader.read(UInt32.self, in: 0...WireLimits.classes - 1, "label")
    let encoding: UInt8 = try reader.read()
    let height = try reader.read(UInt32.self, in: 0...WireLimits.side, "height")
    let width = try reader.read(UInt32.self, in: 0...WireLimits.side, "width")
    let channels = try reader.read(UInt8.self, in: 0...4, "channels")
    self.init(
      sample: sample, label: label, encoding: encoding, height: height, width: width, channels: channels,
      digest: try reader.readDigest())
  }
}
