import Compute
import Coordination
import Lockstep
import Models
import Training
import Transport
import Wire

/// The aggregator inside a coordinator: feeds the aggregator's logic from the bulk socket, applies the optimizer when a
/// bucket's sum is complete, and serves the committed parameters.
final class AggregatorDriver {
  /// What the coordinator must hear of, in order.
  enum News {
    /// These leaves are complete in every bucket.
    case covered(Pass, [Subtree])
    /// All sums of a pass are complete, and its update, if it is one, is committed or skipped.
    case finished(Pass, statistics: [Double], TrainingState.Outcome?)
    /// A peer broke the protocol.
    case rejected(session: UInt64?, reason: String)
  }

  let router: RouterSocket
  let monitor: SocketMonitor
  let training: TrainingState
  private let configuration: RunConfiguration
  private let schedule: LearningRateSchedule
  private let envelope: Envelope
  private let tenure: Tenure
  private let flat: FlatLayout
  private let layout: VersionLayout
  private let statisticsCount: Int
  private let pool = BucketPool(bucketSize: FlatLayout.bucketSize)
  private var state: AggregatorState<BucketValue>
  private var peers = PeerTable(firstNumber: 1 << 32)
  private var statistics: [Double] = []
  private var news: [News] = []
  private var inputs: [AggregatorState<BucketValue>.Input] = []
  /// The sessions whose sums came in for the open pass.
  private(set) var contributors: Set<UInt64> = []
  private var openPass: Pass?
  /// Messages that were not ours, or damaged.
  private(set) var badMessages = 0

  init(
    router: RouterSocket, monitor: SocketMonitor, training: TrainingState, configuration: RunConfiguration,
    tenure: Tenure,
    envelope: Envelope
  ) {
    (self.router, self.monitor, self.training) = (router, monitor, training)
    (self.configuration, self.envelope, self.tenure) = (configuration, envelope, tenure)
    schedule = LearningRateSchedule(configuration)
    flat = training.model.flat
    layout = VersionLayout(training.model, configuration)
    statisticsCount = training.model.statistics.count
    let plan = configuration.trainingPlan, validation = configuration.validationPlan
    state = AggregatorState(
      tenure: tenure, layout: layout, version: training.step,
      leafCount: { pass in
        switch pass.kind {
        case .training: plan.leaves(ofStep: pass.step).leafCount
        case .evaluation: validation?.leafCount ?? 1
        }
      },
      add: { BucketValue.add($0, $1) })
  }

  /// The learning rate of a step, as it is applied and logged.
  func learningRate(ofStep step: Int) -> Float { schedule.learningRate(step: step) }

  func admit(_ session: UInt64) { handle(.admit(session: session)) }
  func expel(_ session: UInt64) { handle(.expel(session: session)) }

  func open(_ pass: Pass) {
    openPass = pass
    contributors = []
    handle(.open(pass))
  }

