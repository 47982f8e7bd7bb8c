import Coordination
import Lockstep
import Wire

/// A whole cluster on one thread with a fake clock: everything that happens follows from one seed.
final class SimulatedCluster {
  /// What a simulated run is like.
  struct Options: Sendable {
    var workers = 3
    var buckets = 2
    var frozenBuckets = 0
    var keepsAverage = false
    var leaves = 8
    var lastLeaves = 5
    var validationLeaves = 3
    var passes = PassSequence(steps: 8, stepsPerEpoch: 3, hasValidation: true)
    var checkpointEvery = 2
    var faults = 0
    var duplicates = 0.0
    var losses = 0.0
    var faultPeriod = 1.5
    var engineDeadline = Duration.seconds(60)

    func leafCount(_ pass: Pass) -> Int {
      if pass.kind == .evaluation { return validationLeaves }
      return pass.step % passes.stepsPerEpoch == 0 ? lastLeaves : leaves
    }

    var layout: VersionLayout {
      VersionLayout(gradientBuckets: buckets, frozenBuckets: frozenBuckets, keepsAverage: keepsAverage)
    }

    var largestPass: Int { max(leaves, lastLeaves, validationLeaves) }

    /// Everything drawn from a seed.
    static func random(seed: UInt64) -> Options {
      var random = SeededGenerator(seed: combined(seed, 1))
      var options = Options()
      options.workers = random.chance(0.25) ? 1 : Int.random(in: 2...6, using: &random)
      options.buckets =
        random.chance(0.15) ? Int.random(in: 17...40, using: &random) : Int.random(in: 0...3, using: &random)
      options.leaves = Int.random(in: 1...20, using: &random)
      options.lastLeaves = Int.random(in: 1...options.leaves, using: &random)
      options.validationLeaves = Int.random(in: 1...24, using: &random)
      options.passes = PassSequence(
        steps: Int.random(in: 2...24, using: &random), stepsPerEpoch: Int.random(in: 1...5, using: &random),
        hasValidation: random.chance(0.7))
      options.checkpointEvery = Int.random(in: 1...3, using: &random)
      options.faults = Int.random(in: 0...24, using: &random)
      options.faultPeriod = Double.random(in: 2...24, using: &random)
      options.engineDeadline = random.chance(0.5) ? .seconds(60) : .seconds(5)
      options.duplicates = random.chance(0.5) ? 0.05 : 0
      options.losses = random.chance(0.3) ? Double.random(in: 0.002...0.05, using: &random) : 0
      options.frozenBuckets = random.chance(0.3) ? Int.random(in: 1...20, using: &random) : 0
      options.keepsAverage = random.chance(0.4)
      return options
    }
  }

  let options: Options
  let seed: UInt64
  let beat = Duration.seconds(1)
  let run = RunID(bits: Digest(high: 7, low: 7))
  let numerics = Numerics(engine: 1, selfTest: Digest(high: 3, low: 4))
  let shape: WorkerState.WorkShape
  let oracle: Oracle

  var random: SeededGenerator
  var now = Instant(nanoseconds: 0)
  var queue = EventQueue()
  var peerCount = 0
  var center: SimulatedCenter?
  var workers: [SimulatedWorker] = []
  /// Checkpoints, by version: every bucket of it.
  var disk: [Int: [Symbol]] = [:]
  var terms = 0
  var faultsAreOver = false
  var finishedAt: Instant?
  var isDrained = false
  var leavesComputed = 0
  var messagesSentAgain = 0
  /// Engines that were replaced with a leaf in them.
  var enginesReplaced = 0
  private(set) var failures: [String] = []
  private(set) var events: [CoordinatorState.Event] = []
  private var deadline: Instant?
  private(set) var faultsEnd = Instant(nanoseconds: 0)

  init(seed: UInt64, options: Options) {
    (self.seed, self.options) = (seed, options)
    random = SeededGenerator(seed: seed)
    shape = WorkerState.WorkShape(layout: options.layout, leafCount: { options.leafCount($0) })
    oracle = Oracle(layout: options.layout, leafCount: options.leafCount)
    disk[0] = oracle.version(0)
  }

  func fail(_ message: String) {
    if failures.count < 5 { failures.append("\(now.nanoseconds / 1_000_000) ms: \(message)") }
  }

  func require(_ condition: Bool, _ message: @autoclosure () -> String) { if !condition { fail(message()) } }

  func note(_ event: CoordinatorState.Event) { events.append(event) }

