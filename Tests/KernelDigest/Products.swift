import Compute

/// Sibling 1×1 convolutions and their input.
private struct ProductCase {
  var name: String
  var batch = 2
  var inputs: Int
  var outputs: [Int]
  var size: (Int, Int)

  static let all: [ProductCase] =
    // All remainders of the tiles' rows.
    (1...13).map { ProductCase(name: "few pixels", inputs: 24, outputs: [20], size: (1, $0)) }
    + [
      ProductCase(name: "siblings", batch: 3, inputs: 72, outputs: [40, 24, 7], size: (9, 11)),
      ProductCase(name: "linear", batch: 6, inputs: 100, outputs: [10], size: (1, 1)),
      ProductCase(name: "many runs", inputs: 600, outputs: [24, 16], size: (3, 4)),
      ProductCase(name: "many pixels", inputs: 16, outputs: [16], size: (50, 52)),
      ProductCase(name: "many panels", inputs: 136, outputs: [48, 24, 16], size: (14, 14)),
    ]
}

extension Digests {
  /// Matrix products: 1×1 convolutions and linear layers.
  func addProducts() {
    for item in ProductCase.all { add(item) }
  }

  private func add(_ item: ProductCase) {
    let (height, width) = item.size
    let product = PointwiseConvolution(
      inputChannels: item.inputs, outputChannels: item.outputs, height: height, width: width)
    let name = "product, \(item.name): \(item.batch)×\(item.inputs)→\(item.outputs)×\(height)×\(width)"
    let x = Shape(item.batch, height, width, item.inputs)
    let memory = newMemory()
    let outputs = item.outputs.map { memory.result(Shape(item.batch, height, width, $0)) }
    let table = PanelTable(outputs.map(\.panels))
    let scratch = memory.used(product.scratchCount(batch: item.batch, threads: pool.threads))
    let weights = memory.used(product.packedCount), transposed = memory.used(product.packedCount)
    var offsets: [Int] = [], flatCount = 0
    for (part, channels) in item.outputs.enumerated() {
      let own = memory.floats(channels * item.inputs)
      product.pack(own.pointer, part: part, into: weights.pointer, pool: pool)
      product.packTransposed(own.pointer, part: part, into: transposed.pointer, pool: pool)
      offsets.append(flatCount)
      flatCount += own.count
    }
    add("\(name), weights", weights, transposed)

    let input = memory.tensor(x), vectors = memory.vectors(item.inputs)
    let bias = memory.used(product.outputPanels * 16)
    setBias(bias, item, memory)
    product.forward(
      Activation(input.panels), weights: weights.pointer, bias: bias.pointer, into: table, scratch: scratch.pointer,
      pool: pool)
    add("\(name), forward", values(outputs))

    let blocks = product.momentBlocks(batch: item.batch)
    let records = memory.used(Moments.floatCount(panels: product.outputPanels, blocks: blocks))
    let moments = Moments(records: records.pointer, panels: product.outputPanels, blocks: blocks)
    let activation = Activation(input.panels, normalization: vectors.normalization)
    product.forward(
      activation, weights: weights.pointer, bias: nil, into: table, moments: moments, scratch: scratch.pointer,
      pool: pool)
    add("\(name), normalised forward", values(outputs))
    add("\(name), moments", statistics(moments, product.outputPanels * 16, memory))

    let gradients = item.outputs.map { memory.tensor(Shape(item.batch, height, width, $0)) }
    let gradientTable = PanelTable(gradients.map(\.panels))
    let dx = memory.result(x), flat = memory.used(flatCount)
    for accumulate in [false, true] {
      product.backward(
        accumulate ? Activation(input.panels) : activation, gradientTable, weights: transposed.pointer,
        into: flat.pointer, at: offsets, dx: dx.panels, accumulate: accumulate, scratch: scratch.pointer, pool: pool)
      add("\(name), \(accumulate ? "accumulating" : "normalised") backward", flat, dx.storage)
    }
  }

  /// Numbers for the channels of each convolution, and zeros up to whole panels.
  private func setBias(_ bias: FloatStorage, _ item: ProductCase, _ memory: Memory) {
    var start = bias.pointer
    for channels in item.outputs {
      let own = memory.vector(channels)
      start.update(from: own.pointer, count: own.count)
      start += own.count
    }
  }

  private func values(_ tensors: [Tensor]) -> [Float] {
    tensors.flatMap { UnsafeBufferPointer(start: $0.storage.pointer, count: $0.storage.count) }
  }
}
