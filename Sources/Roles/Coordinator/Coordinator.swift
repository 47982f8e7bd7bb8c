import Coordination
import Datasets
import Foundation
import Lockstep
import Models
import Training
import Transport
import Wire

/// `trainer coordinator`: owns a run's directory and its sockets, and drives the coordinator's and the aggregator's logic.
///
/// One thread does all of it but the writing of checkpoints.
public final class Coordinator {
  private let prepared: PreparedRun
  private var configuration: RunConfiguration { prepared.configuration }
  private let directory: RunDirectory
  private let line: StatusLine
  private let record: RunRecord
  private let control: RouterSocket
  private let controlMonitor: SocketMonitor
  private let aggregator: AggregatorDriver
  private let samples: SampleServer
  private let envelope: Envelope
  private let tenure: Tenure
  private var state: CoordinatorState?
  private var peers = PeerTable(firstNumber: 0)
  private var inputs: [CoordinatorState.Input] = []
  private var badMessages = 0
  private let expectedWorkers: Int?
  private var hasSaidThatWorkersWait = false
  private var ending: (code: ExitCode, reason: String)?
  private var isDrained = false
  private let clock = ContinuousClock.now

  /// Threads that update the parameters where the update waits for the whole gradient: workers have nothing to do then.
  /// Memory, not arithmetic, is what it waits for, so a few are enough (unmeasured beyond two).
  private static let updateThreads = min(4, ProcessInfo.processInfo.activeProcessorCount)
  /// Between two beats of a worker.
  private static let beat = Duration.seconds(1)

  /// Prepares the run and binds its sockets.
  ///
  /// - Parameters:
  ///   - endpoint: where workers connect; the sockets for bulk and samples stand beside it.
  ///   - expectedWorkers: how many a supervisor starts; nil where they come as they like.
  public init(
    _ start: RunStart, endpoint: String, bulkPort: Int?, samplePort: Int?, expectedWorkers: Int? = nil
  ) throws(Failure) {
    self.expectedWorkers = expectedWorkers
    line = StatusLine()
    let endpoints = try Endpoints(control: endpoint, bulkPort: bulkPort, samplePort: samplePort)
    line.say("reading the data …")
    let prepared = try PreparedRun(start)
    self.prepared = prepared
    for remark in prepared.remarks { line.warn(remark) }
    let directory = try RunDirectory(path: start.output, resuming: start.isResuming)
    self.directory = directory
    do throws(Failure) {
      let snapshot = try Self.initialState(prepared, directory, line)
      let training = try failing {
        TrainingState(
          model: prepared.model, configuration: prepared.configuration, from: snapshot, threads: Self.updateThreads)
      }
      record = try RunRecord(directory, prepared, training, line, isNew: !start.isResuming)
      if !start.isResuming { try directory.begin() }
      tenure = Tenure(run: directory.runID, term: directory.term)
      envelope = Envelope(runID: directory.runID, term: UInt32(clamping: directory.term))

      // Control has a context of its own, so that bulk never delays it.
      let small = SocketOptions(maximumMessageSize: WireLimits.controlMessage, sendHighWater: 64, receiveHighWater: 64)
      control = RouterSocket(MessageContext(), small)
      controlMonitor = control.makeMonitor()
      let context = MessageContext(ioThreads: 2)
      let bulk = RouterSocket(
        context, SocketOptions(maximumMessageSize: WireLimits.bulkMessage, sendHighWater: 256, receiveHighWater: 32))
      let bulkMonitor = bulk.makeMonitor()
      let sample = RouterSocket(
        context, SocketOptions(maximumMessageSize: WireLimits.controlMessage, sendHighWater: 128, receiveHighWater: 16))
      let bound = try endpoints.bind(control: control, bulk: bulk, samples: sample)
      line.say("listening on \(bound.control), bulk \(bound.bulk), samples \(bound.samples); run \(directory.path)")

      aggregator = AggregatorDriver(
        router: bulk, monitor: bulkMonitor, training: training, configuration: prepared.configuration, tenure: tenure,
        envelope: envelope)
      samples = SampleServer(
        router: sample, training: prepared.training, validation: prepared.validation, envelope: envelope)
      state = try makeState(prepared, bound, training)
    } catch {
      // A run that never began leaves its folder free for the next attempt.
      if !start.isResuming { directory.discard() }
      throw error
    }
  }

