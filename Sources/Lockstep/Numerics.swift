/// What two processes must have in common to work in one run.
public struct Numerics: Hashable, Sendable, CustomStringConvertible {
  /// Raised by hand when a change to the engine may change bits.
  public let engine: UInt32
  /// The digest of the start-up self-test's results.
  public let selfTest: Digest

  /// Names the engine and what its self-test gave on this host.
  public init(engine: UInt32, selfTest: Digest) {
    (self.engine, self.selfTest) = (engine, selfTest)
  }

  public var description: String { "engine \(engine), self-test \(selfTest)" }
}