  /// How often what happened.
  var census: [String: Int] {
    var result = ["terms": terms - 1, "seconds": Int(now.nanoseconds / 1_000_000_000), "leaves": leavesComputed]
    result["leaves needed"] = leavesNeeded
    result["messages sent again"] = messagesSentAgain
    result["engines replaced"] = enginesReplaced
    result["seconds after faults"] = Int((now.nanoseconds - faultsEnd.nanoseconds) / 1_000_000_000)
    for event in events {
      let word =
        switch event {
        case .joined: "joined"
        case .returned: "returned"
        case .left: "left"
        case .lost: "lost"
        case .stalled: "stalled"
        case .refused: "refused"
        case .waitingForWorkers: "waiting"
        case .planned: "planned"
        case .reassigned: "reassigned"
        case .finishedShare: "done"
        }
      result[word, default: 0] += 1
    }
    return result
  }

  private var leavesNeeded: Int {
    var (sum, pass) = (0, options.passes.first(from: 0, isEvaluated: true))
    while let current = pass {
      sum += options.leafCount(current)
      pass = options.passes.next(after: current)
    }
    return sum
  }

  // MARK: - Life and death

  func startCenter() {
    guard center == nil, finishedAt == nil, let version = disk.keys.max(),
      let first = options.passes.first(from: version, isEvaluated: false)
    else { return }
    // Only the newest checkpoint is kept track of; what was committed after it is computed again.
    terms += 1
    let center = SimulatedCenter(self, term: terms, version: version, firstPass: first)
    self.center = center
    center.tell(.start)
    center.tick()
  }

  func killCenter() {
    guard let center, finishedAt == nil else { return }
    center.isAlive = false
    self.center = nil
    for connection in center.connections.values { cut(connection) }
    // A torn or unreadable newest checkpoint: the one before it is used.
    if disk.count > 1, random.chance(0.3), let newest = disk.keys.max() { disk[newest] = nil }
    queue.schedule(at: now + random.seconds(0.1...8)) { [unowned self] in startCenter() }
  }

  func startWorker() {
    let slow = random.chance(0.15) ? 6.0 : 1
    let worker = SimulatedWorker(
      self, name: "w\(workers.count)", incarnation: random.next(),
      secondsPerLeaf: Double.random(in: 0.05...0.3, using: &random) * slow)
    workers.append(worker)
    connect(worker, .control)
    worker.tick()
    if faultsAreOver { setDeadline() }
  }

  /// - Parameter silently: as by a loss of power: nobody is told.
  func kill(_ worker: SimulatedWorker, silently: Bool = false) {
    worker.isAlive = false
    if silently { return }
    for connection in worker.connections.values { cut(connection) }
  }

  // MARK: - The run

  /// Runs until the end; returns what went wrong.
  func simulate() -> [String] {
    startCenter()
    for _ in 0..<options.workers { queue.schedule(at: now + random.seconds(0...1)) { [unowned self] in startWorker() } }
    for _ in 0..<options.faults {
      queue.schedule(at: now + random.seconds(0...options.faultPeriod)) { [unowned self] in
        if finishedAt == nil { doFault() }
      }
    }
    let end = now + .seconds(options.faultPeriod)
    queue.schedule(at: end) { [unowned self] in endFaults() }
    while let (time, action) = queue.next(), failures.isEmpty {
      now = time
      action()
      if isDrained { break }
      if let deadline, now > deadline {
        fail(
          "no end \(now - faultsEnd) after faults stopped: \(center?.coordinator.openPass.map { "\($0)" } ?? "no center")"
        )
      }
    }
    require(isDrained && finishedAt != nil || !failures.isEmpty, "the run came to its end")
    return failures.map { "seed \(seed): \($0)" }
  }

  /// When faults have stopped, each pass left ends within 30 beats and the time the slowest worker needs for all of it
  /// twice; 100 beats more for leases, backoffs and the engine deadline.
  private func setDeadline() {
    let slowest = workers.filter(\.isAlive).map(\.secondsPerLeaf).max() ?? 1
    let passes = Double(options.passes.steps * 2)
    let new = faultsEnd + .seconds(100 + passes * (30 + 2 * slowest * Double(options.largestPass)))
    deadline = max(deadline ?? new, new)
  }

  private func endFaults() {
    faultsAreOver = true
    faultsEnd = now
    center?.thaw()
    let alive = workers.filter(\.isAlive)
    for (index, worker) in alive.enumerated() {
      worker.thaw()
      // One engine may never come back; somebody else's works.
      if index > 0 || !random.chance(0.2) { worker.stalledUntil = min(worker.stalledUntil, now) }
    }
    if center == nil { startCenter() }
    // Without a newcomer nobody does over what a survivor forgets.
    if !workers.contains(where: { $0.isAlive && $0.stalledUntil <= now }) || random.chance(0.3) { startWorker() }
    setDeadline()
  }
}
