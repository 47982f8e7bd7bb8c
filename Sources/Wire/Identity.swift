import Lockstep

/// The version of this protocol; both ends must speak the same.
public let protocolVersion: UInt16 = 2

/// 128 random bits that name a run, made once and kept over resumes.
public struct RunID: Hashable, Sendable, CustomStringConvertible {
  /// The bits.
  public let bits: Digest

  /// Names a run by its bits.
  public init(bits: Digest) { self.bits = bits }

  /// Before a worker knows its run.
  public static let unknown = RunID(bits: Digest(high: 0, low: 0))

  public var description: String { bits.hex }
}

/// One walk over some leaves with one version of the parameters: the computing of an update, or an evaluation.
///
/// Passes are carried out in order: training(t) makes version t from version t − 1; evaluation(t) reads version t.
public struct Pass: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// What the walk is for.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// Gradients of training samples.
    case training = 0
    /// Losses and right answers of the validation samples.
    case evaluation = 1
  }

  /// The step whose update is computed, or the version that is evaluated.
  public let step: Int
  /// What the walk is for.
  public let kind: Kind

  /// Names a pass.
  public init(_ kind: Kind, step: Int) { (self.kind, self.step) = (kind, step) }

  /// The version of the parameters that goes in.
  public var version: Int { kind == .training ? step - 1 : step }

  public static func < (a: Pass, b: Pass) -> Bool { (a.step, a.kind.rawValue) < (b.step, b.kind.rawValue) }

  public var description: String { "\(kind)(\(step))" }
}

/// Which of a run's two sets of samples is meant.
public enum SampleSet: UInt8, Sendable, CaseIterable {
  /// The samples that are learnt from.
  case training = 0
  /// The samples that are only evaluated.
  case validation = 1
}
