/// Which samples every step and leaf of a run uses: a pure function of the configuration.
///
/// Steps count updates from 1, epochs count from 0. Every sample is used exactly once an epoch.
public struct TrainingPlan: Hashable, Sendable {
  /// How many samples the dataset has.
  public let sampleCount: Int
  /// Samples of a step, except an epoch's last one, which may have fewer.
  public let globalBatch: Int
  /// Samples of a leaf, at most.
  public let microbatch: Int
  /// Whether each epoch has an order of its own; otherwise the dataset's.
  public let shuffle: Bool
  /// What the orders are drawn from.
  public let seed: UInt64

  /// Describes a run's use of its data.
  public init(sampleCount: Int, globalBatch: Int, microbatch: Int, shuffle: Bool, seed: UInt64) {
    precondition(sampleCount > 0 && microbatch > 0 && globalBatch >= microbatch, "the configuration was validated")
    (self.sampleCount, self.globalBatch, self.microbatch) = (sampleCount, globalBatch, microbatch)
    (self.shuffle, self.seed) = (shuffle, seed)
  }

  /// ⌈samples / global batch⌉.
  public var stepsPerEpoch: Int { (sampleCount + globalBatch - 1) / globalBatch }

  /// The epoch that a step belongs to.
  public func epoch(ofStep step: Int) -> Int { (step - 1) / stepsPerEpoch }

  /// Whether a step is the last of its epoch.
  public func endsEpoch(_ step: Int) -> Bool { step % stepsPerEpoch == 0 }

  /// The leaves of a step.
  public func leaves(ofStep step: Int) -> LeafPlan {
    let range = positions(ofStep: step)
    return LeafPlan(sampleCount: range.count, microbatch: microbatch)
  }

  /// The dataset indices of a leaf's samples, in order.
  public func samples(ofStep step: Int, leaf: Int) -> [Int] {
    let start = positions(ofStep: step).lowerBound
    let positions = leaves(ofStep: step).positions(ofLeaf: leaf)
    guard shuffle else { return positions.map { start + $0 } }
    let order = Permutation(count: sampleCount, seed: seed, epoch: epoch(ofStep: step))
    return positions.map { order[start + $0] }
  }

  /// The leaf sizes that occur in a run of this plan, largest first.
  public var leafSizes: [Int] {
    let last = leaves(ofStep: stepsPerEpoch).sizes
    let first = leaves(ofStep: 1).sizes
    return Set(first + last).sorted(by: >)
  }

  private func positions(ofStep step: Int) -> Range<Int> {
    precondition(step > 0, "steps count from 1")
    let start = (step - 1) % stepsPerEpoch * globalBatch
    return start..<min(sampleCount, start + globalBatch)
  }
}
