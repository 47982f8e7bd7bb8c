import Compute

extension Digests {
  /// Batch norms: with a few rows, with several blocks, and with so many that the threads share each panel.
  func addBatchNorms() {
    for shape in [Shape(2, 1, 3, 24), Shape(3, 20, 19, 100), Shape(2, 182, 182, 20)] {
      for relu in [false, true] { addBatchNorm(shape, relu: relu) }
    }
  }

  private func addBatchNorm(_ shape: Shape, relu: Bool) {
    let name =
      "batch norm\(relu ? " with ReLU" : "") of \(shape.batch)×\(shape.channels)×\(shape.height)×\(shape.width)"
    let memory = newMemory()
    let norm = BatchNorm(channels: shape.channels, epsilon: 1e-5)
    let vectors = memory.vectors(panels: panelCount(shape.channels))
    let y = memory.tensor(shape), z = memory.result(shape), dz = memory.tensor(shape)
    let gamma = memory.vector(shape.channels), beta = memory.vector(shape.channels)
    let inverse = memory.vector(shape.channels), dgamma = memory.vector(shape.channels)
    let dbeta = memory.vector(shape.channels)
    var mean = [Double](repeating: 0, count: shape.channels), variance = mean
    let scratch = memory.used(norm.scratchCount(pixels: shape.pixels))
    norm.forward(
      y.panels, gamma: gamma.pointer, beta: beta.pointer, relu: relu, into: z.panels,
      normalization: vectors.normalization, inverse: inverse.pointer, mean: &mean, variance: &variance,
      scratch: scratch.pointer, pool: pool)
    add("\(name), statistics", mean, variance, vectors.storage, inverse)
    add("\(name), forward", z.storage)
    norm.backward(
      y.panels, dz: dz.panels, normalization: vectors.normalization, inverse: inverse.pointer, dgamma: dgamma.pointer,
      dbeta: dbeta.pointer, scratch: scratch.pointer, pool: pool)
    add("\(name), backward", dz.storage, dgamma, dbeta)
    let runningMean = memory.vector(shape.channels)
    let runningVariance = memory.vector(shape.channels, scale: 0.5, offset: 1)
    norm.finishEvaluation(
      runningMean: runningMean.pointer, runningVariance: runningVariance.pointer, gamma: gamma.pointer,
      beta: beta.pointer, relu: relu, into: vectors.normalization)
    norm.evaluate(y.panels, normalization: vectors.normalization, into: z.panels, pool: pool)
    add("\(name), evaluation", vectors.storage, z.storage)
  }

  /// Local response norms: the usual window and power, and others.
  func addResponseNorms() {
    for (size, beta) in [(5, 0.75), (3, 0.75), (7, 0.6)] {
      let name = "response norm over \(size), β \(beta)", shape = Shape(2, 9, 11, 40)
      let memory = newMemory()
      let x = memory.tensor(shape), y = memory.result(shape), dy = memory.tensor(shape), dx = memory.result(shape)
      let scratch = memory.used(localResponseNormScratchCount(channels: shape.channels, threads: pool.threads))
      localResponseNormForward(
        x.panels, into: y.panels, size: size, alpha: 0.3, beta: beta, k: 1, scratch: scratch.pointer, pool: pool)
      add("\(name), forward", y.storage)
      for accumulate in [false, true] {
        localResponseNormBackward(
          x.panels, dy.panels, into: dx.panels, accumulate: accumulate, size: size, alpha: 0.3, beta: beta, k: 1,
          scratch: scratch.pointer, pool: pool)
        add("\(name), \(accumulate ? "accumulating " : "")backward", dx.storage)
      }
    }
  }

  /// ReLU and dropout, some values no ordinary numbers.
  func addActivations() {
    let shape = Shape(2, 5, 7, 37)
    let memory = newMemory()
    let x = memory.tensor(shape), y = memory.result(shape), dy = memory.tensor(shape)
    x.addSpecialValues()
    reluForward(x.panels, into: y.panels, pool: pool)
    reluBackward(y.panels, dy.panels, pool: pool)
    add("ReLU", y.storage, dy.storage)
    dropoutForward(
      x.panels, into: y.panels, probability: 0.4, seed: 7, layer: 1, epoch: 2, samples: [5, 3], pool: pool)
    dropoutBackward(dy.panels, probability: 0.4, seed: 7, layer: 1, epoch: 2, samples: [5, 3], pool: pool)
    add("dropout", y.storage, dy.storage)
  }

  /// Softmax cross-entropy of few and of many classes.
  func addLosses() {
    for classes in [3, 16, 37, 1000] {
      let batch = 5
      let memory = newMemory()
      let logits = memory.floats(batch * classes, scale: 9), shape = Shape(batch, 1, 1, classes)
      let x = memory.result(shape), gradient = memory.result(shape)
      let labels = (0..<batch).map { _ in Int32(memory.integer(below: classes)) }
      loadPanels(nchw: logits.pointer, into: x.panels, pool: pool)
      let sums = softmaxCrossEntropy(
        logits: x.panels, labels: labels, smoothing: 0.1, weight: 0.3, gradient: gradient.panels, pool: pool)
      let probabilities = memory.used(batch * classes)
      softmax(x.panels, into: probabilities.pointer)
      add("cross-entropy of \(classes) classes", [sums.lossSum], [sums.top1, sums.top5], gradient.storage)
      add("softmax of \(classes) classes", probabilities)
    }
  }
}
