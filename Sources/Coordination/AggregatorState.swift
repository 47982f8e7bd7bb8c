import Lockstep
import Wire

/// The aggregator's logic: adds up what workers send, in the canonical tree's order, and hands out committed
/// parameters.
///
/// One lives inside the coordinator. The driver feeds it with everything that comes on the bulk socket, carries out the
/// effects in order, applies the optimizer when a root or the pass is ready, and then says `committed` — before it
/// tells the coordinator's state, whose `openPass` it passes on as `open`. Every gradient of an admitted session for
/// the open pass or an older one is acknowledged: RECEIVED is credit, proof of delivery and cover in one. Gradients of
/// a pass that is not open yet are not, so the worker sends them again. A FETCH of the current version is answered, one
/// of the next version is held until the commit, any other is ignored: a worker that asks for the past is told by its
/// next PLAN.
///
/// Memory: ⌈M / 2⌉ values a bucket at most (see `BucketSum`), and `heldFetchLimit` ranges a session.
public struct AggregatorState<Value> {
  /// What happens to an aggregator.
  public enum Input {
    /// The coordinator welcomed a session; its messages count from now on.
    case admit(session: UInt64)
    /// The coordinator has forgotten or refused a session.
    case expel(session: UInt64)
    /// The coordinator's state opened a pass.
    case open(Pass)
    /// The driver has made this version current: the update of the last `passReady`, or the run's start.
    case committed(version: Int)
    /// A message without payload came on the bulk socket, with the tenure of its header.
    case message(PeerID, BulkMessage, Tenure)
    /// A GRADIENT came.
    case gradient(PeerID, Contribution, Value, Tenure)
    /// A connection is gone.
    case disconnected(PeerID)
  }

  /// What the driver must do.
  public enum Effect {
    /// Acknowledge a gradient.
    case acknowledge(PeerID, ContributionKey)
    /// Send these buckets of the current version, one PARAMETERS each.
    case sendParameters(PeerID, version: Int, buckets: Range<Int>)
    /// A bucket's sum over all leaves of the open pass; once for each pass and bucket.
    case rootReady(Pass, bucket: Int, Value)
    /// All buckets of the open pass have their sum; follows the last `rootReady`.
    case passReady(Pass)
    /// These leaves are now complete in every bucket: tell the coordinator's state, before acting on `passReady`.
    case covered(Pass, [Subtree])
    /// A peer broke the protocol: disconnect it, and tell the coordinator's state where a session is known.
    case reject(PeerID, session: UInt64?, reason: String)
  }

  /// Ranges held for one session at most; an honest worker has two.
  public static var heldFetchLimit: Int { 8 }
  /// Buckets of one FETCH at most.
  public static var fetchLimit: Int { 16 }

  /// Whose term it is.
  public let tenure: Tenure
  /// The buckets of a version; those of a gradient are its trained parameters', and the statistics after them.
  public let layout: VersionLayout
  /// The version that FETCH is answered with.
  public private(set) var version: Int
  /// The pass that gradients are added up for.
  public private(set) var openPass: Pass?

  private var gradientBuckets: Int { layout.gradientBuckets }
  private let leafCount: (Pass) -> Int
  private let add: (Value, Value) -> Value
  private var sessions: Set<UInt64> = []
  private var held: [UInt64: HeldFetch] = [:]
  private var tree = CanonicalTree(leafCount: 1)
  private var sums: [BucketSum<Value>] = []
  private var firstBucket = 0
  private var bucketsWithLeaf: [Int] = []

  private struct HeldFetch {
    var peer: PeerID
    var ranges: [Range<Int>]
  }

  /// An aggregator without an open pass.
  ///
  /// - Parameters:
  ///   - leafCount: how many leaves a pass has, a pure function of the configuration.
  ///   - add: left + right; may reuse either's memory.
  public init(
    tenure: Tenure, layout: VersionLayout, version: Int, leafCount: @escaping (Pass) -> Int,
    add: @escaping (_ left: Value, _ right: Value) -> Value
  ) {
    (self.tenure, self.layout, self.version) = (tenure, layout, version)
    (self.leafCount, self.add) = (leafCount, add)
  }

  /// How many values are kept; for bounds and metrics.
  public var valueCount: Int { sums.reduce(0) { $0 + $1.count } }

  /// Takes notice of an input; the effects are to be carried out in order.
  public mutating func handle(_ input: Input) -> [Effect] {
    switch input {
    case .admit(let session):
      sessions.insert(session)
      return []
    case .expel(let session):
      sessions.remove(session)
      held[session] = nil
      return []
    case .open(let pass):
      open(pass)
      return []
    case .committed(let version):
      return commit(version)
    case .gradient(let peer, let contribution, let value, let tenure):
      guard tenure == self.tenure, sessions.contains(contribution.session) else { return [] }
      return receive(contribution, value, from: peer)
    case .message(let peer, let message, let tenure):
      guard tenure == self.tenure else { return [] }
      return receive(message, from: peer)
    case .disconnected(let peer):
      held = held.filter { $0.value.peer != peer }
      return []
    }
  }

