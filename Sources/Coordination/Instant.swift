/// A point on a monotonic clock, counted from an origin that only this process knows.
///
/// The state machines of this room have no clock: the loop that drives them says what time it is.
public struct Instant: Hashable, Comparable, Sendable, InstantProtocol {
  /// Nanoseconds since the origin.
  public let nanoseconds: Int64

  /// A reading of the clock.
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// Later by a duration (rounded down to nanoseconds).
  public func advanced(by duration: Duration) -> Instant {
    Instant(nanoseconds: nanoseconds + duration.wholeNanoseconds)
  }

  /// How long until another instant; negative if it was before.
  public func duration(to other: Instant) -> Duration { .nanoseconds(other.nanoseconds - nanoseconds) }

  public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

  /// Later by a duration.
  public static func + (a: Instant, b: Duration) -> Instant { a.advanced(by: b) }

  /// How long after another instant; negative if before.
  public static func - (a: Instant, b: Instant) -> Duration { b.duration(to: a) }
}

extension Duration {
  /// Rounded down to nanoseconds.
  var wholeNanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }

  /// As a number of seconds.
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

/// A wait that grows from attempt to attempt and is short again after a success.
struct Backoff: Hashable, Sendable {
  /// The first wait, and the longest.
  let first: Duration, longest: Duration
  /// The wait that is in force.
  private(set) var current: Duration

  init(first: Duration, longest: Duration) {
    (self.first, self.longest) = (first, longest)
    current = first
  }

  /// After an attempt without success.
  mutating func grow() { current = min(current * 2, longest) }

  /// After a success.
  mutating func reset() { current = first }
}

/// Notices that a loop was itself away (stopped, swapped out), so that nobody else is blamed for the silence.
struct AbsenceMeter: Hashable, Sendable {
  private var lastTick: Instant?

  /// How long the loop was away beyond `tolerance` since the last tick; zero when it was not.
  mutating func absence(at now: Instant, tolerance: Duration) -> Duration {
    defer { lastTick = now }
    guard let lastTick, now - lastTick > tolerance else { return .zero }
    return now - lastTick
  }
}
