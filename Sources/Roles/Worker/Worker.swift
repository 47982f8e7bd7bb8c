import Coordination
import Compute
import Datasets
import Foundation
import Lockstep
import Models
import Training
import Transport
import Wire

/// `trainer worker`: drives the worker's logic between the coordinator's sockets and the engine's thread.
public final class Worker {
  /// How a worker is started.
  public struct Options: Sendable {
    /// The coordinator's endpoint.
    public var coordinator: String
    /// Compute threads.
    public var threads: Int
    /// A SPEC of its own copy of the training data.
    public var data: String?
    /// What it is called in logs.
    public var name: String?
    /// Without any word from the coordinator for so long it gives up.
    public var patience: Duration
    /// Whether a supervisor on this host has started it: then it speaks only of trouble.
    public var isSupervised: Bool

    /// Collects the options.
    public init(coordinator: String, threads: Int, data: String?, name: String?, patience: Duration, isSupervised: Bool)
    {
      (self.coordinator, self.threads, self.data, self.name) = (coordinator, threads, data, name)
      (self.patience, self.isSupervised) = (patience, isSupervised)
    }
  }

  private let options: Options
  private let name: String
  private let endpoint: Endpoint
  private let copy: (any Dataset)?
  private let line: StatusLine
  private let wakeup = Wakeup()
  private let poller = Poller()
  private let control: DealerSocket
  private let controlMonitor: SocketMonitor
  private let bulkContext = MessageContext()
  private var link: BulkLink?
  private var state: WorkerState
  private var assignment: Assignment?
  private let start = ContinuousClock.now
  private var ending: (code: Int, reason: String)?
  private var awaited: (message: BulkMessage, payload: UnsafeRawBufferPointer)?

  /// What it works on: known once the coordinator has welcomed it.
  private struct Assignment {
    let configuration: RunConfiguration
    let json: [UInt8]
    let model: Model
    let data: WorkerData
    let engine: WorkerEngine
    var memory: WorkerMemory
  }

  /// Opens its copy of the data, tests its numerics, and begins to look for the coordinator.
  public init(_ options: Options) throws(Failure) {
    self.options = options
    endpoint = try failing { try Endpoint(options.coordinator) }
    let host = ProcessInfo.processInfo.hostName
    name =
      options.name
      ?? String(decoding: "\(host):\(ProcessInfo.processInfo.processIdentifier)".utf8.prefix(64), as: UTF8.self)
    line = StatusLine(prefix: "[\(name)] ")
    try failing { try checkFusedMultiplyAdd() }
    // Drawn pictures need no copy: a worker draws them itself, in the size of the run.
    let spec = options.data.flatMap { $0 == "synthetic" || $0.hasPrefix("synthetic:") ? nil : $0 }
    copy = try spec.map { spec throws(Failure) in
      try failing { try DatasetCatalog.open(spec, role: .training, imageSize: 32) }
    }
    let fingerprint = try copy.map { copy throws(Failure) in try failing { try copy.fingerprint() } }
    let hello = Hello(
      numerics: numericsSelfTest(), name: name, incarnation: UInt64.random(in: 1...UInt64.max),
      threads: options.threads,
      cpu: HostDescription.cpu, fingerprint: fingerprint)
    state = WorkerState(hello: hello, patience: options.patience, at: Coordination.Instant(nanoseconds: 0))
    control = DealerSocket(
      MessageContext(),
      SocketOptions(maximumMessageSize: WireLimits.controlMessage, sendHighWater: 64, receiveHighWater: 64))
    controlMonitor = control.makeMonitor()
    try failing { try control.connect(endpoint) }
    for source in [control, controlMonitor, wakeup] as [any Pollable] { poller.add(source) }
  }

  /// Works until the coordinator says that the run is over; the result is the exit code.
  public func run() throws(Failure) -> Int32 {
    let signals = SignalWatch.start()
    poller.add(signals)
    var nextTick = ContinuousClock.now
    while ending == nil {
      var isBusy = drainControl()
      isBusy = drainBulk() || isBusy
      isBusy = drainSamples() || isBusy
      drainEngine()
      if signals.clear() {
        handle(.leaveRequested)
        if ending != nil {
          close()
          return SignalWatch.arrivals.exitCode.rawValue
        }
      }
      let now = ContinuousClock.now
      if now >= nextTick {
        handle(.tick)
        nextTick = now + .milliseconds(50)
      }
      askForSamples()
      if !isBusy && ending == nil { _ = poller.wait(atMost: max(.zero, nextTick - ContinuousClock.now)) }
    }
    close()
    let (code, reason) = ending ?? (0, "")
    if code == 0 { say("done: \(reason)") } else { line.warn(reason) }
    return Int32(clamping: code)
  }

