import Lockstep
import Wire

/// The coordinator's logic: who takes part, who computes which leaves, which pass is open, when the run is over.
///
/// The driver feeds it with control messages (and the tenure of their header), with what the aggregator's state says
/// (`covered`, `reject`), with `passCommitted` once a pass is carried out, and with a `tick` at least four times a
/// beat, always after draining its sockets; it carries out the effects in order. `start` opens the first pass. A worker
/// is admitted by HELLO, kept by any message, lost after three beats of silence or when its connection closes, and
/// taken back as it was when it speaks again: a session belongs to an incarnation.
///
/// Leaves are dealt out when a pass begins (`Shares`), by a moving average of the seconds per leaf that DONE reports.
/// The leaves of the pass after an update are dealt out as soon as the update's are all covered, while it is still
/// being made. During a pass leaves of a lost worker go to others at once, and idle workers also get the last leaves of
/// the slowest. A leaf that two workers have and that is covered is taken out of their plans, so that sums which waited
/// for it are sent.
///
/// Memory: `recordLimit` absent workers are remembered, the longest absent forgotten first.
public struct CoordinatorState {
  /// What happens to a coordinator.
  public enum Input: Sendable {
    /// Begin with the first pass.
    case start
    /// A control message came, with its header's tenure.
    case message(PeerID, ControlMessage, Tenure)
    /// A control connection is gone.
    case disconnected(PeerID)
    /// Time has passed.
    case tick
    /// Leaves of a pass are complete in every bucket.
    case covered(Pass, [Subtree])
    /// The open pass is carried out: its update is committed (or skipped), its evaluation recorded.
    case passCommitted(Pass)
    /// A session's bulk or sample traffic broke the protocol.
    case reject(session: UInt64, reason: String)
    /// A signal: end the run early, with this exit code.
    case stopRequested(code: Int, reason: String)
    /// Our own side cannot go on.
    case fault(code: Int, reason: String)
  }

  /// What the driver must do.
  public enum Effect: Sendable {
    /// Send a control message under our tenure.
    case send(PeerID, ControlMessage)
    /// Close a connection, after what was sent on it.
    case dropPeer(PeerID)
    /// Tell the aggregators that a session counts.
    case admit(session: UInt64)
    /// Tell the aggregators that a session no longer counts.
    case expel(session: UInt64)
    /// Tell the aggregators which pass is current.
    case openPass(Pass)
    /// For the log and the metrics.
    case event(Event)
    /// The run is over (all of it, if `code` is 0; else by `stopRequested`): save a checkpoint of the committed
    /// version.
    case runFinished(code: Int, reason: String)
    /// The run cannot go on: end with the code.
    case runFailed(code: Int, reason: String)
    /// Everybody has gone home, or had time to: close the sockets.
    case drained
  }

  /// What people may want to know.
  public enum Event: Hashable, Sendable {
    case joined(name: String, session: UInt64, threads: Int)
    case returned(name: String)
    case left(name: String)
    case lost(name: String, cause: LossCause)
    /// Its socket lives, but no leaf gets finished.
    case stalled(name: String)
    case refused(name: String, code: Int, reason: String)
    case waitingForWorkers(Pass)
    case planned(Pass, shares: [Share])
    case reassigned(Pass, leaves: [Int], to: String)
    case finishedShare(name: String, Done)
  }

  /// How a worker was lost.
  public enum LossCause: Hashable, Sendable { case disconnected, silent }

  /// What a worker has to do in a pass.
  public struct Share: Hashable, Sendable {
    /// Whose it is.
    public let name: String
    /// How many leaves.
    public let leaves: Int
  }

  /// What a coordinator is told at its start.
  public struct Settings: Sendable {
    /// The run and which start this is.
    public var tenure: Tenure
    /// What every worker must have in common with us.
    public var numerics: Numerics
    /// The training data's fingerprint; a worker with another copy of it is refused, one without a copy is welcome.
    public var fingerprint: Digest
    /// What WELCOME says.
    public var configuration: [UInt8]
    /// What WELCOME says.
    public var bulkEndpoint: String
    /// What WELCOME says.
    public var sampleEndpoint: String
    /// Between two beats of a worker.
    public var beat: Duration
    /// The run's passes.
    public var passes: PassSequence
    /// The first pass to carry out.
    public var firstPass: Pass
    /// How many leaves a pass has.
    public var leafCount: @Sendable (Pass) -> Int
    /// Random bits for a new session.
    public var newSession: @Sendable () -> UInt64
    /// A worker that finishes no leaf for so long is stalled, unless 20 of its kind's median leaves take longer.
    public var engineDeadline: Duration = .seconds(60)

    /// Collects the settings.
    public init(
      tenure: Tenure, numerics: Numerics, fingerprint: Digest, configuration: [UInt8], bulkEndpoint: String,
      sampleEndpoint: String, beat: Duration, passes: PassSequence, firstPass: Pass,
      leafCount: @escaping @Sendable (Pass) -> Int, newSession: @escaping @Sendable () -> UInt64
    ) {
      (self.tenure, self.numerics, self.fingerprint) = (tenure, numerics, fingerprint)
      (self.configuration, self.bulkEndpoint, self.sampleEndpoint) = (configuration, bulkEndpoint, sampleEndpoint)
      (self.beat, self.passes, self.firstPass) = (beat, passes, firstPass)
      (self.leafCount, self.newSession) = (leafCount, newSession)
    }
  }