  /// The state to go on from: the newest whole checkpoint of a continued run, or version 0.
  private static func initialState(
    _ prepared: PreparedRun, _ directory: RunDirectory, _ line: StatusLine
  ) throws(Failure) -> StateSnapshot {
    if let initial = prepared.initial { return initial }
    let store = CheckpointStore(directory: directory.checkpoints, keep: prepared.configuration.keep)
    let newest = try failing { try store.newest(model: prepared.model, configuration: prepared.configuration) }
    for skipped in newest.skipped { line.warn("checkpoint of step \(skipped.step) is not used: \(skipped.reason)") }
    line.say("continuing from step \(newest.checkpoint.state.step)")
    return newest.checkpoint.state
  }

  private func makeState(
    _ prepared: PreparedRun, _ bound: Endpoints.Bound, _ training: TrainingState
  ) throws(Failure) -> CoordinatorState? {
    let configuration = prepared.configuration
    let plan = configuration.trainingPlan, validation = configuration.validationPlan
    let passes = PassSequence(
      steps: configuration.steps, stepsPerEpoch: plan.stepsPerEpoch, hasValidation: validation != nil)
    guard let first = passes.first(from: training.step, isEvaluated: record.isEvaluated(training.step)) else {
      return nil
    }
    return CoordinatorState(
      .init(
        tenure: tenure, numerics: numericsSelfTest(), fingerprint: configuration.fingerprint,
        configuration: Array(configuration.json.utf8), bulkEndpoint: bound.advertised(bound.bulk),
        sampleEndpoint: bound.advertised(bound.samples), beat: Self.beat, passes: passes, firstPass: first,
        leafCount: { pass in
          pass.kind == .training ? plan.leaves(ofStep: pass.step).leafCount : validation?.leafCount ?? 1
        },
        newSession: { UInt64.random(in: 1...UInt64.max) }))
  }

  /// Coordinates until the run is done, is interrupted or fails; the result is its exit code.
  public func run() throws(Failure) -> ExitCode {
    guard state != nil else {
      line.say("the run is already complete at step \(aggregator.training.step)")
      try record.end(.done, "the run is complete", aggregator.training)
      return .done
    }
    let signals = SignalWatch.start()
    let poller = Poller([control, controlMonitor, aggregator.router, aggregator.monitor, samples.router, signals])
    var nextTick = ContinuousClock.now
    var seenSignals = 0
    if let expectedWorkers { sayWhetherWorkersWait(expectedWorkers) }
    handle(.start)
    while !isDrained {
      var isBusy = drainControl()
      isBusy = aggregator.drain() || isBusy
      digest(aggregator.takeNews())
      do throws(Failure) {
        isBusy = try samples.drain() || isBusy
        try record.check()
      } catch {
        fail(error)
      }
      if signals.clear(), SignalWatch.arrivals.count > seenSignals {
        // A second signal does not wait for the workers.
        if seenSignals > 0 { break }
        seenSignals = SignalWatch.arrivals.count
        handle(
          .stopRequested(code: Int(SignalWatch.arrivals.exitCode.rawValue), reason: "the coordinator was told to stop"))
      }
      let now = ContinuousClock.now
      if now >= nextTick {
        handle(.tick)
        nextTick = now + Self.beat / 5
      }
      if !isBusy && !isDrained { _ = poller.wait(atMost: max(.zero, nextTick - ContinuousClock.now)) }
    }
    control.close(lingering: .seconds(2))
    let (code, reason) = ending ?? (SignalWatch.arrivals.exitCode, "the coordinator was told to stop")
    try record.end(code, reason, aggregator.training)
    if code != .done && code != .interrupted && code != .terminated { throw Failure(code, reason) }
    return code
  }

  // MARK: - Control

