import Lockstep
import Wire

/// A worker's logic: finding the coordinator and keeping in touch, fetching versions, computing leaves, delivering
/// sums.
///
/// Values stay outside: the state only names them, and the driver keeps a buffer for each (pass, subtree) from
/// `startLeaf` (for its result) until `free`. The driver feeds it with what comes on both sockets (and the tenure of
/// the header), with the engine's progress, with connections that were made again, and with a `tick` at least every 50
/// ms, after draining its sockets; it carries out the effects in order, under the header (`tenure`) that the state has
/// then. A send that is not possible at once is dropped: everything is repeated until it is answered. What the driver
/// has handed to a socket must not be freed with `free`: a repeated message may still be queued.
///
/// Parameters are stored while the engine may still compute with other weights, which it reads where they were stored:
/// the memory of weights must not be written again as long as the engine holds them, however old they are.
///
/// Memory: sums that wait for siblings (⌈log₂ M⌉ + 1 at most while plans only grow), `parcelLimit` released sums when a
/// leaf is begun, and 16 gradient messages and 2 requests under way.
public struct WorkerState {
  /// What happens to a worker.
  public enum Input: Sendable {
    /// A control message came.
    case control(ControlMessage, Tenure)
    /// A bulk message came; PARAMETERS' payload is only to be stored if `storeParameters` follows.
    case bulk(BulkMessage, Tenure)
    /// The driver has done what `welcomed` asked for. Where the configuration wanted a new engine, the old one's sums are
    /// gone, and nothing that it reports may be handed in any more.
    case configured(WorkShape, hasNewEngine: Bool)
    /// One bucket of the current leaf's result has its value.
    case leafBucketReady(Pass, leaf: Int, bucket: Int)
    /// The current leaf is computed, all buckets of it.
    case leafFinished(Pass, leaf: Int, seconds: Double)
    /// The control connection was made (again); what was queued on it may be lost.
    case controlConnectionRemade
    /// The bulk connection was made (again); what was queued on it may be lost.
    case bulkConnectionRemade
    /// Our own side met something that no retry can mend.
    case fault(Fault)
    /// A signal: go home.
    case leaveRequested
    /// Time has passed.
    case tick
  }

  /// What the driver must do.
  public enum Effect: Sendable {
    /// Send to the coordinator.
    case sendControl(ControlMessage)
    /// Send to the aggregator; a gradient with the payload it names.
    case sendBulk(BulkMessage)
    /// A new tenure: connect the bulk and sample sockets to where it says, take over the configuration, then say
    /// `configured`. All sums and versions of the tenure before are void (their `free` has come, or comes with the
    /// leaf, or does not come where there is a new engine).
    case welcomed(Welcome, Tenure)
    /// Put the bucket of PARAMETERS that was just handed in into the arena of its weights; a frozen one (see
    /// `VersionLayout`) belongs into those of all weights of the tenure.
    case storeParameters(Weights, bucket: Int)
    /// All buckets of some weights are stored, the frozen ones too.
    case weightsComplete(Weights)
    /// Compute a leaf with the version that its pass reads.
    case startLeaf(LeafTask)
    /// A sum is not needed any more.
    case free(Pass, Subtree)
    /// For the log.
    case event(Event)
    /// The worker's work is over: end with the code.
    case finished(code: Int, reason: String)
  }

  /// What people may want to know.
  public enum Event: Hashable, Sendable {
    case searching
    case attached(Tenure)
    case silence
    case sentAgain(messages: Int)
  }

  /// What a worker must know of the configuration.
  public struct WorkShape: Sendable {
    /// Buckets of a version; those of a gradient are its trained parameters', and the statistics after them.
    public var layout: VersionLayout
    /// How many leaves a pass has.
    public var leafCount: @Sendable (Pass) -> Int

    /// Collects what must be known.
    public init(layout: VersionLayout, leafCount: @escaping @Sendable (Pass) -> Int) {
      (self.layout, self.leafCount) = (layout, leafCount)
    }
  }

  /// Released sums that are kept at most when a leaf is begun.
  public static let parcelLimit = 3

