import Compute
import Lockstep
import Models
import Training

/// The engine, a batch of noise, and in training the parameters that are updated: whatever a step touches.
final class BenchEngine {
  let model: Model
  /// The parts of a step: first the plan's own steps, then what follows them.
  let parts: [StepPart]
  /// When the parts of a step began.
  let clock: StepClock
  /// The mean main loss of the last step.
  private(set) var loss = Double.nan

  let images: FloatStorage
  let labels: [Int32]
  let samples: [Int]
  let settings: LeafSettings

  private let executor: Executor
  private let batch: Int
  private let statistics: UnsafeMutableBufferPointer<Double>
  private let buffers: FloatStorage
  /// In training only.
  private let update: MomentumUpdate?
  private var stepCount = 0

  init(_ model: Model, mode: EngineBenchOptions.Mode, batch: Int, pool: ThreadPool) {
    (self.model, self.batch) = (model, batch)
    let start = StateSnapshot(initialStateOf: model, seed: 0)
    buffers = start.buffers
    update = mode == .train ? MomentumUpdate(start.parameters, pool: pool) : nil
    executor = Executor(model: model, mode: mode.executorMode, maxBatch: batch, pool: pool)
    executor.load(parameters: start.parameters, buffers: buffers)

    var random = AddressedRandom(seed: 0, purpose: .synthesis)
    images = FloatStorage(count: batch * 3 * model.imageSize * model.imageSize)
    // Even noise of the spread that normalised pictures have.
    for index in 0..<images.count { images.pointer[index] = Float(3).squareRoot() * (2 * random.uniformFloat() - 1) }
    labels = (0..<batch).map { _ in Int32(random.integer(below: model.classes)) }
    samples = Array(0..<batch)
    statistics = .allocate(capacity: model.statistics.count)
    statistics.initialize(repeating: 0)
    settings = LeafSettings(
      labelSmoothing: model.definition.labelSmoothing, auxWeight: model.definition.auxiliaryWeight, dropout: true,
      seed: 0, epoch: 0)

    let planned = executor.plan.steps.map { step in
      StepPart(
        name: step.name, operation: step.operation, method: step.method,
        multiplyAccumulates: step.multiplyAccumulates * batch, bytes: step.bytesPerSample * batch)
    }
    let others =
      update.map { [$0.part, StepPart(name: "parameters", operation: "weight packing")] }
      ?? [StepPart(name: "main", operation: "loss")]
    parts = planned + others
    let clock = StepClock(parts: parts.count)
    self.clock = clock
    executor.observer = { index in clock.mark(index) }
  }

  deinit { statistics.deallocate() }

  /// Does one step, measured by the clock.
  func step() {
    guard let sums = statistics.baseAddress else { return }
    let planned = executor.plan.steps.count
    labels.withUnsafeBufferPointer { labels in
      if let update {
        executor.trainingStep(
          images: UnsafePointer(images.pointer), labels: labels, samples: samples, settings: settings,
          gradient: update.gradient.pointer, statistics: sums, finished: { _ in })
        update.apply(samples: batch)
        updateRunningStatistics(
          of: model, from: UnsafePointer(buffers.pointer), into: buffers.pointer,
          statistics: UnsafeBufferPointer(statistics))
        clock.mark(planned + 1)
        executor.load(parameters: update.parameters, buffers: buffers)
      } else {
        executor.evaluationStep(images: UnsafePointer(images.pointer), labels: labels, statistics: sums)
      }
    }
    clock.mark(parts.count)
    loss = statistics[model.statistics.mainLoss] / Double(batch)
    stepCount += 1
  }

  /// The `state_hash` of parameters and running statistics as they are now; none without training.
  func stateHash() -> Digest? {
    guard let update else { return nil }
    let state = StateSnapshot(
      step: stepCount, parameters: update.parameters, buffers: buffers,
      batchCounts: Array(repeating: Int64(stepCount), count: model.batchNorms.count), optimizerState: [])
    return state.hash(model)
  }
}
