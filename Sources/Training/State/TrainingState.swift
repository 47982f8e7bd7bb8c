import Compute
import Lockstep
import Models

/// The state of a run at the root of the reduction: parameters, running statistics and the optimizer's vectors, in two
/// versions. The committed one is read; a step writes the other, which takes its place if all of it is finite.
///
/// A step is: `apply` once for every bucket of the flat vector, then `finish` with the statistics.
///
/// Different buckets may be applied from different threads at once: each writes its own range and its own mark. Everything
/// else belongs to one thread at a time.
public final class TrainingState: @unchecked Sendable {
  /// Why a step's update was thrown away.
  public enum NonFinite: String, Sendable, CaseIterable {
    /// The sum of the gradients.
    case gradient
    /// Losses or batch-norm statistics.
    case statistics
    /// The parameters that the update would have made.
    case parameters
    /// The momentum that the update would have made.
    case optimizerState = "optimizer state"
  }

  /// How a step ended.
  public struct Outcome: Hashable, Sendable {
    /// The version it made.
    public var step: Int
    /// Losses and right answers.
    public var metrics: StepMetrics
    /// What was not finite, if the update was skipped: the version is then the one before under a new number.
    public var skipped: NonFinite?
  }

  /// The model it is the state of.
  public let model: Model
  /// What makes new parameters.
  public let optimizer: any Optimizer
  /// The committed version: the step that made it, 0 for the initial state.
  public private(set) var step: Int
  /// `num_batches_tracked` of every batch norm, in state_dict order.
  public private(set) var batchCounts: [Int64]

  private let decay: DecayMap
  private let auxWeight: Double
  private var committed: Version
  private var candidate: Version
  /// One mark a bucket, written by whoever applies it.
  private let marks: UnsafeMutableBufferPointer<Mark>

  private struct Version {
    var parameters: FloatStorage
    var buffers: FloatStorage
    var optimizerState: [FloatStorage]
  }
  private enum Mark: UInt8 { case missing, finite, gradient, parameters, optimizerState }

  /// Goes on from a version; the optimizer starts anew where the version lacks its vectors.
  public init(model: Model, configuration: RunConfiguration, from snapshot: StateSnapshot) {
    precondition(
      snapshot.parameters.count == model.flat.count && snapshot.buffers.count == model.bufferCount
        && snapshot.batchCounts.count == model.batchNorms.count, "a version of this model")
    self.model = model
    let optimizer = OptimizerCatalog.optimizer(for: configuration)
    self.optimizer = optimizer
    decay = DecayMap(model, rule: configuration.decay)
    auxWeight = configuration.auxWeight
    (step, batchCounts) = (snapshot.step, snapshot.batchCounts)
    func version() -> Version {
      Version(
        parameters: FloatStorage(copying: snapshot.parameters), buffers: FloatStorage(copying: snapshot.buffers),
        optimizerState: optimizer.stateNames.indices.map {
          $0 < snapshot.optimizerState.count
            ? FloatStorage(copying: snapshot.optimizerState[$0]) : FloatStorage(count: model.flat.count)
        })
    }
    (committed, candidate) = (version(), version())
    marks = .allocate(capacity: model.flat.buckets.count)
    marks.initialize(repeating: .missing)
  }

  deinit { marks.deallocate() }

  /// The flat vector of the committed version, to be read until the next `finish`.
  public var parameters: FloatStorage { committed.parameters }

  /// The running statistics of the committed version, to be read until the next `finish`.
  public var buffers: FloatStorage { committed.buffers }

  /// The committed version's `state_hash`.
  public func stateHash() -> Digest {
    Training.stateHash(
      model, parameters: UnsafePointer(parameters.pointer), buffers: UnsafePointer(buffers.pointer),
      batchCounts: batchCounts)
  }

  /// A copy of the committed version, for a checkpoint that is written while the run goes on.
  public func snapshot() -> StateSnapshot {
    StateSnapshot(
      step: step, parameters: FloatStorage(copying: committed.parameters),
      buffers: FloatStorage(copying: committed.buffers),
      batchCounts: batchCounts, optimizerState: committed.optimizerState.map { FloatStorage(copying: $0) })
  }

  /// Updates one bucket of the flat vector in the next version.
  ///
  /// - Parameters:
  ///   - sum: the bucket's gradient, summed over the step's samples.
  ///   - sampleCount: how many samples those are.
  public func apply(bucket: Int, sum: UnsafePointer<Float>, sampleCount: Int, learningRate: Float) {
    precondition(sampleCount > 0 && sampleCount <= 1 << 24, "a step's sample count is exact as a Float")
    let range = model.flat.buckets[bucket]
    for segment in decay.segments(in: range) {
      let start = segment.range.lowerBound
      optimizer.update(
        ParameterUpdate(
          count: segment.range.count, decays: segment.decays, gradientSum: sum + (start - range.lowerBound),
          sampleCount: sampleCount, learningRate: learningRate,
          parameters: UnsafePointer(committed.parameters.pointer) + start,
          newParameters: candidate.parameters.pointer + start,
          state: committed.optimizerState.map { UnsafePointer($0.pointer) + start },
          newState: candidate.optimizerState.map { $0.pointer + start }))
    }
    marks[bucket] = mark(of: range, sum: sum)
  }

  private func mark(of range: Range<Int>, sum: UnsafePointer<Float>) -> Mark {
    func isFinite(_ storage: FloatStorage) -> Bool {
      allFinite(UnsafePointer(storage.pointer) + range.lowerBound, count: range.count)
    }
    if !allFinite(sum, count: range.count) { return .gradient }
    if !isFinite(candidate.parameters) { return .parameters }
    return candidate.optimizerState.allSatisfy(isFinite) ? .finite : .optimizerState
  }

  /// Ends a step: brings the running statistics up to date and commits the next version if all of it is finite.
  ///
  /// A skipped step leaves parameters, running statistics, batch counts and momentum as they are and counts as a step.
  ///
  /// - Parameter statistics: the sum over the step's leaves, `StatisticsLayout.count` numbers.
  public func finish(statistics: UnsafeBufferPointer<Double>) -> Outcome {
    precondition(statistics.count == model.statistics.count, "statistics of this model")
    precondition(!marks.contains(.missing), "every bucket is applied before a step ends")
    updateRunningStatistics(
      of: model, from: UnsafePointer(buffers.pointer), into: candidate.buffers.pointer, statistics: statistics)
    let skipped = firstNonFinite(statistics)
    if skipped == nil {
      swap(&committed, &candidate)
      for index in batchCounts.indices { batchCounts[index] += 1 }
    }
    step += 1
    marks.update(repeating: .missing)
    let metrics = StepMetrics(statistics: statistics, model: model, auxWeight: auxWeight)
    return Outcome(step: step, metrics: metrics, skipped: skipped)
  }

  /// What of a step is not finite, in the order in which it was computed.
  private func firstNonFinite(_ statistics: UnsafeBufferPointer<Double>) -> NonFinite? {
    if marks.contains(.gradient) { return .gradient }
    let buffersAreFinite = allFinite(UnsafePointer(candidate.buffers.pointer), count: model.bufferCount)
    if !statistics.allSatisfy(\.isFinite) || !buffersAreFinite { return .statistics }
    if marks.contains(.parameters) { return .parameters }
    return marks.contains(.optimizerState) ? .optimizerState : nil
  }
}
