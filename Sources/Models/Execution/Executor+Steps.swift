import Compute

/// What one call of `trainingStep` reads and writes.
struct Leaf {
  let images: UnsafePointer<Float>
  let labels: UnsafeBufferPointer<Int32>
  let samples: [Int]
  let settings: LeafSettings
  let gradient: UnsafeMutablePointer<Float>
  let statistics: UnsafeMutablePointer<Double>

  var batch: Int { labels.count }
}

extension Executor {
  private var scratch: UnsafeMutablePointer<Float> { floats(plan.scratch) }

  /// Does a step of a training plan.
  func perform(_ action: Action, _ leaf: Leaf) {
    switch action {
    case .images, .convolution, .batchNormEvaluation, .relu, .maxPool, .averagePool, .adaptiveAveragePool,
      .localResponseNorm:
      perform(action, images: leaf.images, batch: leaf.batch)
    case .batchNorm(let index, let y, let z, let relu):
      let layer = plan.batchNorms[index]
      layer.batchNorm.forward(
        tensor(y, leaf.batch), gamma: floats(layer.paddedScale), beta: floats(layer.paddedShift), relu: relu,
        into: tensor(z, leaf.batch), savedMean: floats(layer.first), savedInverse: floats(layer.second),
        mean: leaf.statistics + model.statistics.means(ofBatchNorm: layer.index).lowerBound,
        variance: leaf.statistics + model.statistics.variances(ofBatchNorm: layer.index).lowerBound, pool: pool)
    case .dropout(let probability, let layer, let x, let y):
      // Switched off, it is a copy, and where it works in place nothing at all.
      guard leaf.settings.dropout || x != y else { return }
      dropoutForward(
        tensor(x, leaf.batch), into: tensor(y, leaf.batch), probability: leaf.settings.dropout ? probability : 0,
        seed: leaf.settings.seed, layer: layer, epoch: leaf.settings.epoch, samples: leaf.samples, pool: pool)
    case .loss(let head, let logits, let gradient):
      performLoss(head, logits, gradient, leaf)
    case .biasGradient(let index, let dy):
      let layer = plan.convolutions[index]
      guard let bias = layer.bias else { fatalError("\(layer.name) has no bias") }
      layer.convolution.backwardBias(tensor(dy, leaf.batch), into: leaf.gradient + bias, pool: pool)
    case .weightGradient(let index, let x, let dy):
      let layer = plan.convolutions[index]
      layer.convolution.backwardWeights(
        tensor(x, leaf.batch), tensor(dy, leaf.batch), into: leaf.gradient + layer.weight, scratch: scratch, pool: pool)
    case .inputGradient(let index, let dy, let dx, let accumulate):
      let layer = plan.convolutions[index]
      guard let weights = layer.packedTransposed else { fatalError("\(layer.name) has no transposed weights") }
      layer.convolution.backwardData(
        tensor(dy, leaf.batch), weights: floats(weights), into: tensor(dx, leaf.batch), accumulate: accumulate,
        scratch: scratch, pool: pool)
    case .batchNormGradient(let index, let y, let dz, let relu):
      let layer = plan.batchNorms[index]
      layer.batchNorm.backward(
        tensor(y, leaf.batch), dz: tensor(dz, leaf.batch), gamma: floats(layer.paddedScale),
        beta: floats(layer.paddedShift), savedMean: floats(layer.first), savedInverse: floats(layer.second), relu: relu,
        dgamma: leaf.gradient + layer.scale, dbeta: leaf.gradient + layer.shift, pool: pool)
    case .reluGradient(let y, let dy):
      reluBackward(tensor(y, leaf.batch), tensor(dy, leaf.batch), pool: pool)
    case .maxPoolGradient(let geometry, let x, let y, let dy, let dx, let accumulate):
      maxPoolBackward(
        tensor(x, leaf.batch), tensor(y, leaf.batch), tensor(dy, leaf.batch), into: tensor(dx, leaf.batch),
        accumulate: accumulate, geometry: geometry, pool: pool)
    case .averagePoolGradient(let geometry, let countsPadding, let dy, let dx, let accumulate):
      averagePoolBackward(
        tensor(dy, leaf.batch), into: tensor(dx, leaf.batch), accumulate: accumulate, geometry: geometry,
        countsPadding: countsPadding, pool: pool)
    case .adaptiveAveragePoolGradient(let dy, let dx, let accumulate):
      adaptiveAveragePoolBackward(
        tensor(dy, leaf.batch), into: tensor(dx, leaf.batch), accumulate: accumulate, pool: pool)
    case .localResponseNormGradient(let constants, let x, let y, let dy, let dx, let accumulate):
      localResponseNormBackward(
        tensor(x, leaf.batch), tensor(y, leaf.batch), tensor(dy, leaf.batch), into: tensor(dx, leaf.batch),
        accumulate: accumulate, size: constants.size, alpha: constants.alpha, beta: constants.beta, k: constants.k,
        pool: pool)
    case .dropoutGradient(let probability, let layer, let dy):
      guard leaf.settings.dropout else { return }
      dropoutBackward(
        tensor(dy, leaf.batch), probability: probability, seed: leaf.settings.seed, layer: layer,
        epoch: leaf.settings.epoch, samples: leaf.samples, pool: pool)
    }
  }