  private var now: Coordination.Instant {
    let (seconds, attoseconds) = (ContinuousClock.now - clock).components
    return Coordination.Instant(nanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  private func drainControl() -> Bool {
    let ended = peers.ended(controlMonitor)
    var mayHaveMore = true
    for _ in 0..<64 {
      guard let received = control.receive() else {
        mayHaveMore = false
        break
      }
      take(received)
    }
    for peer in ended {
      peers.remove(peer)
      handle(.disconnected(peer))
    }
    return mayHaveMore
  }

  private func take(_ received: consuming RouterSocket.Received) {
    let peer = peers.number(of: received.peer, descriptor: received.frame.sourceFileDescriptor)
    let name = received.peer, address = received.frame.peerAddress
    received.frame.withUnsafeBytes { bytes in
      do throws(WireError) {
        let (envelope, message) = try ControlMessage.decode(bytes)
        handle(.message(peer, named(message), Tenure(run: envelope.runID, term: Int(envelope.term))))
      } catch {
        badMessages += 1
        if badMessages <= 10 { line.warn("from \(address ?? "a local process"): \(error); its sender is ignored") }
        if case .otherVersion = error {
          let refusal = ControlMessage.refuse(Refuse(code: Int(ExitCode.mismatch.rawValue), reason: "\(error)"))
          _ = control.send(Frame(copying: refusal.encode(self.envelope)), to: name)
        }
        peers.remove(peer)
      }
    }
  }

  /// A worker knows a sample by its index; people know it by its name.
  private func named(_ message: ControlMessage) -> ControlMessage {
    guard case .fault(var fault) = message, let sample = fault.sample,
      let dataset = sample.set == .training ? prepared.training : prepared.validation, sample.index < dataset.count
    else { return message }
    fault.reason = "\(dataset.name(ofSample: sample.index)) of \(dataset.spec): \(fault.reason)"
    return .fault(fault)
  }

  /// Inputs that come up while effects are performed wait for their end: effects of an older state never follow newer ones.
  private func handle(_ input: CoordinatorState.Input) {
    inputs.append(input)
    guard inputs.count == 1 else { return }
    while let next = inputs.first {
      for effect in state?.handle(next, at: now) ?? [] { perform(effect) }
      inputs.removeFirst()
    }
  }

  private func perform(_ effect: CoordinatorState.Effect) {
    switch effect {
    case .send(let peer, let message):
      guard let name = peers.name(of: peer) else { return }
      if control.send(Frame(copying: message.encode(envelope)), to: name) == .unreachable {
        peers.remove(peer)
        handle(.disconnected(peer))
      }
    case .dropPeer(let peer): peers.remove(peer)
    case .admit(let session):
      aggregator.admit(session)
      samples.admit(session)
    case .expel(let session):
      aggregator.expel(session)
      samples.expel(session)
    case .openPass(let pass):
      aggregator.open(pass)
      digest(aggregator.takeNews())
    case .event(let event):
      record.note(event, step: aggregator.training.step)
      if case .joined = event { sayWhetherWorkersWait(state?.workerCount ?? 0) }
    case .runFinished(let code, let reason), .runFailed(let code, let reason):
      ending = (ExitCode(rawValue: Int32(clamping: code)) ?? .temporary, reason)
    case .drained: isDrained = true
    }
  }

  private func sayWhetherWorkersWait(_ workers: Int) {
    let microbatches = configuration.globalBatch / configuration.microbatch
    guard workers > microbatches, !hasSaidThatWorkersWait else { return }
    hasSaidThatWorkersWait = true
    line.warn(
      "\(workers) workers are more than a step's \(microbatches) microbatches: some will have nothing to do but to stand by"
    )
  }

  private func fail(_ failure: Failure) {
    guard ending == nil else { return }
    handle(.fault(code: Int(failure.code.rawValue), reason: failure.description))
  }

  // MARK: - Passes

  private func digest(_ news: [AggregatorDriver.News]) {
    for item in news {
      switch item {
      case .covered(let pass, let subtrees): handle(.covered(pass, subtrees))
      case .rejected(let session, let reason):
        if let session { handle(.reject(session: session, reason: reason)) }
      case .finished(let pass, let statistics, let outcome):
        do throws(Failure) {
          if let outcome {
            try record.commit(
              outcome, aggregator.training, learningRate: aggregator.learningRate(ofStep: outcome.step),
              workers: aggregator.contributors.count)
          } else {
            try record.evaluated(pass.step, statistics)
          }
        } catch {
          fail(error)
        }
        if ending == nil { handle(.passCommitted(pass)) }
      }
    }
  }
}
