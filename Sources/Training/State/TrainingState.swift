import Compute
import Lockstep
import Models

/// The state of a run at the root of the reduction: parameters, running statistics, the optimizer's vectors and the
/// average of the parameters, in two versions. The committed one is read; a step writes the other, which takes its place
/// if all of it is finite.
///
/// A step is: `apply` once for every bucket of the trained parameters, then `finish` with the statistics. Buckets are updated as
/// they are applied; where the update depends on norms of the whole gradient (clipping, LARS) they are kept and updated
/// by `finish`, on several threads.
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
    /// The L2 norm of the mean gradient before it was clipped, where clipping is on.
    public var gradientNorm: Double?
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

  private let auxWeight: Double
  /// For each bucket, its parts that are treated alike.
  private let segments: [[ParameterGroups.Segment]]
  private let clipping: GradientClipping?
  private let averaging: WeightAverage?
  /// The gradient of the step at hand, where its update waits for all of it.
  private let norms: GradientNorms?
  private let pool: ThreadPool
  private var committed: Version
  private var candidate: Version
  /// One mark a bucket, written by whoever applies it.
  private let marks: UnsafeMutableBufferPointer<Mark>

  private struct Version {
    var parameters: FloatStorage
    var buffers: FloatStorage
    var optimizerState: [FloatStorage]
    var average: AveragedWeights?
  }
  private enum State: UInt8 { case missing, kept, finite, gradient, parameters, optimizerState }
  private struct Mark {
    var state = State.missing
    var sampleCount = 0
    var learningRate: Float = 0
  }
  /// What the update of a step depends on besides its buckets.
  private struct Facts {
    var sampleCount: Int
    var learningRate: Float
    var gradientScale: Float = 1
    var norms: [TensorNorms] = []
  }

  /// Goes on from a version; the optimizer and the average start anew where the version lacks their vectors.
  ///
  /// - Parameter threads: how many update the parameters where they wait for the whole gradient.
  public init(model: Model, configuration: RunConfiguration, from snapshot: StateSnapshot, threads: Int = 1) {
    precondition(
      snapshot.parameters.count == model.parameterCount && snapshot.buffers.count == model.bufferCount
        && snapshot.batchCounts.count == model.batchNorms.count, "a version of this model")
    self.model = model
    let optimizer = OptimizerCatalog.optimizer(for: configuration)
    self.optimizer = optimizer
    auxWeight = configuration.auxWeight
    let groups = ParameterGroups(model, configuration: configuration, joined: !optimizer.needsTensorNorms)
    segments = model.flat.buckets.map { groups.segments(in: $0) }
    (clipping, averaging) = (GradientClipping(configuration), WeightAverage(configuration))
    let waits = clipping != nil || optimizer.needsTensorNorms
    norms = waits ? GradientNorms(model.flat, withTensors: optimizer.needsTensorNorms) : nil
    pool = ThreadPool(threads: waits ? threads : 1)
    (step, batchCounts) = (snapshot.step, snapshot.batchCounts)
    let keepsAverage = averaging != nil
    func version() -> Version {
      let fresh = AveragedWeights(parameters: snapshot.parameters, buffers: snapshot.buffers, updates: 0)
      return Version(
        parameters: FloatStorage(copying: snapshot.parameters), buffers: FloatStorage(copying: snapshot.buffers),
        optimizerState: optimizer.stateNames.indices.map { index in
          if index < snapshot.optimizerState.count { return FloatStorage(copying: snapshot.optimizerState[index]) }
          let vector = FloatStorage(count: model.flat.count)
          vector.pointer.update(repeating: optimizer.initialValue(ofState: index), count: vector.count)
          return vector
        },
        average: keepsAverage ? (snapshot.average ?? fresh).copied() : nil)
    }
    (committed, candidate) = (version(), version())
    marks = .allocate(capacity: model.flat.buckets.count)
    marks.initialize(repeating: Mark())
  }

  deinit { marks.deallocate() }

  /// The flat vector of the committed version, frozen parameters included, to be read until the next `finish`.
  public var parameters: FloatStorage { committed.parameters }

  /// The running statistics of the committed version, to be read until the next `finish`.
  public var buffers: FloatStorage { committed.buffers }

  /// The average of the committed version, to be read until the next `finish`; nil where none is kept.
  public var average: AveragedWeights? { committed.average }

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
      batchCounts: batchCounts, optimizerState: committed.optimizerState.map { FloatStorage(copying: $0) },
      average: committed.average?.copied())
  }

  // MARK: - A step

  /// Updates one bucket of the flat vector in the next version, or keeps it until the whole gradient is there.
  ///
  /// - Parameters:
  ///   - sum: the bucket's gradient, summed over the step's samples; it is read before this returns.
  ///   - sampleCount: how many samples those are; the same for all buckets of a step, like the learning rate.
  public func apply(bucket: Int, sum: UnsafePointer<Float>, sampleCount: Int, learningRate: Float) {
    precondition(sampleCount > 0 && sampleCount <= 1 << 24, "a step's sample count is exact as a Float")
    let isFinite = allFinite(sum, count: model.flat.buckets[bucket].count)
    var mark = Mark(state: .gradient, sampleCount: sampleCount, learningRate: learningRate)
    if let norms, isFinite {
      norms.keep(bucket: bucket, sum: sum, parameters: UnsafePointer(committed.parameters.pointer))
      mark.state = .kept
    } else if isFinite {
      mark.state = update(bucket, sum, Facts(sampleCount: sampleCount, learningRate: learningRate))
    }
    marks[bucket] = mark
  }

  /// Makes one bucket of the next version, average included, and tells whether it is finite.
  private func update(_ bucket: Int, _ sum: UnsafePointer<Float>, _ facts: Facts) -> State {
    let range = model.flat.buckets[bucket]
    for segment in segments[bucket] {
      let start = segment.range.lowerBound, factor = segment.treatment.rateFactor
      optimizer.update(
        ParameterUpdate(
          count: segment.range.count, decays: segment.treatment.decays,
          gradientSum: sum + (start - range.lowerBound),
          sampleCount: facts.sampleCount, gradientScale: facts.gradientScale,
          learningRate: factor == 1 ? facts.learningRate : Float(Double(facts.learningRate) * factor),
          norms: facts.norms.isEmpty ? nil : facts.norms[segment.tensor],
          parameters: UnsafePointer(committed.parameters.pointer) + start,
          newParameters: candidate.parameters.pointer + start,
          state: committed.optimizerState.map { UnsafePointer($0.pointer) + start },
          newState: candidate.optimizerState.map { $0.pointer + start }))
    }
    average(\.parameters, candidate.parameters, range)

    func isFinite(_ storage: FloatStorage) -> Bool {
      allFinite(UnsafePointer(storage.pointer) + range.lowerBound, count: range.count)
    }
    if !isFinite(candidate.parameters) { return .parameters }
    return candidate.optimizerState.allSatisfy(isFinite) ? .finite : .optimizerState
  }

  /// Brings some elements of the average up to date with the next version.
  private func average(
    _ part: KeyPath<AveragedWeights, FloatStorage>, _ values: FloatStorage, _ range: Range<Int>
  ) {
    guard let averaging, let old = committed.average, let new = candidate.average else { return }
    let updates = averaging.updates(after: step + 1, before: old.updates), start = range.lowerBound
    averaging.update(
      UnsafePointer(old[keyPath: part].pointer) + start, with: UnsafePointer(values.pointer) + start,
      share: averaging.share(updates: updates), into: new[keyPath: part].pointer + start, count: range.count)
  }

  /// Ends a step: updates what has waited, brings the running statistics up to date and commits the next version if all
  /// of it is finite.
  ///
  /// A skipped step leaves parameters, running statistics, batch counts, momentum and average as they are and counts as a
  /// step.
  ///
  /// - Parameter statistics: the sum over the step's leaves, `StatisticsLayout.count` numbers.
  public func finish(statistics: UnsafeBufferPointer<Double>) -> Outcome {
    precondition(statistics.count == model.statistics.count, "statistics of this model")
    precondition(!marks.contains { $0.state == .missing }, "every bucket is applied before a step ends")
    let gradientNorm = updateKept()
    updateRunningStatistics(
      of: model, from: UnsafePointer(buffers.pointer), into: candidate.buffers.pointer, statistics: statistics)
    average(\.buffers, candidate.buffers, 0..<model.bufferCount)
    let skipped = firstNonFinite(statistics)
    if skipped == nil {
      if let averaging, let updates = committed.average?.updates {
        candidate.average?.updates = averaging.updates(after: step + 1, before: updates)
      }
      swap(&committed, &candidate)
      for (index, norm) in model.batchNorms.enumerated() where !norm.isFrozen { batchCounts[index] += 1 }
    }
    step += 1
    marks.update(repeating: Mark())
    let metrics = StepMetrics(statistics: statistics, model: model, auxWeight: auxWeight)
    return Outcome(step: step, metrics: metrics, gradientNorm: gradientNorm, skipped: skipped)
  }

  /// Updates the buckets that were kept, unless one of them was not finite; returns the mean gradient's norm where it is
  /// clipped.
  private func updateKept() -> Double? {
    guard let norms, let first = marks.first else { return nil }
    guard marks.allSatisfy({ $0.state == .kept }) else { return nil }
    precondition(
      marks.allSatisfy { $0.sampleCount == first.sampleCount && $0.learningRate == first.learningRate },
      "buckets of one step")
    var facts = Facts(sampleCount: first.sampleCount, learningRate: first.learningRate)
    let norm = clipping.map { _ in norms.meanGradientNorm(sampleCount: first.sampleCount) }
    if let clipping, let norm { facts.gradientScale = clipping.scale(norm: norm) }
    facts.norms = norms.tensorNorms(sampleCount: facts.sampleCount, scale: facts.gradientScale)
    pool.forEach(marks.count) { bucket, _ in
      marks[bucket].state = update(bucket, norms.sum(ofBucket: bucket), facts)
    }
    return norm
  }

  /// What of a step is not finite, in the order in which it was computed.
  private func firstNonFinite(_ statistics: UnsafeBufferPointer<Double>) -> NonFinite? {
    func contains(_ state: State) -> Bool { marks.contains { $0.state == state } }
    if contains(.gradient) { return .gradient }
    let buffersAreFinite = allFinite(UnsafePointer(candidate.buffers.pointer), count: model.bufferCount)
    if !statistics.allSatisfy(\.isFinite) || !buffersAreFinite { return .statistics }
    if contains(.parameters) { return .parameters }
    return contains(.optimizerState) ? .optimizerState : nil
  }
}
