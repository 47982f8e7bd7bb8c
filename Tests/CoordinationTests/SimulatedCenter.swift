import Coordination
import Lockstep
import Wire

/// The coordinator's process with its aggregator: both state machines, every bucket of the committed version, and
/// checkpoints on a disk that outlives it. Roots are kept until the commit, as where an update needs the whole gradient.
final class SimulatedCenter {
  unowned let cluster: SimulatedCluster
  let tenure: Tenure
  var connections: [PeerID: Connection] = [:]
  var isAlive = true
  var isFrozen = false

  private(set) var coordinator: CoordinatorState
  private(set) var aggregator: AggregatorState<Symbol>
  private(set) var version: Int
  private var parameters: [Symbol]
  private var roots: [Int: Symbol] = [:]
  private var inbox: [(SimulatedCenter) -> Void] = []

  init(_ cluster: SimulatedCluster, term: Int, version: Int, firstPass: Pass) {
    self.cluster = cluster
    self.version = version
    tenure = Tenure(run: cluster.run, term: term)
    parameters = cluster.disk[version] ?? []
    let base = cluster.random.next()
    let options = cluster.options
    let counter = SessionCounter(base: base)
    var settings = CoordinatorState.Settings(
      tenure: tenure, numerics: cluster.numerics, fingerprint: Digest(high: 1, low: 1),
      // Every other start brings another text.
      configuration: [UInt8(truncatingIfNeeded: term / 2)],
      bulkEndpoint: ":1", sampleEndpoint: ":2", beat: cluster.beat, passes: options.passes, firstPass: firstPass,
      leafCount: { options.leafCount($0) }, newSession: { counter.next() })
    settings.engineDeadline = options.engineDeadline
    coordinator = CoordinatorState(settings)
    aggregator = AggregatorState(
      tenure: tenure, layout: options.layout, version: version, leafCount: { options.leafCount($0) },
      add: combined)
  }

  // MARK: - The process

  func post(_ action: @escaping (SimulatedCenter) -> Void) {
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
    if !isFrozen { tell(.tick) }
    cluster.queue.schedule(at: cluster.now + .milliseconds(200)) { [weak self] in self?.tick() }
  }

  func deliver(_ packet: Packet, from connection: Connection) {
    guard connection.term == tenure.term else { return }
    post { center in
      switch packet {
      case .control(let message, let tenure):
        center.tell(.message(connection.peer, message, tenure))
      case .bulk(.gradient(let contribution), let tenure, let value):
        center.sum(.gradient(connection.peer, contribution, value ?? 0, tenure))
      case .bulk(let message, let tenure, _):
        center.sum(.message(connection.peer, message, tenure))
      }
    }
  }

  func close(_ connection: Connection) {
    connections[connection.peer] = nil
    switch connection.channel {
    case .control: tell(.disconnected(connection.peer))
    case .bulk: sum(.disconnected(connection.peer))
    }
  }

  // MARK: - The coordinator's effects

  func tell(_ input: CoordinatorState.Input) {
    guard isAlive else { return }
    for effect in coordinator.handle(input, at: cluster.now) {
      switch effect {
      case .send(let peer, let message):
        if let connection = connections[peer] { cluster.send(.control(message, tenure), on: connection, .toWorker) }
      case .dropPeer(let peer):
        if let connection = connections[peer] { cluster.cut(connection, keepsReplies: true) }
      case .admit(let session):
        sum(.admit(session: session))
      case .expel(let session):
        sum(.expel(session: session))
      case .openPass(let pass):
        roots = [:]
        sum(.open(pass))
      case .event(.refused(let name, let code, let reason)):
        cluster.fail("honest \(name) was refused with \(code): \(reason)")
      case .event(let event):
        cluster.note(event)
      case .runFinished(let code, _):
        cluster.require(code == 0, "the run is complete")
        cluster.require(version == cluster.options.passes.steps, "all steps are done")
        cluster.finishedAt = cluster.now
      case .runFailed(let code, let reason):
        cluster.fail("the run failed with \(code): \(reason)")
      case .drained:
        cluster.isDrained = true
      }
    }
  }

  // MARK: - The aggregator's effects

  private func sum(_ input: AggregatorState<Symbol>.Input) {
    for effect in aggregator.handle(input) {
      switch effect {
      case .acknowledge(let peer, let key):
        if let connection = connections[peer] {
          cluster.send(.bulk(.received(key), tenure, nil), on: connection, .toWorker)
        }
      case .sendParameters(let peer, let version, let buckets):
        cluster.require(version == self.version, "only the current version is sent")
        guard let connection = connections[peer] else { continue }
        for bucket in buckets {
          let header = Parameters(version: version, bucket: bucket)
          cluster.send(.bulk(.parameters(header), tenure, parameters[bucket]), on: connection, .toWorker)
        }
      case .rootReady(let pass, let bucket, let value):
        cluster.require(roots.updateValue(value, forKey: bucket) == nil, "\(pass) bucket \(bucket) has one root")
        cluster.require(value == cluster.oracle.root(pass, bucket: bucket), "\(pass) bucket \(bucket) has its value")
      case .covered(let pass, let subtrees):
        tell(.covered(pass, subtrees))
      case .passReady(let pass):
        let delay = cluster.random.seconds(0.001...0.15)
        cluster.queue.schedule(at: cluster.now + delay) { [weak self] in self?.post { $0.commit(pass) } }
      case .reject(_, _, let reason):
        cluster.fail("an honest worker was rejected: \(reason)")
      }
    }
    let bound = (cluster.options.buckets + 1) * ((cluster.options.largestPass + 1) / 2)
    cluster.require(aggregator.valueCount <= bound, "the aggregator keeps at most half the leaves of each bucket")
  }

  private func commit(_ pass: Pass) {
    if pass.kind == .training {
      cluster.require(pass.step == version + 1, "versions are committed in order")
      parameters = updated(
        parameters, roots: cluster.options.layout.current.map { roots[$0] ?? 0 }, step: pass.step,
        layout: cluster.options.layout)
      version = pass.step
      cluster.require(parameters == cluster.oracle.version(version), "version \(version) has its value")
      if version % cluster.options.checkpointEvery == 0 { cluster.disk[version] = parameters }
      sum(.committed(version: version))
    }
    tell(.passCommitted(pass))
  }
}

/// Sessions that differ; used by one thread.
final class SessionCounter: @unchecked Sendable {
  private let base: UInt64
  private var count: UInt64 = 0

  init(base: UInt64) { self.base = base }

  func next() -> UInt64 {
    count += 1
    return combined(base, count)
  }
}
