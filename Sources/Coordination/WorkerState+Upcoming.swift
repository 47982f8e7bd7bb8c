import Wire

extension WorkerState {
  /// The leaves that are to be computed next, in order: their samples can be loaded ahead of time.
  /// Beside them, all leaves that the plan assigns.
  public var upcoming: (pass: Pass, leaves: [Int], assigned: [Int])? {
    guard let sums else { return nil }
    return (sums.pass, sums.remaining, sums.assigned.sorted())
  }

  /// What bulk and sample messages show to be let in; nil before the first WELCOME.
  public var sessionNumber: UInt64? { session }
}
