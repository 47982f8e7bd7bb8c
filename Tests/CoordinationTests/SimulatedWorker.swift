import Lockstep
import Wire

@testable import Coordination

/// A worker's process: its state machine, its buffers, an engine that takes its time.
final class SimulatedWorker {
  unowned let cluster: SimulatedCluster
  let name: String
  var state: WorkerState
  var connections: [Connection.Channel: Connection] = [:]
  var isAlive = true
  var isFrozen = false
  var exitCode: Int?
  /// Seconds a leaf takes.
  var secondsPerLeaf: Double
  /// The engine does nothing until then.
  var stalledUntil = Instant(nanoseconds: 0)

  private var inbox: [(SimulatedWorker) -> Void] = []
  private var buffers: [SumName: [Int: Symbol]] = [:]
  /// What is in front of PARAMETERS' payloads: the arena of weights under way, and those that the engine may read.
  private var arenas: [Weights: [Int: Symbol]] = [:]
  /// Those that are the same in all.
  private var frozen: [Int: Symbol] = [:]
  private var engine: (task: LeafTask, parameters: [Symbol], nextBucket: Int)?
  /// The configuration's text; another one brings a new engine.
  private var configuration: [UInt8]?
  /// How many engines there have been: what an old one still does is nobody's business.
  private var engines = 0

  private struct SumName: Hashable {
    let pass: Pass
    let subtree: Subtree
  }

  init(_ cluster: SimulatedCluster, name: String, incarnation: UInt64, secondsPerLeaf: Double) {
    (self.cluster, self.name, self.secondsPerLeaf) = (cluster, name, secondsPerLeaf)
    let hello = Hello(
      numerics: cluster.numerics, name: name, incarnation: incarnation, threads: 4, cpu: "simulated", fingerprint: nil)
    state = WorkerState(hello: hello, at: cluster.now)
  }

  // MARK: - The process

  /// Runs something in the process, once it is not frozen.
  func post(_ action: @escaping (SimulatedWorker) -> Void) {
    guard isAlive else { return }
    if isFrozen { inbox.append(action) } else { action(self) }
  }

  func thaw() {
    guard isFrozen else { return }
    isFrozen = false
    let actions = inbox
    inbox = []
    for action in actions { post(action) }
  }

  func tick() {
    guard isAlive else { return }
    if !isFrozen { handle(.tick) }
    cluster.queue.schedule(at: cluster.now + .milliseconds(100)) { [unowned self] in tick() }
  }

  func deliver(_ packet: Packet) {
    post { worker in
      switch packet {
      case .control(let message, let tenure):
        worker.handle(.control(message, tenure))
      case .bulk(let message, let tenure, let value):
        worker.handle(.bulk(message, tenure), payload: value)
      }
    }
  }

  func handle(_ input: WorkerState.Input, payload: Symbol? = nil) {
    guard isAlive else { return }
    for effect in state.handle(input, at: cluster.now) { carryOut(effect, payload: payload) }
    guard isAlive else { return }
    let leaves = cluster.options.largestPass
    let depth = Int.bitWidth - leaves.leadingZeroBitCount + 1
    cluster.require(state.messagesInFlight <= 16, "\(name): 16 messages in flight at most")
    cluster.require(
      state.sumCount <= 2 * depth + WorkerState.parcelLimit, "\(name) keeps \(state.sumCount) sums of \(leaves) leaves")
    cluster.require((state.engine == nil) == (engine == nil), "\(name) knows whether its engine has a leaf")
    if engine == nil {
      cluster.require(buffers.count == state.sumCount, "\(name): every buffer is one of the state's sums")
    }
  }

  // MARK: - Effects

