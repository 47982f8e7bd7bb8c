import Lockstep
import Wire

/// One coordinator's time in office: a run, and the term that counts its starts. Every message's header carries it, and
/// what belongs to an older one changes nothing.
public struct Tenure: Hashable, Sendable, CustomStringConvertible {
  /// The run.
  public let run: RunID
  /// Which start of its coordinator, from 1.
  public let term: Int

  /// Names a tenure.
  public init(run: RunID, term: Int) { (self.run, self.term) = (run, term) }

  /// What a worker says before it was welcomed.
  public static let unknown = Tenure(run: .unknown, term: 0)

  public var description: String { "run \(run), term \(term)" }
}

/// One connection of a peer to one of our sockets; the loop that owns the socket gives it meaning, and never uses a
/// number twice.
public struct PeerID: Hashable, Comparable, Sendable {
  /// The number.
  public let number: Int

  /// Names a connection.
  public init(_ number: Int) { self.number = number }

  public static func < (a: PeerID, b: PeerID) -> Bool { a.number < b.number }
}

/// Exit codes that this room decides on.
///
/// - Source: BSD's sysexits, as the command line's documentation lists them.
public enum ExitCode {
  /// The run is done.
  public static let done = 0
  /// Try again later: no coordinator within the patience, or it serves another run now.
  public static let temporary = 75
  /// What was sent breaks the protocol.
  public static let denied = 77
  /// Numerics, data or protocol differ.
  public static let mismatch = 78
}