  /// Reads what has arrived, a bounded number of messages at a time so that control is looked at in between.
  ///
  /// Returns whether there may be more.
  func drain() -> Bool {
    let ended = peers.ended(monitor)
    var mayHaveMore = true
    for _ in 0..<32 {
      guard let received = router.receive() else {
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

  /// What has happened since it was last asked.
  func takeNews() -> [News] {
    defer { news = [] }
    return news
  }

  private func take(_ received: consuming RouterSocket.Received) {
    let peer = peers.number(of: received.peer, descriptor: received.frame.sourceFileDescriptor)
    received.frame.withUnsafeBytes { bytes in
      do {
        let (envelope, message, payload) = try BulkMessage.decode(bytes)
        let tenure = Tenure(run: envelope.runID, term: Int(envelope.term))
        if case .gradient(let contribution) = message {
          guard let value = value(of: contribution.key, payload) else {
            perform([
              .reject(peer, session: contribution.session, reason: "a GRADIENT's payload has not its bucket's size")
            ])
            return
          }
          if contribution.key.pass == openPass { contributors.insert(contribution.session) }
          handle(.gradient(peer, contribution, value, tenure))
        } else {
          handle(.message(peer, message, tenure))
        }
      } catch {
        badMessages += 1
        peers.remove(peer)
      }
    }
  }

  /// Copies a payload out of its message; nil if it has not the size that its bucket has.
  private func value(of key: ContributionKey, _ payload: UnsafeRawBufferPointer) -> BucketValue? {
    if flat.buckets.indices.contains(key.bucket) {
      let count = flat.buckets[key.bucket].count
      guard payload.count == count * MemoryLayout<Float>.size, key.pass.kind == .training else { return nil }
      let bucket = pool.take()
      UnsafeMutableRawBufferPointer(start: bucket.pointer, count: payload.count).copyMemory(from: payload)
      return .floats(bucket, count: count)
    }
    let count = key.pass.kind == .training ? statisticsCount : StatisticsLayout.evaluationCount
    guard payload.count == count * MemoryLayout<Double>.size else { return nil }
    return .doubles((0..<count).map { payload.loadUnaligned(fromByteOffset: $0 * 8, as: Double.self) })
  }

  /// Inputs that come up while effects are performed wait for their end: effects of an older state never follow newer ones.
  private func handle(_ input: AggregatorState<BucketValue>.Input) {
    inputs.append(input)
    guard inputs.count == 1 else { return }
    while let next = inputs.first {
      perform(state.handle(next))
      inputs.removeFirst()
    }
  }

  private func perform(_ effects: [AggregatorState<BucketValue>.Effect]) {
    for effect in effects {
      switch effect {
      case .acknowledge(let peer, let key):
        send(.received(key), to: peer, payload: UnsafeRawBufferPointer(start: nil, count: 0))
      case .sendParameters(let peer, let version, let buckets): sendParameters(peer, version, buckets)
      case .rootReady(let pass, let bucket, let value): take(pass, bucket, value)
      case .passReady(let pass): finish(pass)
      case .covered(let pass, let subtrees): news.append(.covered(pass, subtrees))
      case .reject(let peer, let session, let reason):
        badMessages += 1
        peers.remove(peer)
        news.append(.rejected(session: session, reason: reason))
      }
    }
  }

  private func take(_ pass: Pass, _ bucket: Int, _ value: BucketValue) {
    switch value {
    case .floats(let sum, _):
      training.apply(
        bucket: bucket, sum: UnsafePointer(sum.pointer),
        sampleCount: configuration.trainingPlan.leaves(ofStep: pass.step).sampleCount,
        learningRate: learningRate(ofStep: pass.step))
    case .doubles(let sums):
      statistics = sums
    }
  }

  private func finish(_ pass: Pass) {
    let outcome = pass.kind == .training ? statistics.withUnsafeBufferPointer { training.finish(statistics: $0) } : nil
    news.append(.finished(pass, statistics: statistics, outcome))
    if let outcome { handle(.committed(version: outcome.step)) }
  }

  private func sendParameters(_ peer: Coordination.PeerID, _ version: Int, _ buckets: Range<Int>) {
    for bucket in buckets {
      let place = layout.place(of: bucket, training.model)
      let average = place.isAveraged ? training.average : nil
      let storage =
        place.isBuffers ? average?.buffers ?? training.buffers : average?.parameters ?? training.parameters
      let floats = UnsafeBufferPointer(
        start: UnsafePointer(storage.pointer) + place.range.lowerBound, count: place.range.count)
      send(.parameters(Parameters(version: version, bucket: bucket)), to: peer, payload: UnsafeRawBufferPointer(floats))
    }
  }

  /// What cannot be sent at once is lost like any message on a broken connection: the worker asks or sends again.
  private func send(_ message: BulkMessage, to peer: Coordination.PeerID, payload: UnsafeRawBufferPointer) {
    guard let name = peers.name(of: peer) else { return }
    var frame = Frame(byteCount: message.encodedSize(payloadBytes: payload.count))
    frame.withUnsafeMutableBytes { message.encode(envelope, payload: payload, into: $0) }
    if router.send(frame, to: name) == .unreachable {
      peers.remove(peer)
      handle(.disconnected(peer))
    }
  }
}
