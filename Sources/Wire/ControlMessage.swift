import Lockstep

/// What coordinator and workers say on the control socket.
public enum ControlMessage: Hashable, Sendable {
  // From a worker.
  case hello(Hello)
  case beat(Beat)
  case done(Done)
  case fault(Fault)
  case leave
  // From the coordinator.
  case welcome(Welcome)
  case plan(Plan)
  case pulse(Pulse)
  case refuse(Refuse)
  case stop(Stop)
}

/// A worker presents itself; repeated until it is welcomed or refused.
public struct Hello: Hashable, Sendable {
  /// The engine and its self-test on this host.
  public var numerics: Numerics
  /// For people to read; at most 64 bytes.
  public var name: String
  /// Random, one per process.
  public var incarnation: UInt64
  /// Compute threads.
  public var threads: Int
  /// The CPU's name, for people to read; at most 128 bytes.
  public var cpu: String
  /// Fingerprint of its own copy of the training data, if it has one.
  public var fingerprint: Digest?

  /// Collects what is said.
  public init(numerics: Numerics, name: String, incarnation: UInt64, threads: Int, cpu: String, fingerprint: Digest?) {
    (self.numerics, self.name, self.incarnation, self.threads) = (numerics, name, incarnation, threads)
    (self.cpu, self.fingerprint) = (cpu, fingerprint)
  }
}

/// A worker lives, and this is what it is doing.
public struct Beat: Hashable, Sendable {
  /// What a worker is doing.
  public enum Phase: UInt8, Sendable, CaseIterable {
    case idle = 0, fetching = 1, loading = 2, computing = 3, sending = 4
  }
  /// What it is doing.
  public var phase: Phase
  /// The pass it works on, if any.
  public var pass: Pass?
  /// Leaves finished since it started: proves progress, not just a live socket.
  public var leavesFinished: Int
  /// The newest plan it knows.
  public var revision: Int

  /// Collects what is said.
  public init(phase: Phase, pass: Pass?, leavesFinished: Int, revision: Int) {
    (self.phase, self.pass, self.leavesFinished, self.revision) = (phase, pass, leavesFinished, revision)
  }
}

/// A worker has finished all leaves of its plan for a pass, and all of it was received. Information only: delivery is
/// what `Received` says.
public struct Done: Hashable, Sendable {
  /// The pass.
  public var pass: Pass
  /// How many leaves it computed.
  public var leaves: Int
  /// Seconds that their computing took.
  public var seconds: Double

  /// Collects what is said.
  public init(pass: Pass, leaves: Int, seconds: Double) {
    (self.pass, self.leaves, self.seconds) = (pass, leaves, seconds)
  }
}

/// A worker met something that no retry on its side can mend, such as a picture that cannot be decoded.
public struct Fault: Hashable, Sendable {
  /// The exit code that the run should end with.
  public var code: Int
  /// The sample it is about, if any.
  public var sample: SampleReference?
  /// What happened; at most 1,024 bytes.
  public var reason: String

  /// Collects what is said.
  public init(code: Int, sample: SampleReference?, reason: String) {
    (self.code, self.sample, self.reason) = (code, sample, reason)
  }
}

/// A sample of one of the run's two sets.
public struct SampleReference: Hashable, Sendable {
  /// The set.
  public var set: SampleSet
  /// The index in dataset order.
  public var index: Int

  /// Names a sample.
  public init(set: SampleSet, index: Int) { (self.set, self.index) = (set, index) }
}

/// The coordinator admits a worker and tells it all about the run.
public struct Welcome: Hashable, Sendable {
  /// Random; shown with every bulk and sample message.
  public var session: UInt64
  /// The whole configuration, as JSON; at most 256 KiB.
  public var configuration: [UInt8]
  /// Where bulk goes: a full endpoint, or a port on the coordinator's own host (":5556").
  public var bulk: String
  /// Where samples come from, likewise.
  public var samples: String
  /// Milliseconds between beats; silence of three ends a lease.
  public var beatMilliseconds: Int

  /// Collects what is said.
  public init(session: UInt64, configuration: [UInt8], bulk: String, samples: String, beatMilliseconds: Int) {
    (self.session, self.configuration, self.bulk, self.samples) = (session, configuration, bulk, samples)
    self.beatMilliseconds = beatMilliseconds
  }
}

/// Everything a worker has to do in a pass; the highest revision wins.
public struct Plan: Hashable, Sendable {
  /// Grows with every plan that this session is sent.
  public var revision: Int
  /// The pass.
  public var pass: Pass
  /// Leaves of the pass, ascending, in the order they should be computed; empty: wait.
  public var leaves: [Int]

  /// Collects what is said.
  public init(revision: Int, pass: Pass, leaves: [Int]) {
    (self.revision, self.pass, self.leaves) = (revision, pass, leaves)
  }
}

/// The coordinator's answer to a beat.
public struct Pulse: Hashable, Sendable {
  /// The newest plan it sent to this session; a worker that knows an older one is sent it again.
  public var revision: Int

  /// Collects what is said.
  public init(revision: Int) { self.revision = revision }
}

/// The coordinator will not have this worker, and why.
public struct Refuse: Hashable, Sendable {
  /// The exit code that the worker should end with (77 or 78), or 0: say HELLO again.
  public var code: Int
  /// For people to read; at most 1,024 bytes.
  public var reason: String

  /// Collects what is said.
  public init(code: Int, reason: String) { (self.code, self.reason) = (code, reason) }
}

/// The run has ended; a worker ends with code 0 if the run did.
public struct Stop: Hashable, Sendable {
  /// The exit code that the coordinator ends with.
  public var code: Int
  /// For people to read; at most 1,024 bytes.
  public var reason: String

  /// Collects what is said.
  public init(code: Int, reason: String) { (self.code, self.reason) = (code, reason) }
}
