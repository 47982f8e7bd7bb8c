import Lockstep

extension BulkMessage: PayloadMessage {
  public func encodedSize(payloadBytes: Int) -> Int {
    let fields =
      switch self {
      case .attach: 8
      case .gradient: 8 + Self.keyByteCount + 4
      case .fetch: 8 + 12
      case .received: Self.keyByteCount
      case .parameters: 8 + 4
      }
    return Envelope.byteCount + fields + payloadBytes + Envelope.checksumByteCount
  }

  public func encode(_ envelope: Envelope, payload: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer)
  {
    var writer = MessageWriter(kind, envelope)
    switch self {
    case .attach(let session):
      writer.write(session)
    case .gradient(let contribution):
      writer.write(contribution.session)
      writer.write(contribution.key)
    case .fetch(let fetch):
      precondition(
        (1...WireLimits.fetchBuckets).contains(fetch.buckets.count), "a request for \(fetch.buckets.count) buckets")
      writer.write(fetch.session)
      writer.write(fetch.version, as: UInt32.self, in: 0...Int(UInt32.max), "a version")
      writer.write(fetch.buckets.lowerBound, as: UInt32.self, in: 0...WireLimits.buckets, "a bucket")
      writer.write(fetch.buckets.upperBound, as: UInt32.self, in: 0...WireLimits.buckets, "a bucket")
    case .received(let key):
      writer.write(key)
    case .parameters(let parameters):
      writer.write(parameters.version, as: UInt32.self, in: 0...Int(UInt32.max), "a version")
      writer.write(parameters.bucket, as: UInt32.self, in: 0...WireLimits.buckets - 1, "a bucket")
    }
    if hasPayload {
      precondition(payload.count >= smallestPayload && payload.count % 4 == 0, "a bucket holds whole numbers")
      writer.writePayloadSize(payload.count, limit: WireLimits.bulkPayload)
    } else {
      precondition(payload.isEmpty, "a message without a payload")
    }
    assemble(writer.bytes, payload: payload, into: buffer)
  }

  public static func decode(
    _ bytes: UnsafeRawBufferPointer
  ) throws(WireError) -> (envelope: Envelope, message: BulkMessage, payload: UnsafeRawBufferPointer) {
    var opened = try OpenedMessage(bytes, limit: WireLimits.bulkMessage)
    let message = try BulkMessage(try opened.currentKind(), from: &opened.fields)
    var payload = UnsafeRawBufferPointer(start: nil, count: 0)
    if message.hasPayload {
      payload = try opened.fields.readPayload(limit: WireLimits.bulkPayload)
      guard payload.count >= message.smallestPayload, payload.count % 4 == 0 else {
        throw .invalidValue(field: "payload")
      }
    }
    try opened.fields.finish()
    return (opened.envelope, message, payload)
  }

  private init(_ kind: MessageKind, from reader: inout MessageReader) throws(WireError) {
    switch kind {
    case .attach:
      self = .attach(session: try reader.read())
    case .gradient:
      let session: UInt64 = try reader.read()
      self = .gradient(Contribution(session: session, key: try reader.readKey()))
    case .fetch:
      let session: UInt64 = try reader.read()
      let version = try reader.read(UInt32.self, in: 0...Int(UInt32.max), "version")
      let lower = try reader.read(UInt32.self, in: 0...WireLimits.buckets, "buckets")
      let upper = try reader.read(UInt32.self, in: 0...WireLimits.buckets, "buckets")
      guard lower < upper else { throw .invalidValue(field: "buckets") }
      guard upper - lower <= WireLimits.fetchBuckets else { throw .tooLong(field: "buckets") }
      self = .fetch(Fetch(session: session, version: version, buckets: lower..<upper))
    case .received:
      self = .received(try reader.readKey())
    case .parameters:
      let version = try reader.read(UInt32.self, in: 0...Int(UInt32.max), "version")
      self = .parameters(
        Parameters(version: version, bucket: try reader.read(UInt32.self, in: 0...WireLimits.buckets - 1, "bucket")))
    case .hello, .refuse, .beat, .done, .fault, .leave, .welcome, .plan, .pulse, .stop, .want, .sample:
      throw .unknownKind(Int(kind.rawValue))
    }
  }

  private var kind: MessageKind {
    switch self {
    case .attach: .attach
    case .gradient: .gradient
    case .fetch: .fetch
    case .received: .received
    case .parameters: .parameters
    }
  }

  private var hasPayload: Bool { kind == .gradient || kind == .parameters }

  /// A model without batch norm has no buffers, so that their bucket is empty; every other one has elements.
  private var smallestPayload: Int { kind == .parameters ? 0 : 4 }

  /// Pass, bucket and subtree.
  private static let keyByteCount = 5 + 4 + 8
}

extension MessageWriter {
  /// The pass, the bucket in 4 bytes, the subtree.
  fileprivate mutating func write(_ key: ContributionKey) {
    write(key.pass)
    write(key.bucket, as: UInt32.self, in: 0...WireLimits.buckets - 1, "a bucket")
    write(key.subtree)
  }
}

extension MessageReader {
  fileprivate mutating func readKey() throws(WireError) -> ContributionKey {
    let pass = try readPass()
    let bucket = try read(UInt32.self, in: 0...WireLimits.buckets - 1, "bucket")
    return ContributionKey(pass: pass, bucket: bucket, subtree: try readSubtree())
  }
}
