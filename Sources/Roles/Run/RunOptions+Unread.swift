import Lockstep

extension RunOptions {
  /// Options that are read only where another one has certain values.
  private static let readers: [(keys: [String], decider: String, value: String, readBy: [String])] = [
    (["lars-trust"], "optimizer", OptimizerKind.sgd.rawValue, ["lars"]),
    (["rmsprop-decay", "epsilon"], "optimizer", OptimizerKind.sgd.rawValue, ["rmsprop", "rmsprop-tf"]),
    (
      ["schedule-step-size", "schedule-step-epochs", "schedule-gamma"], "schedule", ScheduleKind.constant.rawValue,
      ["step"]
    ),
    (["schedule-power"], "schedule", ScheduleKind.constant.rawValue, ["polynomial"]),
    (["average-decay"], "average", AverageKind.none.rawValue, ["ema"]),
    (["average-start"], "average", AverageKind.none.rawValue, ["polyak"]),
  ]

  /// Throws for the first flag that nothing in a run with these options reads: whoever gives it expects something of it.
  /// A file or a variable may hold it for other runs.
  func refuseUnread(_ flags: RunOptions) throws(Failure) {
    // A value that there is not is a mistake of its own.
    let _: OptimizerKind? = try choice("optimizer")
    let _: ScheduleKind? = try choice("schedule")
    let _: AverageKind? = try choice("average")
    for reader in Self.readers {
      let value = text(reader.decider) ?? reader.value
      for key in reader.keys where flags.text(key) != nil && !reader.readBy.contains(value) {
        throw Failure(
          .usage,
          "--\(key): --\(reader.decider) \(value) does not read it; leave it out, or use --\(reader.decider) "
            + reader.readBy.joined(separator: " or "))
      }
    }
  }
}
