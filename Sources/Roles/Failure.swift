/// Why a command ends other than well: the exit codes of the command line.
public enum ExitCode: Int32, Sendable, CaseIterable {
  /// All went well.
  case done = 0
  /// The command line makes no sense.
  case usage = 2
  /// Data or a checkpoint is missing, bad or damaged.
  case badData = 65
  /// A port is in use, or the address is not this host's.
  case addressUnavailable = 69
  /// Training diverged, or a replay gave other bits.
  case diverged = 70
  /// A file cannot be written.
  case cannotWrite = 73
  /// Temporary: the coordinator could not be reached.
  case temporary = 75
  /// Authentication was refused.
  case refused = 77
  /// Configuration, model, numerics or protocol do not match.
  case mismatch = 78
  /// After Ctrl-C, with a checkpoint saved first.
  case interrupted = 130
  /// After SIGTERM, with a checkpoint saved first.
  case terminated = 143
}

/// An end that the user is told about: a sentence that says what happened, where, and what to do; and an exit code.
public struct Failure: Error, Sendable, CustomStringConvertible {
  /// The exit code.
  public let code: ExitCode
  /// The sentence.
  public let description: String

  /// Names the code and the sentence.
  public init(_ code: ExitCode, _ description: String) {
    (self.code, self.description) = (code, description)
  }
}