  /// Absent workers that are remembered.
  public static let recordLimit = 256
  /// Beats of silence that end a lease.
  public static let leaseBeats = 3

  enum Phase { case created, running, finished(Stop, since: Instant), drained }

  let settings: Settings
  var phase = Phase.created
  var members: [Member] = []
  /// The pass that the aggregators add up for.
  public internal(set) var openPass: Pass?
  /// The pass whose leaves are dealt out: the open one, or the next once all its leaves are covered.
  var schedule: PassSchedule?
  var isWaiting = false
  private var absence = AbsenceMeter()

  /// A coordinator that has not begun.
  public init(_ settings: Settings) { self.settings = settings }

  /// Live workers; for metrics.
  public var workerCount: Int { members.reduce(0) { $0 + ($1.isLive ? 1 : 0) } }

  /// Takes notice of an input; the effects are to be carried out in order.
  public mutating func handle(_ input: Input, at now: Instant) -> [Effect] {
    switch (phase, input) {
    case (.created, .start):
      phase = .running
      openPass = settings.firstPass
      return [.openPass(settings.firstPass)] + begin(settings.firstPass, at: now)
    case (.created, _), (.drained, _):
      return []
    case (.finished(let stop, let since), _):
      return handleAfterEnd(input, stop, since: since, at: now)
    case (.running, .start):
      return []
    case (.running, .message(let peer, let message, let tenure)):
      return receive(message, from: peer, tenure, at: now)
    case (.running, .disconnected(let peer)):
      guard let index = index(of: peer) else { return [] }
      members[index].peer = nil
      return lose(index, cause: .disconnected, at: now)
    case (.running, .tick):
      return tick(at: now)
    case (.running, .covered(let pass, let subtrees)):
      return cover(pass, subtrees, at: now)
    case (.running, .passCommitted(let pass)):
      return commit(pass, at: now)
    case (.running, .reject(let session, let reason)):
      return reject(session, reason, at: now)
    case (.running, .stopRequested(let code, let reason)):
      return end(.runFinished(code: code, reason: reason), Stop(code: code, reason: reason), at: now)
    case (.running, .fault(let code, let reason)):
      return end(.runFailed(code: code, reason: reason), Stop(code: code, reason: reason), at: now)
    }
  }

  // MARK: - Passes

  private mutating func cover(_ pass: Pass, _ subtrees: [Subtree], at now: Instant) -> [Effect] {
    guard pass == schedule?.pass else { return [] }
    schedule?.cover(subtrees)
    if schedule?.isCovered == true {
      // After an update the next version is waited for anyway, and with it for the opening of the next pass. After an
      // evaluation nothing would keep a worker from sending gradients of a pass that is not open.
      return pass.kind == .training ? beginNext(after: pass, at: now) : []
    }
    return thinOut(subtrees) + rebalance(at: now)
  }

  private mutating func commit(_ pass: Pass, at now: Instant) -> [Effect] {
    guard pass == openPass else { return [] }
    var effects: [Effect] = []
    if schedule?.pass == pass { effects += beginNext(after: pass, at: now) }
    guard let next = settings.passes.next(after: pass) else {
      let stop = Stop(code: ExitCode.done, reason: "the run is complete")
      return effects + end(.runFinished(code: stop.code, reason: stop.reason), stop, at: now)
    }
    openPass = next
    return effects + [.openPass(next)]
  }

  private mutating func beginNext(after pass: Pass, at now: Instant) -> [Effect] {
    schedule = nil
    guard let next = settings.passes.next(after: pass) else { return [] }
    return begin(next, at: now)
  }

  // MARK: - Time

  private mutating func tick(at now: Instant) -> [Effect] {
    let away = absence.absence(at: now, tolerance: settings.beat)
    if away > .zero { for index in members.indices { members[index].excuse(away) } }
    var effects: [Effect] = []
    for index in members.indices where members[index].isLive {
      if now - members[index].lastHeard > settings.beat * Self.leaseBeats {
        effects += lose(index, cause: .silent, at: now)
      }
    }
    return effects + markStalled(at: now) + rebalance(at: now)
  }

  // MARK: - The end

  mutating func end(_ effect: Effect, _ stop: Stop, at now: Instant) -> [Effect] {
    phase = .finished(stop, since: now)
    schedule = nil
    return [effect] + members.compactMap { $0.peer }.map { .send($0, .stop(stop)) }
  }

  private mutating func handleAfterEnd(_ input: Input, _ stop: Stop, since: Instant, at now: Instant) -> [Effect] {
    var effects: [Effect] = []
    switch input {
    case .message(let peer, .leave, _), .disconnected(let peer):
      members.removeAll { $0.peer == peer }
    case .message(let peer, _, _):
      // Whoever has not heard it yet is told again.
      effects.append(.send(peer, .stop(stop)))
    case .start, .tick, .covered, .passCommitted, .reject, .stopRequested, .fault:
      break
    }
    if !members.contains(where: { $0.isLive }) || now - since > settings.beat * Self.leaseBeats {
      phase = .drained
      effects.append(.drained)
    }
    return effects
  }
}
