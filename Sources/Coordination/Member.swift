import Lockstep
import Wire

/// What the coordinator knows of one worker.
struct Member {
  let session: UInt64
  let incarnation: UInt64
  let name: String
  let threads: Int
  /// Its control connection; nil after that was closed.
  var peer: PeerID?
  /// Its lease runs.
  var isLive = true
  /// Its socket lives, but its engine seems not to.
  var isStalled = false
  var lastHeard: Instant
  /// When it last was known to finish a leaf, or got work.
  var lastProgress: Instant
  /// What its last beat said.
  var leavesFinished = 0
  /// The revision of the newest plan sent to it.
  var revision = 0
  var plan: Plan?
  /// Its leaves of the scheduled pass, as its plan has them.
  var leaves: Set<Int> = []
  /// When they are expected to be done.
  var expectedFinish: Instant
  var secondsPerLeaf: [Pass.Kind: Double] = [:]

  /// The weight of a new measurement in the moving average of seconds per leaf (unmeasured; two or three passes to
  /// adapt).
  static let newWeight = 0.4
  /// What a worker that got no leaves is believed to have become faster by, so that it is tried again.
  static let forgiveness = 0.9

  /// Whether leaves may be counted on to come from it.
  var isUsable: Bool { isLive && !isStalled }

  /// Moves all deadlines by a time in which we ourselves were away.
  mutating func excuse(_ away: Duration) {
    lastHeard = lastHeard + away
    lastProgress = lastProgress + away
    expectedFinish = expectedFinish + away
  }

  /// Takes a measurement into its average.
  mutating func learn(from done: Done) {
    guard done.leaves > 0, done.seconds.isFinite, done.seconds >= 0 else { return }
    // A day a leaf is more than any worker can mean; deadlines computed from it stay in the clock's range.
    let sample = min(max(done.seconds / Double(done.leaves), 1e-6), 86_400)
    let old = secondsPerLeaf[done.pass.kind] ?? sample
    secondsPerLeaf[done.pass.kind] = old + Self.newWeight * (sample - old)
  }
}

/// A pass whose leaves are dealt out.
struct PassSchedule {
  let pass: Pass
  let tree: CanonicalTree
  private(set) var covered: Set<Int> = []

  init(pass: Pass, leafCount: Int) {
    self.pass = pass
    tree = CanonicalTree(leafCount: leafCount)
  }

  mutating func cover(_ subtrees: [Subtree]) {
    for subtree in subtrees { covered.formUnion(subtree.lower..<min(subtree.upper, tree.leafCount)) }
  }

  var isCovered: Bool { covered.count == tree.leafCount }
}
