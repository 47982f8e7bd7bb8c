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
  /// Does a step of a training plan.
  func perform(_ action: Action, _ leaf: Leaf) {
    let batch = leaf.batch
    switch action {
    case .images, .relu, .maxPool, .averagePool, .adaptiveAveragePool, .localResponseNorm:
      perform(action, images: leaf.images, batch: batch)
    case .convolution(let index, let x, let y):
      convolve(index, x, y, batch, gathersMoments: true)
      if let batchNorm = plan.convolutions[index].batchNorm {
        let convolution = plan.convolutions[index].convolution
        finish(batchNorm, firstPanel: 0, blocks: convolution.momentBlocks(batch: batch), leaf)
      }
    case .product(let index, let x, let ys):
      multiply(index, x, batch, gathersMoments: true)
      let product = plan.products[index].product
      var panel = 0
      for (part, y) in zip(plan.products[index].parts, ys) {
        if let batchNorm = part.batchNorm {
          finish(batchNorm, firstPanel: panel, blocks: product.momentBlocks(batch: batch), leaf)
        }
        panel += y.panels.count
      }
    case .batchNorm(let index, let y, let z):
      let layer = plan.batchNorms[index]
      guard !layer.isFrozen else { return perform(action, images: leaf.images, batch: batch) }
      layer.batchNorm.forward(
        tensor(y, batch), gamma: floats(layer.paddedScale), beta: floats(layer.paddedShift), relu: layer.relu,
        into: tensor(z, batch), normalization: normalization(layer), inverse: floats(layer.inverse),
        mean: means(layer, leaf), variance: variances(layer, leaf), scratch: scratch, pool: pool)
    case .dropout(let probability, let layer, let x, let y):
      // Switched off, it is a copy, and where it works in place nothing at all.
      guard leaf.settings.dropout || x != y else { return }
      dropoutForward(
        tensor(x, batch), into: tensor(y, batch), probability: leaf.settings.dropout ? probability : 0,
        seed: leaf.settings.seed, layer: layer, epoch: leaf.settings.epoch, samples: leaf.samples, pool: pool)
    case .loss(let head, let logits, let gradient):
      performLoss(head, logits, gradient, leaf)
    default:
      performBackward(action, leaf)
    }
  }

  private func performBackward(_ action: Action, _ leaf: Leaf) {
    let batch = leaf.batch
    switch action {
    case .biasGradient(let flat, let dy):
      biasGradient(tensor(dy, batch), into: leaf.gradient + flat, pool: pool)
    case .convolutionGradients(let index, let x, let dy, let dx, let accumulate):
      let layer = plan.convolutions[index]
      let gradient = layer.gradient.map { leaf.gradient + $0 }
      if let images = images(x.region, batch), let gradient {
        return layer.convolution.backward(
          images, tensor(dy, batch), into: gradient, scratch: scratch, pool: pool)
      }
      let weights = dx == nil ? nil : transposedWeights(layer, batch)
      layer.convolution.backward(
        activation(x, batch), tensor(dy, batch), weights: weights?.0, arePacked: weights?.arePacked ?? true,
        into: gradient, bias: layer.convolution.sumsBiasGradient ? layer.trainedBias.map { leaf.gradient + $0 } : nil,
        dx: dx.map { tensor($0, batch) }, accumulate: accumulate, scratch: scratch, pool: pool)
    case .productGradients(let index, let x, _, let dx, let accumulate):
      let layer = plan.products[index]
      layer.product.backward(
        activation(x, batch), gradientTable(index), weights: dx == nil ? nil : transposedWeights(layer),
        into: leaf.gradient, at: layer.gradients, dx: dx.map { tensor($0, batch) }, accumulate: accumulate,
        scratch: scratch, pool: pool)
    case .batchNormGradient(let index, let y, let dz):
      let layer = plan.batchNorms[index], y = tensor(y, batch), dz = tensor(dz, batch)
      if layer.isFrozen {
        layer.batchNorm.backward(y, dz: dz, fixed: normalization(layer), pool: pool)
      } else {
        layer.batchNorm.backward(
          y, dz: dz, normalization: normalization(layer), inverse: floats(layer.inverse),
          dgamma: gradient(layer.trainedScale, layer, leaf), dbeta: gradient(layer.trainedShift, layer, leaf),
          scratch: scratch, pool: pool)
      }
    case .maxPoolAndBatchNormGradients(let geometry, let winners, let pooled, let dpooled, let index, let y, let dy):
      let layer = plan.batchNorms[index], dy = tensor(dy, batch)
      layer.batchNorm.backward(
        tensor(y, batch), pooled: tensor(pooled, batch), tensor(dpooled, batch),
        winners: self.winners(winners, geometry, of: dy), geometry: geometry, into: dy,
        normalization: normalization(layer), inverse: floats(layer.inverse),
        dgamma: gradient(layer.trainedScale, layer, leaf), dbeta: gradient(layer.trainedShift, layer, leaf),
        scratch: scratch, pool: pool)
    case .reluGradient(let y, let dy):
      reluBackward(tensor(y, batch), tensor(dy, batch), pool: pool)
    case .maxPoolGradient(let geometry, let winners, let dy, let dx, let accumulate):
      let dx = tensor(dx, batch)
      maxPoolBackward(
        winners: self.winners(winners, geometry, of: dx), tensor(dy, batch), into: dx, accumulate: accumulate,
        geometry: geometry, scratch: scratch, pool: pool)
    case .averagePoolGradient(let geometry, let countsPadding, let dy, let dx, let accumulate):
      averagePoolBackward(
        tensor(dy, batch), into: tensor(dx, batch), accumulate: accumulate, geometry: geometry,
        countsPadding: countsPadding, scratch: scratch, pool: pool)
    case .adaptiveAveragePoolGradient(let dy, let dx, let accumulate):
      adaptiveAveragePoolBackward(
        tensor(dy, batch), into: tensor(dx, batch), accumulate: accumulate, scratch: scratch, pool: pool)
    case .localResponseNormGradient(let constants, let x, let dy, let dx, let accumulate):
      localResponseNormBackward(
        tensor(x, batch), tensor(dy, batch), into: tensor(dx, batch), accumulate: accumulate, size: constants.size,
        alpha: constants.alpha, beta: constants.beta, k: constants.k, scratch: scratch, pool: pool)
    case .dropoutGradient(let probability, let layer, let dy):
      guard leaf.settings.dropout else { return }
      dropoutBackward(
        tensor(dy, batch), probability: probability, seed: leaf.settings.seed, layer: layer,
        epoch: leaf.settings.epoch, samples: leaf.samples, pool: pool)
    default:
      fatalError("\(action.name) is no step of backward")
    }
  }

  /// Where the gradient of a batch norm's vector goes, given its place.
  private func gradient(_ place: Int?, _ layer: Plan.BatchNormLayer, _ leaf: Leaf) -> UnsafeMutablePointer<Float> {
    place.map { leaf.gradient + $0 } ?? floats(layer.discarded)
  }

  /// Makes a batch norm's normalisation of the moments that were just gathered.
  private func finish(_ index: Int, firstPanel: Int, blocks: Int, _ leaf: Leaf) {
    let layer = plan.batchNorms[index]
    layer.batchNorm.finish(
      moments(firstPanel: firstPanel, panels: Region.panelCount(layer.channels), blocks: blocks),
      gamma: floats(layer.paddedScale), beta: floats(layer.paddedShift), relu: layer.relu,
      into: normalization(layer), inverse: floats(layer.inverse), mean: means(layer, leaf),
      variance: variances(layer, leaf))
  }

  private func means(_ layer: Plan.BatchNormLayer, _ leaf: Leaf) -> UnsafeMutablePointer<Double> {
    leaf.statistics + model.statistics.means(ofBatchNorm: layer.index).lowerBound
  }

  private func variances(_ layer: Plan.BatchNormLayer, _ leaf: Leaf) -> UnsafeMutablePointer<Double> {
    leaf.statistics + model.statistics.variances(ofBatchNorm: layer.index).lowerBound
  }

  private func performLoss(_ head: Head, _ logits: Region, _ gradient: Region, _ leaf: Leaf) {
    let result = softmaxCrossEntropy(
      logits: tensor(logits, leaf.batch), labels: leaf.labels, smoothing: leaf.settings.labelSmoothing,
      weight: head == .main ? 1 : leaf.settings.auxWeight, gradient: tensor(gradient, leaf.batch),
      scratch: scratch, pool: pool)
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
