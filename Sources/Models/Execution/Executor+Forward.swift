import Compute

extension Executor {
  /// Does a step of an evaluation, or one that training shares with it.
  func perform(_ action: Action, images: UnsafePointer<Float>, batch: Int) {
    switch action {
    case .images(let x):
      if let target = self.images(x, batch) {
        loadImages(nchw: images, into: target, pool: pool)
      } else {
        loadPanels(nchw: images, into: tensor(x, batch), pool: pool)
      }
    case .convolution(let index, let x, let y):
      convolve(index, x, y, batch, gathersMoments: false)
    case .product(let index, let x, _):
      multiply(index, x, batch, gathersMoments: false)
    case .batchNorm(let index, let y, let z):
      let layer = plan.batchNorms[index]
      layer.batchNorm.evaluate(
        tensor(y, batch), normalization: normalization(layer), into: tensor(z, batch), pool: pool)
    case .relu(let x, let y):
      reluForward(tensor(x, batch), into: tensor(y, batch), pool: pool)
    case .maxPool(let geometry, let x, let y, let winners):
      let x = activation(x, batch)
      maxPoolForward(
        x, into: tensor(y.region, batch), keepsStored: y.isNormalized,
        winners: winners.map { self.winners($0, geometry, of: x.tensor) }, geometry: geometry, scratch: scratch,
        pool: pool)
    case .averagePool(let geometry, let countsPadding, let x, let y):
      averagePoolForward(
        activation(x, batch), into: tensor(y, batch), geometry: geometry, countsPadding: countsPadding,
        scratch: scratch, pool: pool)
    case .adaptiveAveragePool(let x, let y):
      adaptiveAveragePoolForward(activation(x, batch), into: tensor(y, batch), scratch: scratch, pool: pool)
    case .localResponseNorm(let constants, let x, let y):
      localResponseNormForward(
        tensor(x, batch), into: tensor(y, batch), size: constants.size, alpha: constants.alpha, beta: constants.beta,
        k: constants.k, scratch: scratch, pool: pool)
    default:
      fatalError("\(action.name) is no step of an evaluation")
    }
  }

  func convolve(_ index: Int, _ x: Operand, _ y: Region, _ batch: Int, gathersMoments: Bool) {
    let layer = plan.convolutions[index], convolution = layer.convolution
    let moments =
      gathersMoments && layer.batchNorm != nil
      ? moments(firstPanel: 0, panels: y.panels.count, blocks: convolution.momentBlocks(batch: batch)) : nil
    let (weights, arePacked) = weights(layer, batch), bias = layer.paddedBias.map { UnsafePointer(floats($0)) }
    if let images = images(x.region, batch) {
      convolution.forward(
        images, weights: weights, bias: bias, into: tensor(y, batch), moments: moments, scratch: scratch,
        pool: pool)
    } else {
      convolution.forward(
        activation(x, batch), weights: weights, arePacked: arePacked, bias: bias, into: tensor(y, batch),
        moments: moments, scratch: scratch, pool: pool)
    }
  }

  func multiply(_ index: Int, _ x: Operand, _ batch: Int, gathersMoments: Bool) {
    let layer = plan.products[index], product = layer.product
    let moments =
      gathersMoments && layer.parts.contains { $0.batchNorm != nil }
      ? moments(firstPanel: 0, panels: product.outputPanels, blocks: product.momentBlocks(batch: batch)) : nil
    product.forward(
      activation(x, batch), weights: weights(layer), bias: layer.paddedBias.map { UnsafePointer(floats($0)) },
      into: outputTable(index), moments: moments, scratch: scratch, pool: pool)
  }

  /// Where the moments of some panels of the output of the step at hand are.
  func moments(firstPanel: Int, panels: Int, blocks: Int) -> Moments {
    Moments(
      records: floats(plan.moments + Moments.floatCount(panels: firstPanel, blocks: blocks)), panels: panels,
      blocks: blocks)
  }
}