  private func close() {
    assignment?.data.close()
    assignment?.engine.stop()
    link?.close(poller)
    control.close(lingering: .seconds(1))
  }

  // MARK: - What arrives

  private var now: Coordination.Instant {
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    return Coordination.Instant(nanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  private func drainControl() -> Bool {
    wakeup.clear()
    while let event = controlMonitor.receive() {
      if event.kind == .handshakeSucceeded { handle(.controlConnectionRemade) }
    }
    for _ in 0..<64 {
      guard let frame = control.receive() else { return false }
      frame.withUnsafeBytes { bytes in
        do throws(WireError) {
          let (envelope, message) = try ControlMessage.decode(bytes)
          handle(.control(message, Tenure(run: envelope.runID, term: Int(envelope.term))))
        } catch {
          if case .otherVersion = error {
            ending = (Int(ExitCode.mismatch.rawValue), "the coordinator at \(endpoint) sent \(error)")
          }
        }
      }
    }
    return true
  }

  private func drainBulk() -> Bool {
    guard let link else { return false }
    while let event = link.bulkMonitor.receive() {
      if event.kind == .handshakeSucceeded { handle(.bulkConnectionRemade) }
    }
    for _ in 0..<32 {
      guard let frame = link.bulk.receive() else { return false }
      frame.withUnsafeBytes { bytes in
        guard let (envelope, message, payload) = try? BulkMessage.decode(bytes) else { return }
        awaited = (message, payload)
        handle(.bulk(message, Tenure(run: envelope.runID, term: Int(envelope.term))))
        awaited = nil
      }
    }
    return true
  }

  private func drainSamples() -> Bool {
    guard let link, let assignment else { return false }
    while let event = link.samplesMonitor.receive() {
      if event.kind == .handshakeSucceeded { assignment.data.remotes.values.forEach { $0.connectionRemade() } }
    }
    for _ in 0..<16 {
      guard let frame = link.samples.receive() else { return false }
      frame.withUnsafeBytes { bytes in
        guard let (_, message, payload) = try? SampleMessage.decode(bytes), case .sample(let header) = message,
          let encoding = EncodedSample.Encoding(rawValue: header.encoding), Digest(of: payload) == header.digest,
          (0..<assignment.configuration.classes).contains(header.label)
        else { return }
        assignment.data.remotes[header.sample.set]?.deliver(
          header.sample.index,
          EncodedSample(
            bytes: Array(payload), label: header.label, encoding: encoding, height: header.height, width: header.width,
            channels: header.channels))
      }
    }
    return true
  }

  private func drainEngine() {
    for report in assignment?.engine.takeReports() ?? [] {
      switch report {
      case .loading: break
      case .bucket(let pass, let leaf, let bucket): handle(.leafBucketReady(pass, leaf: leaf, bucket: bucket))
      case .finished(let pass, let leaf, let seconds): handle(.leafFinished(pass, leaf: leaf, seconds: seconds))
      case .failed(let fault): handle(.fault(fault))
      }
    }
  }

  // MARK: - What is to be done

  private func handle(_ input: WorkerState.Input) {
    for effect in state.handle(input, at: now) { perform(effect) }
    if let upcoming = state.upcoming {
      assignment?.data.prepare(upcoming.pass, upcoming: upcoming.leaves, assigned: upcoming.assigned)
    }
  }

  private func perform(_ effect: WorkerState.Effect) {
    let envelope = Envelope(runID: state.tenure.run, term: UInt32(clamping: state.tenure.term))
    switch effect {
    // A message that cannot be sent at once is dropped: everything is repeated until it is answered.
    case .sendControl(let message): _ = control.send(Frame(copying: message.encode(envelope)))
    case .sendBulk(let message): send(message, envelope)
    case .welcomed(let welcome, let tenure): configure(welcome, tenure)
    case .storeParameters(let version, let bucket): store(version, bucket)
    case .versionComplete: break
    case .startLeaf(let task): begin(task)
    case .free(let pass, let subtree): assignment?.memory.freeSum(pass, subtree)
    case .event(let event): note(event)
    case .finished(let code, let reason): ending = (code, reason)
    }
  }

  private func configure(_ welcome: Welcome, _ tenure: Tenure) {
    do {
      if assignment?.json != welcome.configuration {
        let configuration = try JSONDecoder().decode(RunConfiguration.self, from: Data(welcome.configuration))
        let model = try Model(
          try ModelCatalog.definition(named: configuration.model), classes: configuration.classes,
          imageSize: configuration.imageSize, width: configuration.width)
        assignment?.data.close()
        assignment?.engine.stop()
        assignment = Assignment(
          configuration: configuration, json: welcome.configuration, model: model,
          data: try WorkerData(configuration, copy: copy, wakeup: wakeup),
          engine: WorkerEngine(model: model, configuration: configuration, threads: options.threads, wakeup: wakeup),
          memory: WorkerMemory(
            flatCount: model.flat.count, bufferCount: model.bufferCount, statisticsCount: model.statistics.count))
      }
      link?.close(poller)
      link = try BulkLink(welcome, coordinator: endpoint, context: bulkContext, poller)
    } catch {
      ending = (Int(ExitCode.mismatch.rawValue), "the coordinator's configuration does not work here: \(error)")
      return
    }
    guard let assignment else { return }
    handle(.configured(.init(gradientBuckets: assignment.model.flat.buckets.count, leafCount: assignment.data.shape)))
  }

  private func begin(_ task: LeafTask) {
    guard var assignment else { return }
    guard let arena = assignment.memory.arena, arena.version == task.pass.version else {
      preconditionFailure("a leaf begins once its version is complete")
    }
    let siblings = task.climb.map { step in
      guard let sum = assignment.memory.sum(task.pass, step.sibling) else {
        preconditionFailure("a sum is kept until it is added")
      }
      return sum
    }
    let result = assignment.memory.makeSum(task.pass, task.result)
    let (loader, request) = assignment.data.take(task.pass, task.leaf)
    self.assignment = assignment
    assignment.engine.start(
      .init(
        task: task, arena: arena, result: result, siblings: siblings, loader: loader, request: request,
        epoch: assignment.data.epoch(of: task.pass), set: assignment.data.set(of: task.pass)))
  }

  private func store(_ version: Int, _ bucket: Int) {
    guard let (_, payload) = awaited, let flat = assignment?.model.flat, let buffers = assignment?.model.bufferCount,
      let arena = assignment?.memory.arena(for: version)
    else { return }
    let isBuffers = bucket == flat.buckets.count
    let count = isBuffers ? buffers : flat.buckets[bucket].count
    guard payload.count == count * MemoryLayout<Float>.size else {
      ending = (
        Int(ExitCode.mismatch.rawValue),
        "the coordinator sent \(payload.count) bytes for bucket \(bucket), which has \(count * 4)"
      )
      return
    }
    let target = isBuffers ? arena.buffers.pointer : arena.parameters.pointer + flat.buckets[bucket].lowerBound
    UnsafeMutableRawBufferPointer(start: target, count: payload.count).copyMemory(from: payload)
  }

  private func send(_ message: BulkMessage, _ envelope: Envelope) {
    guard let link else { return }
    func send(_ payload: UnsafeRawBufferPointer) {
      var frame = Frame(byteCount: message.encodedSize(payloadBytes: payload.count))
      frame.withUnsafeMutableBytes { message.encode(envelope, payload: payload, into: $0) }
      _ = link.bulk.send(frame)
    }
    guard case .gradient(let contribution) = message else {
      send(UnsafeRawBufferPointer(start: nil, count: 0))
      return
    }
    let key = contribution.key
    guard let assignment, let sum = assignment.memory.sum(key.pass, key.subtree) else { return }
    if key.bucket == assignment.model.flat.buckets.count {
      sum.statistics.withUnsafeBytes(send)
    } else {
      let range = assignment.model.flat.buckets[key.bucket]
      send(
        UnsafeRawBufferPointer(UnsafeBufferPointer(start: sum.gradient.pointer + range.lowerBound, count: range.count)))
    }
  }

  private func askForSamples() {
    guard let link, let assignment, let session = state.sessionNumber else { return }
    let envelope = Envelope(runID: state.tenure.run, term: UInt32(clamping: state.tenure.term))
    for remote in assignment.data.remotes.values.sorted(by: { $0.set.rawValue < $1.set.rawValue }) {
      let indices = remote.nextRequest(at: ContinuousClock.now)
      guard !indices.isEmpty else { continue }
      let message = SampleMessage.want(session: session, set: remote.set, indices: indices)
      _ = link.samples.send(Frame(copying: message.encode(envelope)))
    }
  }

  private func note(_ event: WorkerState.Event) {
    switch event {
    case .searching: say("waiting for the coordinator at \(endpoint) …")
    case .attached(let tenure): say("joined run \(tenure.run) (term \(tenure.term)) with \(options.threads) threads")
    case .silence: line.warn("no word from the coordinator at \(endpoint); asking again")
    case .sentAgain(let messages): say("\(messages) messages were not answered and are sent again")
    }
  }

  private func say(_ text: String) {
    if !options.isSupervised { line.say(text) }
  }
}