  // MARK: - Passes

  private mutating func open(_ pass: Pass) {
    precondition(openPass.map { $0 < pass } ?? true, "passes are opened in order")
    precondition(pass.version == version, "a pass is opened when the version it reads is committed")
    openPass = pass
    tree = CanonicalTree(leafCount: leafCount(pass))
    firstBucket = pass.kind == .training ? 0 : gradientBuckets
    sums = Array(repeating: BucketSum(tree: tree), count: gradientBuckets + 1 - firstBucket)
    bucketsWithLeaf = Array(repeating: 0, count: tree.leafCount)
  }

  private mutating func commit(_ version: Int) -> [Effect] {
    precondition(version == self.version || version == self.version + 1, "versions are committed in order")
    if version == self.version { return [] }
    self.version = version
    defer { held = [:] }
    return held.sorted { $0.value.peer < $1.value.peer }.flatMap { _, fetch in
      fetch.ranges.map { .sendParameters(fetch.peer, version: version, buckets: $0) }
    }
  }

  // MARK: - Messages

  private mutating func receive(_ contribution: Contribution, _ value: Value, from peer: PeerID) -> [Effect] {
    let key = contribution.key
    guard let openPass, key.pass <= openPass else { return [] }
    if key.pass < openPass { return [.acknowledge(peer, key)] }
    guard key.bucket >= firstBucket, key.bucket <= gradientBuckets, tree.contains(key.subtree) else {
      let reason =
        "bucket \(key.bucket) of \(key.subtree) is no part of \(key.pass), which has "
        + "\(tree.leafCount) leaves and buckets \(firstBucket)...\(gradientBuckets)"
      return [.reject(peer, session: contribution.session, reason: reason)]
    }
    var effects: [Effect] = [.acknowledge(peer, key)]
    switch sums[key.bucket - firstBucket].insert(key.subtree, value, add: add) {
    case .contained:
      break
    case .inserted(let newLeaves):
      effects += cover(newLeaves)
    case .completed(let root, let newLeaves):
      effects.append(.rootReady(openPass, bucket: key.bucket, root))
      effects += cover(newLeaves)
      if sums.allSatisfy(\.isComplete) { effects.append(.passReady(openPass)) }
    }
    return effects
  }

  private mutating func cover(_ leaves: [Int]) -> [Effect] {
    var complete: Set<Int> = []
    for leaf in leaves {
      bucketsWithLeaf[leaf] += 1
      if bucketsWithLeaf[leaf] == sums.count { complete.insert(leaf) }
    }
    guard let openPass, !complete.isEmpty else { return [] }
    return [.covered(openPass, tree.maximalSubtrees(of: complete))]
  }

  private mutating func receive(_ message: BulkMessage, from peer: PeerID) -> [Effect] {
    switch message {
    case .attach(let session):
      // Held requests follow the session to its new connection.
      if sessions.contains(session) { held[session]?.peer = peer }
      return []
    case .fetch(let fetch):
      guard sessions.contains(fetch.session) else { return [] }
      return receive(fetch, from: peer)
    case .gradient(let contribution):
      return [.reject(peer, session: contribution.session, reason: "a GRADIENT came without its payload")]
    case .received, .parameters:
      return [.reject(peer, session: nil, reason: "a worker sent what only an aggregator sends")]
    }
  }

  private mutating func receive(_ fetch: Fetch, from peer: PeerID) -> [Effect] {
    guard !fetch.buckets.isEmpty, fetch.buckets.count <= Self.fetchLimit, fetch.buckets.lowerBound >= 0,
      fetch.buckets.upperBound <= layout.count
    else {
      let reason = "FETCH of buckets \(fetch.buckets) of 0..<\(layout.count), at most \(Self.fetchLimit)"
      return [.reject(peer, session: fetch.session, reason: reason)]
    }
    if fetch.version == version { return [.sendParameters(peer, version: version, buckets: fetch.buckets)] }
    guard fetch.version == version + 1 else { return [] }
    var entry = held[fetch.session] ?? HeldFetch(peer: peer, ranges: [])
    entry.peer = peer
    entry.ranges.removeAll { $0 == fetch.buckets }
    if entry.ranges.count == Self.heldFetchLimit { entry.ranges.removeFirst() }
    entry.ranges.append(fetch.buckets)
    held[fetch.session] = entry
    return []
  }
}