  /// Does a step that training and evaluation share.
  func perform(_ action: Action, images: UnsafePointer<Float>, batch: Int) {
    switch action {
    case .images(let x):
      loadPanels(nchw: images, into: tensor(x, batch), pool: pool)
    case .convolution(let index, let x, let y):
      let layer = plan.convolutions[index]
      layer.convolution.forward(
        tensor(x, batch), weights: floats(layer.packed), bias: layer.paddedBias.map { UnsafePointer(floats($0)) },
        into: tensor(y, batch), scratch: scratch, pool: pool)
    case .batchNormEvaluation(let index, let y, let z, let relu):
      let layer = plan.batchNorms[index]
      layer.batchNorm.evaluate(
        tensor(y, batch), gamma: floats(layer.paddedScale), beta: floats(layer.paddedShift),
        runningMean: floats(layer.first), runningVariance: floats(layer.second), relu: relu, into: tensor(z, batch),
        pool: pool)
    case .relu(let x, let y):
      reluForward(tensor(x, batch), into: tensor(y, batch), pool: pool)
    case .maxPool(let geometry, let x, let y):
      maxPoolForward(tensor(x, batch), into: tensor(y, batch), geometry: geometry, pool: pool)
    case .averagePool(let geometry, let countsPadding, let x, let y):
      averagePoolForward(
        tensor(x, batch), into: tensor(y, batch), geometry: geometry, countsPadding: countsPadding, pool: pool)
    case .adaptiveAveragePool(let x, let y):
      adaptiveAveragePoolForward(tensor(x, batch), into: tensor(y, batch), pool: pool)
    case .localResponseNorm(let constants, let x, let y):
      localResponseNormForward(
        tensor(x, batch), into: tensor(y, batch), size: constants.size, alpha: constants.alpha, beta: constants.beta,
        k: constants.k, pool: pool)
    case .batchNorm, .dropout, .loss, .biasGradient, .weightGradient, .inputGradient, .batchNormGradient, .reluGradient,
      .maxPoolGradient, .averagePoolGradient, .adaptiveAveragePoolGradient, .localResponseNormGradient,
      .dropoutGradient:
      fatalError("\(action.name) is no step of an evaluation")
    }
  }

  private func performLoss(_ head: Head, _ logits: Region, _ gradient: Region, _ leaf: Leaf) {
    let result = softmaxCrossEntropy(
      logits: tensor(logits, leaf.batch), labels: leaf.labels, smoothing: leaf.settings.labelSmoothing,
      weight: head == .main ? 1 : leaf.settings.auxWeight, gradient: tensor(gradient, leaf.batch))
    let layout = model.statistics
    switch head {
    case .main:
      leaf.statistics[layout.mainLoss] = result.lossSum
      leaf.statistics[layout.top1] = Double(result.top1)
      leaf.statistics[layout.top5] = Double(result.top5)
    case .aux1: leaf.statistics[layout.auxLosses[0]] = result.lossSum
    case .aux2: leaf.statistics[layout.auxLosses[1]] = result.lossSum
    }
  }
}
