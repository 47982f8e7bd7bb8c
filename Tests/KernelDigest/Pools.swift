import Compute

extension Digests {
  /// Pools of every kind: the sizes that kernels are compiled for, and others.
  func addPools() {
    let geometries = [(3, 1, 1, false), (3, 2, 0, true), (3, 2, 1, false), (2, 2, 0, false), (5, 3, 2, true)]
    for (kernel, stride, padding, ceilMode) in geometries {
      let geometry = PoolGeometry(kernel: kernel, stride: stride, padding: padding, ceilMode: ceilMode)
      // Several blocks of rows; and one smaller than some windows.
      for shape in [Shape(2, 40, 33, 24), Shape(2, 3, 4, 40)] {
        addMaxPool(geometry, shape)
        addPoolBehindBatchNorm(geometry, shape)
        for countsPadding in [false, true] { addAveragePool(geometry, shape, countsPadding: countsPadding) }
      }
    }
    for (size, outputs) in [((7, 9), (1, 1)), ((7, 9), (4, 4)), ((3, 2), (4, 5))] {
      addAdaptivePool(Shape(2, size.0, size.1, 24), outputs)
    }
  }

  private func output(_ geometry: PoolGeometry, _ x: Shape) -> Shape {
    Shape(x.batch, geometry.outputSize(x.height), geometry.outputSize(x.width), x.channels)
  }

  private func name(_ pool: String, _ geometry: PoolGeometry, _ x: Shape) -> String {
    "\(pool) pool \(geometry.kernel)/\(geometry.stride), padding \(geometry.padding), of \(x.batch)×\(x.channels)×\(x.height)×\(x.width)"
  }

  private func addMaxPool(_ geometry: PoolGeometry, _ shape: Shape) {
    let name = name("max", geometry, shape), outputs = output(geometry, shape)
    let memory = newMemory()
    let x = memory.tensor(shape), vectors = memory.vectors(shape.channels)
    let y = memory.result(outputs), dy = memory.tensor(outputs), dx = memory.result(shape)
    x.addSpecialValues()
    let count = Winners.count(
      geometry, batch: shape.batch, height: shape.height, width: shape.width, channels: shape.channels)
    let words = UnsafeMutableBufferPointer<Int32>.allocate(capacity: count)
    defer { words.deallocate() }
    words.initialize(repeating: -1)
    guard let first = words.baseAddress else { return }
    let winners = Winners(first, geometry, batch: shape.batch, height: shape.height, width: shape.width)
    let scratch = memory.used(geometry.scratchCount(width: shape.width, threads: pool.threads))
    maxPoolForward(
      Activation(x.panels), into: y.panels, winners: nil, geometry: geometry, scratch: scratch.pointer, pool: pool)
    add("\(name), forward", y.storage)
    maxPoolForward(
      Activation(x.panels, normalization: vectors.normalization), into: y.panels, winners: winners,
      geometry: geometry, scratch: scratch.pointer, pool: pool)
    add("\(name), normalised forward", y.storage, Array(words))
    for accumulate in [false, true] {
      maxPoolBackward(
        winners: winners, dy.panels, into: dx.panels, accumulate: accumulate, geometry: geometry,
        scratch: scratch.pointer, pool: pool)
      add("\(name), \(accumulate ? "accumulating " : "")backward", dx.storage)
    }
  }

  /// One that keeps what is stored, and the gradients of the batch norm before it.
  private func addPoolBehindBatchNorm(_ geometry: PoolGeometry, _ shape: Shape) {
    let outputs = output(geometry, shape)
    guard outputs.pixels <= shape.pixels else { return }
    let name = name("max", geometry, shape) + " behind a batch norm"
    let memory = newMemory(), norm = BatchNorm(channels: shape.channels, epsilon: 1e-5)
    let x = memory.tensor(shape), vectors = memory.vectors(shape.channels)
    let y = memory.result(outputs), dy = memory.tensor(outputs), dx = memory.result(shape)
    let inverse = memory.vector(shape.channels), dgamma = memory.vector(shape.channels)
    let dbeta = memory.vector(shape.channels)
    let words = UnsafeMutablePointer<Int32>.allocate(
      capacity: Winners.count(
        geometry, batch: shape.batch, height: shape.height, width: shape.width, channels: shape.channels))
    defer { words.deallocate() }
    let winners = Winners(words, geometry, batch: shape.batch, height: shape.height, width: shape.width)
    let scratch = memory.used(
      norm.scratchCount(pixels: shape.pixels) + geometry.scratchCount(width: shape.width, threads: pool.threads))
    maxPoolForward(
      Activation(x.panels, normalization: vectors.normalization), into: y.panels, keepsStored: true, winners: winners,
      geometry: geometry, scratch: scratch.pointer, pool: pool)
    add("\(name), forward", y.storage)
    norm.backward(
      x.panels, pooled: y.panels, dy.panels, winners: winners, geometry: geometry, into: dx.panels,
      normalization: vectors.normalization, inverse: inverse.pointer, dgamma: dgamma.pointer, dbeta: dbeta.pointer,
      scratch: scratch.pointer, pool: pool)
    add("\(name), backward", dx.storage, dgamma, dbeta)
  }

  private func addAveragePool(_ geometry: PoolGeometry, _ shape: Shape, countsPadding: Bool) {
    let name = name("average", geometry, shape) + (countsPadding ? " counting padding" : "")
    let outputs = output(geometry, shape)
    let memory = newMemory()
    let x = memory.tensor(shape), vectors = memory.vectors(shape.channels)
    let y = memory.result(outputs), dy = memory.tensor(outputs), dx = memory.result(shape)
    let scratch = memory.used(geometry.scratchCount(width: shape.width, threads: pool.threads))
    averagePoolForward(
      Activation(x.panels, normalization: vectors.normalization), into: y.panels, geometry: geometry,
      countsPadding: countsPadding, scratch: scratch.pointer, pool: pool)
    add("\(name), normalised forward", y.storage)
    for accumulate in [false, true] {
      averagePoolBackward(
        dy.panels, into: dx.panels, accumulate: accumulate, geometry: geometry, countsPadding: countsPadding,
        scratch: scratch.pointer, pool: pool)
      add("\(name), \(accumulate ? "accumulating " : "")backward", dx.storage)
    }
  }

  private func addAdaptivePool(_ shape: Shape, _ size: (Int, Int)) {
    let name = "adaptive average pool \(shape.height)×\(shape.width)→\(size.0)×\(size.1)"
    let outputs = Shape(shape.batch, size.0, size.1, shape.channels)
    let memory = newMemory()
    let x = memory.tensor(shape), vectors = memory.vectors(shape.channels)
    let y = memory.result(outputs), dy = memory.tensor(outputs), dx = memory.result(shape)
    let scratch = memory.used(
      adaptiveAveragePoolScratchCount(
        height: shape.height, width: shape.width, outputHeight: size.0, outputWidth: size.1, threads: pool.threads))
    adaptiveAveragePoolForward(
      Activation(x.panels, normalization: vectors.normalization), into: y.panels, scratch: scratch.pointer, pool: pool)
    add("\(name), normalised forward", y.storage)
    for accumulate in [false, true] {
      adaptiveAveragePoolBackward(
        dy.panels, into: dx.panels, accumulate: accumulate, scratch: scratch.pointer, pool: pool)
      add("\(name), \(accumulate ? "accumulating " : "")backward", dx.storage)
    }
  }
}
