import Compute
import Lockstep

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
  /// For each product of the plan, the panels that it writes and those of their gradients.
  private var outputTables: [PanelTable?]
  private var gradientTables: [PanelTable?]
  /// The version that was loaded last.
  private var parameters: FloatStorage?

  /// Lays memory out for batches up to `maxBatch`.
  public init(model: Model, mode: Mode, maxBatch: Int, pool: ThreadPool) {
    (self.model, self.pool) = (model, pool)
    plan = Planner.plan(model, mode: mode, maxBatch: maxBatch, threads: pool.threads)
    memory = FloatStorage(count: plan.floatCount)
    outputTables = Array(repeating: nil, count: plan.products.count)
    gradientTables = outputTables
    for step in plan.steps {
      switch step.action {
      case .product(let index, _, let ys):
        outputTables[index] = PanelTable(ys.map { tensor($0, maxBatch) })
      case .productGradients(let index, _, let dys, _, _):
        gradientTables[index] = PanelTable(dys.map { tensor($0, maxBatch) })
      default: break
      }
    }
    // Panels of other layers in the same concatenation stay as they are; batch norms set their own.
    for slot in plan.slots {
      guard let vectors = slot.vectors else { continue }
      Normalization(vectors: floats(vectors), panels: slot.panels).setIdentity(panels: 0..<slot.panels)
    }
  }

  /// Takes the parameters and running statistics of a version.
  ///
  /// In training the weights are read in every step: they are kept, and must stay as they are until others are loaded.
  /// In evaluation they are prepared for the kernels here.
  ///
  /// - Parameters:
  ///   - parameters: the flat vector, `model.parameterCount` floats.
  ///   - buffers: the running statistics, `model.bufferCount` floats; training reads those of frozen batch norms alone.
  public func load(parameters version: FloatStorage, buffers statistics: FloatStorage) {
    precondition(
      version.count == model.parameterCount && statistics.count == model.bufferCount, "a version of this model")
    parameters = version
    let parameters = UnsafePointer(version.pointer), buffers = UnsafePointer(statistics.pointer)
    for layer in plan.convolutions {
      if case .packed(let packed) = layer.packed {
        layer.convolution.pack(parameters + layer.weight, into: floats(packed), pool: pool)
      }
      if let bias = layer.bias, let padded = layer.paddedBias {
        floats(padded).update(from: parameters + bias, count: layer.convolution.geometry.outputChannels)
      }
    }
    for layer in plan.products {
      if case .packed(let packed) = layer.packed { pack(layer, into: packed) }
      for part in layer.parts {
        guard let bias = part.bias else { continue }
        floats(part.paddedBias).update(from: parameters + bias, count: part.outputChannels)
      }
    }
    for layer in plan.batchNorms {
      floats(layer.paddedScale).update(from: parameters + layer.scale, count: layer.channels)
      floats(layer.paddedShift).update(from: parameters + layer.shift, count: layer.channels)
      guard plan.mode == .evaluation || layer.isFrozen else { continue }
      let entry = model.batchNorms[layer.index]
      floats(layer.runningMean).update(from: buffers + entry.meanOffset, count: layer.channels)
      floats(layer.runningVariance).update(from: buffers + entry.varianceOffset, count: layer.channels)
      layer.batchNorm.finishEvaluation(
        runningMean: floats(layer.runningMean), runningVariance: floats(layer.runningVariance),
        gamma: floats(layer.paddedScale), beta: floats(layer.paddedShift), relu: layer.relu, into: normalization(layer))
    }
  }

  /// The gradient of the sum of the samples' losses, and the leaf's statistics.
  ///
  /// - Parameters:
  ///   - images: NCHW, 3 × imageSize × imageSize floats a sample.
  ///   - labels: one class a sample; their number is the batch.
  ///   - samples: the samples' indices in the dataset, which address dropout masks.
  ///   - gradient: the flat gradient, `model.flat.count` floats, overwritten.
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
  /// - Parameters:
  ///   - statistics: the first `StatisticsLayout.evaluationCount` sums of a leaf, overwritten.
  ///   - logits: [batch][classes] of the main head, overwritten, for whoever wants them too.
  public func evaluationStep(
    images: UnsafePointer<Float>, labels: UnsafeBufferPointer<Int32>, statistics: UnsafeMutablePointer<Double>,
    logits: UnsafeMutablePointer<Float>? = nil
  ) {
    runEvaluation(images, labels.count)
    if let logits { storePanels(tensor(plan.logits, labels.count), nchw: logits, pool: pool) }
    statistics.update(repeating: 0, count: StatisticsLayout.evaluationCount)
    let result = softmaxCrossEntropy(
      logits: tensor(plan.logits, labels.count), labels: labels, smoothing: 0, weight: 1, gradient: nil,
      scratch: scratch, pool: pool)
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
    precondition(parameters != nil, "parameters are loaded before a step")
    precondition((1...plan.maxBatch).contains(batch), "a batch has from 1 to \(plan.maxBatch) samples")
  }

  // MARK: Weights

  /// The flat vector of the version that was loaded last.
  private var version: UnsafePointer<Float> {
    guard let parameters else { fatalError("parameters are loaded before a step") }
    return UnsafePointer(parameters.pointer)
  }

  /// A layer's weights, ready for its forward pass over a batch; whether they are packed.
  func weights(_ layer: Plan.ConvolutionLayer, _ batch: Int) -> (UnsafePointer<Float>, arePacked: Bool) {
    switch layer.packed {
    case .packed(let place): return (UnsafePointer(floats(place)), true)
    case .asTheyAre: return (version + layer.weight, true)
    case .packedInEachPass:
      guard !layer.convolution.packsInPassing(batch: batch) else { return (version + layer.weight, false) }
      layer.convolution.pack(version + layer.weight, into: floats(plan.filters), pool: pool)
      return (UnsafePointer(floats(plan.filters)), true)
    }
  }

  /// A layer's weights, ready for its backward pass over a batch; whether they are packed.
  func transposedWeights(_ layer: Plan.ConvolutionLayer, _ batch: Int) -> (UnsafePointer<Float>, arePacked: Bool) {
    if case .asTheyAre = layer.packed { return (version + layer.weight, true) }
    guard !layer.convolution.packsInPassing(batch: batch) else { return (version + layer.weight, false) }
    layer.convolution.packTransposed(version + layer.weight, into: floats(plan.filters), pool: pool)
    return (UnsafePointer(floats(plan.filters)), true)
  }

  /// A product's weights, ready for its forward pass.
  func weights(_ layer: Plan.ProductLayer) -> UnsafePointer<Float> {
    if case .packed(let place) = layer.packed { return UnsafePointer(floats(place)) }
    pack(layer, into: plan.filters)
    return UnsafePointer(floats(plan.filters))
  }

  /// A product's weights, ready for its backward pass.
  func transposedWeights(_ layer: Plan.ProductLayer) -> UnsafePointer<Float> {
    for (part, weight) in layer.weights.enumerated() {
      layer.product.packTransposed(version + weight, part: part, into: floats(plan.filters), pool: pool)
    }
    return UnsafePointer(floats(plan.filters))
  }

  private func pack(_ layer: Plan.ProductLayer, into place: Int) {
    for (part, weight) in layer.weights.enumerated() {
      layer.product.pack(version + weight, part: part, into: floats(place), pool: pool)
    }
  }

  // MARK: Places in memory

  /// A place in the plan's memory.
  func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { memory.pointer + offset }

  /// The winners of a max pool of a tensor, in the slot that holds them.
  func winners(_ slot: Int, _ geometry: PoolGeometry, of x: PanelTensor) -> Winners {
    let slot = plan.slots[slot]
    let words = UnsafeMutableRawPointer(floats(slot.offset)).bindMemory(to: Int32.self, capacity: slot.count)
    return Winners(words, geometry, batch: x.batch, height: x.height, width: x.width)
  }

  /// Scratch memory of the step at hand.
  var scratch: UnsafeMutablePointer<Float> { floats(plan.scratch) }

  /// A region's tensor of a batch, in the place that was planned for the largest one.
  func tensor(_ region: Region, _ batch: Int) -> PanelTensor {
    let slot = plan.slots[region.slot]
    return PanelTensor(
      pointer: memory.pointer + slot.offset + region.panel * slot.panelStride, batch: batch,
      height: region.shape.height, width: region.shape.width, channels: region.shape.channels,
      panelStride: slot.panelStride)
  }

  /// The images of a batch, if a region holds them in a layout of their own.
  func images(_ region: Region, _ batch: Int) -> Images? {
    guard let layout = plan.imageLayout, region == plan.images else { return nil }
    let shape = region.shape
    return Images(
      pointer: floats(plan.slots[region.slot].offset), batch: batch, height: shape.height, width: shape.width,
      channels: shape.channels, layout: layout)
  }

  /// An operand's tensor of a batch as the step sees it.
  func activation(_ operand: Operand, _ batch: Int) -> Activation {
    let slot = plan.slots[operand.region.slot]
    let normalization =
      operand.isNormalized
      ? slot.vectors.map {
        Normalization(vectors: floats($0), panels: slot.panels).panels(from: operand.region.panel)
      } : nil
    return Activation(tensor(operand.region, batch), normalization: normalization)
  }

  /// The vectors that a batch norm sets.
  func normalization(_ layer: Plan.BatchNormLayer) -> Normalization {
    Normalization(vectors: floats(layer.vectors), panels: layer.vectorPanels).panels(from: layer.firstPanel)
  }

  func outputTable(_ product: Int) -> PanelTable {
    guard let table = outputTables[product] else { fatalError("a product of the plan that no step computes") }
    return table
  }

  func gradientTable(_ product: Int) -> PanelTable {
    guard let table = gradientTables[product] else { fatalError("a product of the plan without gradients") }
    return table
  }
}
