import Lockstep

extension ControlMessage {
  /// The message as it travels.
  public func encode(_ envelope: Envelope) -> [UInt8] { encode(envelope, version: protocolVersion) }

  /// As another version of the protocol would send it; HELLO and REFUSE begin alike in all of them.
  func encode(_ envelope: Envelope, version: UInt16) -> [UInt8] {
    var writer = MessageWriter(kind, envelope, version: version)
    write(to: &writer)
    return writer.finish()
  }

  /// Reads a message; also a REFUSE of any other version, which says why this one is not welcome there.
  ///
  /// - Errors: `otherVersion` for whole messages of other versions: answer with REFUSE and code 78.
  public static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> (
    envelope: Envelope, message: ControlMessage
  ) {
    var opened = try OpenedMessage(bytes, limit: WireLimits.controlMessage)
    if opened.version != protocolVersion, opened.kind == MessageKind.refuse.rawValue {
      return (opened.envelope, .refuse(try Refuse(from: &opened.fields)))
    }
    let message = try ControlMessage(try opened.currentKind(), from: &opened.fields)
    try opened.fields.finish()
    return (opened.envelope, message)
  }

  /// Reads a message.
  public static func decode(_ bytes: [UInt8]) throws(WireError) -> (envelope: Envelope, message: ControlMessage) {
    try bytes.withUnsafeBytes { raw in
      Result { () throws(WireError) in try decode(raw) }
    }.get()
  }

  private var kind: MessageKind {
    switch self {
    case .hello: .hello
    case .beat: .beat
    case .done: .done
    case .fault: .fault
    case .leave: .leave
    case .welcome: .welcome
    case .plan: .plan
    case .pulse: .pulse
    case .refuse: .refuse
    case .stop: .stop
    }
  }

  private func write(to writer: inout MessageWriter) {
    switch self {
    case .hello(let hello): hello.write(to: &writer)
    case .beat(let beat): beat.write(to: &writer)
    case .done(let done): done.write(to: &writer)
    case .fault(let fault): fault.write(to: &writer)
    case .leave: break
    case .welcome(let welcome): welcome.write(to: &writer)
    case .plan(let plan): plan.write(to: &writer)
    case .pulse(let pulse): pulse.write(to: &writer)
    case .refuse(let refuse): refuse.write(to: &writer)
    case .stop(let stop): stop.write(to: &writer)
    }
  }

  private init(_ kind: MessageKind, from reader: inout MessageReader) throws(WireError) {
    switch kind {
    case .hello: self = .hello(try Hello(from: &reader))
    case .beat: self = .beat(try Beat(from: &reader))
    case .done: self = .done(try Done(from: &reader))
    case .fault: self = .fault(try Fault(from: &reader))
    case .leave: self = .leave
    case .welcome: self = .welcome(try Welcome(from: &reader))
    case .plan: self = .plan(try Plan(from: &reader))
    case .pulse: self = .pulse(try Pulse(from: &reader))
    case .refuse: self = .refuse(try Refuse(from: &reader))
    case .stop: self = .stop(try Stop(from: &reader))
    case .attach, .gradient, .fetch, .received, .parameters, .want, .sample:
      throw .unknownKind(Int(kind.rawValue))
    }
  }
}