  let hello: Hello
  let patience: Duration
  /// Whose messages count; also what our own messages say.
  public internal(set) var tenure = Tenure.unknown
  /// The code and reason it ended with.
  public internal(set) var end: Stop?

  var session: UInt64?
  var beat = Duration.seconds(1)
  var lastHeard: Instant
  var nextBeat: Instant
  var isSearching = true
  var nextHello: Instant
  var helloPause = Backoff(first: .milliseconds(100), longest: .seconds(5))
  var absence = AbsenceMeter()
  var pendingFault: Fault?

  var shape: WorkShape?
  var isConfigured = false
  var plan: Plan?
  var sums: LeafSums?
  /// What the engine works on; of an older pass or tenure, perhaps.
  var engine: EngineLeaf?
  var leavesFinished = 0
  var unreported = (leaves: 0, seconds: 0.0)

  var outbox = Outbox()
  var gradientRetry: Retry
  var fetch: VersionFetch?
  var fetchRetry: Retry
  /// The weights that are stored completely.
  public internal(set) var completeWeights: Weights?
  /// Whether the frozen parameters of this tenure are stored.
  var hasFrozen = false

  /// A leaf in the engine.
  struct EngineLeaf {
    let task: LeafTask
    /// Its pass was over before it was done: nothing of it counts.
    var isVoid = false
    /// Buckets of a released result that are not ready.
    var awaited: Set<Int>
    /// The result was acknowledged or dropped; it is freed when the engine lets go of it.
    var freesResult = false
  }

  /// When to send again what was not answered.
  struct Retry {
    var since: Instant
    var wait = Backoff(first: .seconds(3), longest: .seconds(12))

    mutating func restart(at now: Instant) {
      since = now
      wait.reset()
    }
  }

  /// A worker that has not begun to look for its coordinator; the first `tick` begins.
  ///
  /// - Parameter patience: without a word from a coordinator for so long it gives up.
  public init(hello: Hello, patience: Duration = .seconds(600), at now: Instant) {
    (self.hello, self.patience) = (hello, patience)
    (lastHeard, nextBeat, nextHello) = (now, now, now)
    (gradientRetry, fetchRetry) = (Retry(since: now), Retry(since: now))
  }

  /// Sums that the driver keeps for it; for bounds.
  public var sumCount: Int { (sums?.held.count ?? 0) + outbox.parcelCount }
  /// Gradient messages that are not acknowledged; for bounds.
  public var messagesInFlight: Int { outbox.inFlight.count }

  /// Takes notice of an input; the effects are to be carried out in order.
  public mutating func handle(_ input: Input, at now: Instant) -> [Effect] {
    guard end == nil else { return [] }
    switch input {
    case .control(let message, let tenure):
      return receive(message, tenure, at: now)
    case .bulk(let message, let tenure):
      guard tenure == self.tenure, session != nil else { return [] }
      return receive(message, at: now)
    case .configured(let shape, let hasNewEngine):
      (self.shape, isConfigured) = (shape, true)
      // Nobody will say that the old engine's leaf, void since the tenure began, is finished.
      if hasNewEngine { engine = nil }
      return adoptPlan(at: now)
    case .leafBucketReady(let pass, let leaf, let bucket):
      return bucketReady(pass, leaf, bucket, at: now)
    case .leafFinished(let pass, let leaf, let seconds):
      return leafFinished(pass, leaf, seconds, at: now)
    case .controlConnectionRemade:
      return sayHello(at: now)
    case .bulkConnectionRemade:
      return reattachBulk(at: now)
    case .fault(let fault):
      pendingFault = fault
      return session == nil ? [] : [.sendControl(.fault(fault))]
    case .leaveRequested:
      return finish(ExitCode.done, "told to leave", farewell: true)
    case .tick:
      return tick(at: now)
    }
  }

  mutating func finish(_ code: Int, _ reason: String, farewell: Bool) -> [Effect] {
    end = Stop(code: code, reason: reason)
    return (farewell && session != nil ? [.sendControl(.leave)] : []) + [.finished(code: code, reason: reason)]
  }
}
