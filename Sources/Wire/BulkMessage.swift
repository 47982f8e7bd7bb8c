import Lockstep

/// What workers and an aggregator say on the bulk socket. Payloads travel as raw little-endian numbers behind these fields.
public enum BulkMessage: Hashable, Sendable {
  // From a worker.
  case attach(session: UInt64)
  case gradient(Contribution)
  case fetch(Fetch)
  // From an aggregator.
  case received(ContributionKey)
  case parameters(Parameters)
}

/// Which sum a value is part of: one bucket of one subtree of a pass.
///
/// Buckets count from 0 in flat order; the one after the last is the statistics (Float64), the only bucket of an evaluation.
public struct ContributionKey: Hashable, Sendable {
  /// The pass.
  public var pass: Pass
  /// The bucket.
  public var bucket: Int
  /// The leaves whose sum it is.
  public var subtree: Subtree

  /// Names a value.
  public init(pass: Pass, bucket: Int, subtree: Subtree) {
    (self.pass, self.bucket, self.subtree) = (pass, bucket, subtree)
  }
}

/// The sum of a subtree's leaves, for one bucket; its payload follows.
public struct Contribution: Hashable, Sendable {
  /// Who sends it.
  public var session: UInt64
  /// What it is.
  public var key: ContributionKey

  /// Collects what is said.
  public init(session: UInt64, key: ContributionKey) { (self.session, self.key) = (session, key) }
}

/// A request for buckets of a version; held until that version is committed.
///
/// Behind the trained parameters' buckets come that of the batch-norm buffers, those of frozen parameters, and those of an
/// average, where there are such.
public struct Fetch: Hashable, Sendable {
  /// Who asks.
  public var session: UInt64
  /// Which version of the parameters.
  public var version: Int
  /// Which buckets; at most 16 a request.
  public var buckets: Range<Int>

  /// Collects what is said.
  public init(session: UInt64, version: Int, buckets: Range<Int>) {
    (self.session, self.version, self.buckets) = (session, version, buckets)
  }
}

/// One bucket of a version; its payload follows.
public struct Parameters: Hashable, Sendable {
  /// The version.
  public var version: Int
  /// The bucket.
  public var bucket: Int

  /// Collects what is said.
  public init(version: Int, bucket: Int) { (self.version, self.bucket) = (version, bucket) }
}