  private func carryOut(_ effect: WorkerState.Effect, payload: Symbol?) {
    switch effect {
    case .sendControl(let message):
      if let connection = connections[.control] {
        cluster.send(.control(message, state.tenure), on: connection, .toCenter)
      }
    case .sendBulk(let message):
      var value: Symbol?
      if case .gradient(let contribution) = message {
        value =
          buffers[SumName(pass: contribution.key.pass, subtree: contribution.key.subtree)]?[contribution.key.bucket]
        cluster.require(value != nil, "\(name) has what it sends: \(contribution.key)")
      }
      if let connection = connections[.bulk] {
        cluster.send(.bulk(message, state.tenure, value), on: connection, .toCenter)
      }
    case .welcomed(let welcome, let tenure):
      (arenas, frozen) = ([:], [:])
      cluster.connect(self, .bulk)
      let delay = cluster.random.seconds(0...0.3)
      cluster.queue.schedule(at: cluster.now + delay) { [unowned self] in
        post { worker in
          guard worker.state.tenure == tenure else { return }
          let isNew = worker.configuration != welcome.configuration
          worker.configuration = welcome.configuration
          if isNew { worker.replaceEngine() }
          worker.handle(.configured(worker.cluster.shape, hasNewEngine: isNew))
        }
      }
    case .storeParameters(let weights, let bucket):
      arenas = arenas.filter { $0.key == weights || $0.key == state.completeWeights }
      if layout.frozen.contains(bucket) {
        frozen[bucket] = payload
      } else {
        arenas[weights, default: [:]][bucket] = payload
      }
    case .weightsComplete(let weights):
      cluster.require(parameters(weights) != nil, "\(name): version \(weights) is complete")
    case .startLeaf(let task):
      start(task)
    case .free(let pass, let subtree):
      let removed = buffers.removeValue(forKey: SumName(pass: pass, subtree: subtree))
      cluster.require(removed != nil, "\(name): \(pass) \(subtree) was there to be freed")
    case .event(.sentAgain(let messages)):
      cluster.messagesSentAgain += messages
    case .event:
      break
    case .finished(let code, let reason):
      isAlive = false
      exitCode = code
      cluster.require(code == 0, "\(name) ended with \(code): \(reason)")
      for connection in connections.values { cluster.cut(connection) }
    }
  }

  // MARK: - The engine

  private func replaceEngine() {
    if engine != nil { cluster.enginesReplaced += 1 }
    (engine, buffers) = (nil, [:])
    engines += 1
  }

  private func start(_ task: LeafTask) {
    cluster.require(engine == nil, "\(name): one leaf at a time")
    // A copy: parameters of the next version may come while this leaf is computed.
    guard let parameters = parameters(layout.weights(readBy: task.pass)) else {
      return cluster.fail("\(name) starts \(task.pass) without version \(task.pass.version)")
    }
    engine = (task, parameters, task.pass.kind == .training ? 0 : cluster.options.buckets)
    let name = SumName(pass: task.pass, subtree: task.result)
    cluster.require(buffers[name] == nil, "\(self.name): one buffer for \(task.pass) \(task.result)")
    buffers[name] = [:]
    computeNextBucket(after: cluster.random.seconds(0.25 * secondsPerLeaf...0.65 * secondsPerLeaf))
  }

  private var layout: VersionLayout { cluster.options.layout }

  /// What the engine reads, if all of it is there.
  private func parameters(_ weights: Weights) -> [Symbol]? {
    guard let arena = arenas[weights] else { return nil }
    let symbols = layout.buckets(of: weights).compactMap { arena[$0] } + layout.frozen.compactMap { frozen[$0] }
    return symbols.count == layout.current.count + layout.frozenBuckets ? symbols : nil
  }

  private func computeNextBucket(after delay: Duration) {
    let time = max(cluster.now, min(stalledUntil, cluster.now + .seconds(1))) + delay
    let number = engines
    cluster.queue.schedule(at: time) { [unowned self] in
      post { (worker: SimulatedWorker) -> Void in if worker.engines == number { worker.finishBucket() } }
    }
  }

  private func finishBucket() {
    // A stalled engine looks again every second, since the stall may be ended early.
    if cluster.now < stalledUntil { return computeNextBucket(after: .milliseconds(10)) }
    guard let engine else { return }
    let (task, parameters, bucket) = (engine.task, engine.parameters, engine.nextBucket)
    var value = leafSymbol(task.pass, leaf: task.leaf, bucket: bucket, parameters: parameters)
    for step in task.climb {
      guard let other = buffers[SumName(pass: task.pass, subtree: step.sibling)]?[bucket] else {
        return cluster.fail("\(name): \(task.pass) \(step.sibling) is kept until it is added")
      }
      value = step.siblingIsLeft ? combined(other, value) : combined(value, other)
    }
    buffers[SumName(pass: task.pass, subtree: task.result)]?[bucket] = value
    self.engine?.nextBucket += 1
    // The last bucket is reported by the end of the leaf alone, now and then.
    if bucket < cluster.options.buckets || cluster.random.chance(0.5) {
      handle(.leafBucketReady(task.pass, leaf: task.leaf, bucket: bucket))
    }
    guard isAlive else { return }
    if bucket < cluster.options.buckets {
      computeNextBucket(after: .seconds(secondsPerLeaf / Double(2 * cluster.options.buckets + 2)))
    } else {
      self.engine = nil
      cluster.leavesComputed += 1
      handle(.leafFinished(task.pass, leaf: task.leaf, seconds: secondsPerLeaf))
    }
  }
}
