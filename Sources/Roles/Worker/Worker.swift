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

  let options: Options
  let name: String
  let endpoint: Endpoint
  let copy: (any Dataset)?
  let line: StatusLine
  let wakeup = Wakeup()
  let poller = Poller()
  let control: LastingConnection
  let bulkContext = MessageContext()
  var link: BulkLink?
  /// Whether the user was told that something else answers at the coordinator's endpoint.
  private var hasSaidWhoAnswers = false
  var state: WorkerState
  var assignment: Assignment?
  let start = ContinuousClock.now
  var ending: (code: Int, reason: String)?
  var awaited: (message: BulkMessage, payload: UnsafeRawBufferPointer)?

  /// What it works on: known once the coordinator has welcomed it.
  struct Assignment {
    let configuration: RunConfiguration
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
    let endpoint = endpoint
    control = try failing {
      try LastingConnection(
        MessageContext(),
        SocketOptions(maximumMessageSize: WireLimits.controlMessage, sendHighWater: 64, receiveHighWater: 64), endpoint)
    }
    for source in control.sources + [wakeup] { poller.add(source) }
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

  var now: Coordination.Instant {
    let (seconds, attoseconds) = (ContinuousClock.now - start).components
    return Coordination.Instant(nanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  private func drainControl() -> Bool {
    wakeup.clear()
    let news = control.takeNews()
    if news.isMade { handle(.controlConnectionRemade) }
    if news.isGivenUp, !hasSaidWhoAnswers {
      line.warn("what answers at \(endpoint) is no coordinator; trying again")
    }
    hasSaidWhoAnswers = (hasSaidWhoAnswers || news.isGivenUp) && !news.isMade
    for _ in 0..<64 {
      guard let frame = control.socket.receive() else { return false }
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
    if link.bulk.takeNews().isMade { handle(.bulkConnectionRemade) }
    for _ in 0..<32 {
      guard let frame = link.bulk.socket.receive() else { return false }
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
    if link.samples.takeNews().isMade { assignment.data.remotes.values.forEach { $0.connectionRemade() } }
    for _ in 0..<16 {
      guard let frame = link.samples.socket.receive() else { return false }
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
}
