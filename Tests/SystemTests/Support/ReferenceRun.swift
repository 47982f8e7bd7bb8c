import Testing

/// A run of the narrow network that nothing disturbs, made once: what disturbed runs must equal.
struct ReferenceRun: Sendable {
  /// Options that decide its bits.
  let options: [String]
  let steps: Int
  let stepsPerEpoch: Int
  /// The state_hash after steps 1, 2, ….
  let hashes: [String]
  /// The tensors after the last step, and the momentum.
  let tensors: [String: [UInt8]]
  let momentum: [String: [UInt8]]

  /// Options of a run that is as long as asked for.
  func options(steps: Int) -> [String] { options + ["--steps", String(steps)] }

  /// Three steps an epoch, the third with 5 samples instead of 16; augmentation and dropout on.
  static let short = Result { try ReferenceRun(samples: 37, stepsPerEpoch: 3, steps: 12) }
  /// So long that there is time to disturb it, and 31 steps an epoch, so that a crash has something to take back.
  static let long = Result { try ReferenceRun(samples: 485, stepsPerEpoch: 31, steps: 34) }

  private init(samples: Int, stepsPerEpoch: Int, steps: Int) throws {
    options = [
      "--model", "googlenet-seed", "--width", "0.1", "--data",
      "synthetic:samples=\(samples),size=32,classes=10,seed=1", "--global-batch", "16", "--microbatch", "4",
      "--augment", "standard", "--dropout", "on", "--seed", "7",
    ]
    (self.steps, self.stepsPerEpoch) = (steps, stepsPerEpoch)
    let sandbox = try Sandbox()
    defer { sandbox.close() }
    let arguments = options + ["--steps", String(steps), "--workers", "1", "--threads", "2", "--output", "run"]
    let outcome = try RunningProgram(["train"] + arguments, in: sandbox).wait()
    guard outcome.code == 0 else { throw Overdue(description: "the reference run failed: \(outcome)") }
    let run = RunFiles(sandbox.path("run"))
    hashes = try run.hashes()
    tensors = try tensorBytes(run.checkpoint(steps))
    momentum = try tensorBytes(run.optimizer(steps))
    guard hashes.count == steps, Set(hashes).count == steps else {
      throw Overdue(description: "the reference run has \(hashes.count) steps of \(Set(hashes).count) states")
    }
  }

  /// Expects that a run of so many steps gave this one's bits, at every step.
  func expect(_ run: RunFiles, steps: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(
      try run.hashes(sourceLocation: sourceLocation) == Array(hashes.prefix(steps)), sourceLocation: sourceLocation)
    guard steps == self.steps else { return }
    #expect(try tensorBytes(run.checkpoint(steps)) == tensors, sourceLocation: sourceLocation)
    #expect(try tensorBytes(run.optimizer(steps)) == momentum, sourceLocation: sourceLocation)
  }
}
