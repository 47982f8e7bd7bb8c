import Compute

/// Runs a plan: gradients of a leaf, or logits of a batch.
///
/// Memory is laid out once; nothing is allocated in a step. Results depend neither on the number of threads nor on the
/// largest batch. An executor is used from one thread at a time.
public final class Executor {
  /// What an executor is for.
  public typealias Mode = Plan.Mode

  /// The network.
  public let model: Model
  /// The steps and their memory.
  public let plan: Plan
  /// Called before each step with its index in the plan, and after the last one with the number of steps: for whoever
  /// measures.
  public var observer: ((Int) -> Void)?

  let pool: ThreadPool
  private let memory: FloatStorage
  private var isLoaded = false

  /// Lays memory out for batches up to `maxBatch`.
  public init(model: Model, mode: Mode, maxBatch: Int, pool: ThreadPool) {
    (self.model, self.pool) = (model, pool)
    plan = Planner.plan(model, mode: mode, maxBatch: maxBatch, threads: pool.threads)
    memory = FloatStorage(count: plan.floatCount)
  }

  /// Takes the parameters and running statistics of a version, and prepares them for the kernels.
  ///
  /// - Parameters:
  ///   - parameters: the flat vector, `model.flat.count` floats.
  ///   - buffers: the running statistics, `model.bufferCount` floats; training does not read them.
  public func load(parameters: UnsafePointer<Float>, buffers: UnsafePointer<Float>) {
    for layer in plan.convolutions {
      layer.convolution.pack(parameters + layer.weight, into: floats(layer.packed), pool: pool)
      if let transposed = layer.packedTransposed {
        layer.convolution.packTransposed(parameters + layer.weight, into: floats(transposed), pool: pool)
      }
      if let bias = layer.bias, let padded = layer.paddedBias {
        floats(padded).update(from: parameters + bias, count: layer.convolution.geometry.outputChannels)
      }
    }
    for layer in plan.batchNorms {
      floats(layer.paddedScale).update(from: parameters + layer.scale, count: layer.channels)
      floats(layer.paddedShift).update(from: parameters + layer.shift, count: layer.channels)
      if plan.mode == .evaluation {
        let entry = model.batchNorms[layer.index]
        floats(layer.first).update(from: buffers + entry.meanOffset, count: layer.channels)
        floats(layer.second).update(from: buffers + entry.varianceOffset, count: layer.channels)
      }
    }
    isLoaded = true
  }

  /// The gradient of the sum of the samples' losses, and the leaf's statistics.
  ///
  /// - Parameters:
  ///   - images: NCHW, 3 × imageSize × imageSize floats a sample.
  ///   - labels: one class a sample; their number is the batch.
  ///   - samples: the samples' indices in the dataset, which address dropout masks.
  ///   - gradient: the flat gradient, overwritten.
  ///   - statistics: `model.statistics.count` sums, overwritten.
  ///   - finished: called on this thread whenever a longer prefix of the gradient has its final values.
  public func trainingStep(
    images: UnsafePointer<Float>, labels: UnsafeBufferPointer<Int32>, samples: [Int], settings: LeafSettings,
    gradient: UnsafeMutablePointer<Float>, statistics: UnsafeMutablePointer<Double>, finished: (Int) -> Void
  ) {
    precondition(plan.mode == .training, "this executor was made for evaluation")
    precondition(labels.count == samples.count, "each sample has a label")
    checkBatch(labels.count)
    let leaf = Leaf(
      images: images, labels: labels, samples: samples, settings: settings, gradient: gradient, statistics: statistics)
    statistics.update(repeating: 0, count: model.statistics.count)
    for index in plan.steps.indices {
      observer?(index)
      perform(plan.steps[index].action, leaf)
      if let prefix = plan.steps[index].finishedPrefix { finished(prefix) }
    }
    observer?(plan.steps.count)

    // Batch norms left their means and variances there; the leaf's share in the step's is weighted by its samples.
    let count = Double(labels.count)
    statistics[model.statistics.sampleCount] = count
    for index in StatisticsLayout.evaluationCount..<model.statistics.count { statistics[index] *= count }
  }

  /// The main head's logits, with running statistics and without dropout and auxiliary heads.
  ///
  /// - Parameters:
  ///   - images: NCHW, 3 × imageSize × imageSize floats a sample.
  ///   - logits: [batch][classes], overwritten.
  public func evaluate(images: UnsafePointer<Float>, batch: Int, logits: UnsafeMutablePointer<Float>) {
    runEvaluation(images, batch)
    storePanels(tensor(plan.logits, batch), nchw: logits, pool: pool)
  }

  /// The sums of the samples' losses, without label smoothing, and of right answers.
  ///
  /// - Parameter statistics: the first `StatisticsLayout.evaluationCount` sums of a leaf, overwritten.
  public func evaluationStep(
    images: UnsafePointer<Float>, labels: UnsafeBufferPointer<Int32>, statistics: UnsafeMutablePointer<Double>
  ) {
    runEvaluation(images, labels.count)
    statistics.update(repeating: 0, count: StatisticsLayout.evaluationCount)
    let result = softmaxCrossEntropy(
      logits: tensor(plan.logits, labels.count), labels: labels, smoothing: 0, weight: 1, gradient: nil)
    statistics[model.statistics.sampleCount] = Double(labels.count)
    statistics[model.statistics.mainLoss] = result.lossSum
    statistics[model.statistics.top1] = Double(result.top1)
    statistics[model.statistics.top5] = Double(result.top5)
  }

  private func runEvaluation(_ images: UnsafePointer<Float>, _ batch: Int) {
    precondition(plan.mode == .evaluation, "this executor was made for training")
    checkBatch(batch)
    for index in plan.steps.indices {
      observer?(index)
      perform(plan.steps[index].action, images: images, batch: batch)
    }
    observer?(plan.steps.count)
  }

  private func checkBatch(_ batch: Int) {
    precondition(isLoaded, "parameters are loaded before a step")
    precondition((1...plan.maxBatch).contains(batch), "a batch has from 1 to \(plan.maxBatch) samples")
  }

  /// A place in the plan's memory.
  func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { memory.pointer + offset }

  /// A region's tensor of a batch, in the place that was planned for the largest one.
  func tensor(_ region: Region, _ batch: Int) -> PanelTensor {
    let slot = plan.slots[region.slot]
    return PanelTensor(
      pointer: memory.pointer + slot.offset + region.panel * slot.panelStride, batch: batch,
      height: region.shape.height, width: region.shape.width, channels: region.shape.channels,
      panelStride: slot.panelStride)
  }
}
