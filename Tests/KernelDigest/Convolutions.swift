import Compute

/// A convolution and its input.
private struct ConvolutionCase {
  var name: String
  var batch = 2
  var channels: (Int, Int)
  var kernel: (Int, Int)
  var size: (Int, Int)
  var stride = (1, 1)
  /// Half a window, if nothing else is said.
  var padding: (Int, Int)?

  var convolution: Convolution {
    let padding = padding ?? (kernel.0 / 2, kernel.1 / 2)
    let geometry = ConvolutionGeometry(
      inputChannels: channels.0, outputChannels: channels.1, kernelHeight: kernel.0, kernelWidth: kernel.1,
      strideHeight: stride.0, strideWidth: stride.1, paddingHeight: padding.0, paddingWidth: padding.1)
    return Convolution(geometry, inputHeight: size.0, inputWidth: size.1)
  }

  /// Full and smaller tiles of every scheme, alone and next to each other; blocks of each kind.
  static let winograd: [ConvolutionCase] =
    (1...9).map { ConvolutionCase(name: "3×3", channels: (16, 24), kernel: (3, 3), size: ($0, 10 - $0)) }
    + (1...6).map { ConvolutionCase(name: "5×5", channels: (16, 24), kernel: (5, 5), size: ($0, 7 - $0)) }
    + (3...9).map { ConvolutionCase(name: "1×7", channels: (16, 24), kernel: (1, 7), size: (3, $0)) }
    + (3...9).map { ConvolutionCase(name: "7×1", channels: (16, 24), kernel: (7, 1), size: ($0, 2)) }
    + (2...5).map { ConvolutionCase(name: "1×3", channels: (16, 24), kernel: (1, 3), size: (2, $0)) }
    + (2...5).map { ConvolutionCase(name: "3×1", channels: (16, 24), kernel: (3, 1), size: ($0, 3)) }
    + [
      ConvolutionCase(name: "few channels", channels: (12, 13), kernel: (3, 3), size: (6, 7)),
      ConvolutionCase(name: "3×3 unpadded", channels: (24, 40), kernel: (3, 3), size: (9, 11), padding: (0, 0)),
      ConvolutionCase(name: "3×3 padded by 2", channels: (24, 16), kernel: (3, 3), size: (5, 6), padding: (2, 2)),
      ConvolutionCase(name: "a wide row", channels: (16, 16), kernel: (3, 3), size: (3, 150)),
      ConvolutionCase(name: "a tall column", channels: (16, 16), kernel: (5, 5), size: (75, 2)),
      ConvolutionCase(name: "parts of samples", batch: 3, channels: (40, 24), kernel: (3, 3), size: (35, 37)),
      ConvolutionCase(name: "parts of samples", channels: (16, 32), kernel: (5, 5), size: (24, 26)),
      ConvolutionCase(name: "many samples", batch: 70, channels: (16, 16), kernel: (3, 3), size: (5, 6)),
      ConvolutionCase(name: "many panels", channels: (150, 136), kernel: (3, 3), size: (6, 7)),
      ConvolutionCase(name: "wide 1×7", channels: (40, 24), kernel: (1, 7), size: (5, 70)),
      ConvolutionCase(name: "wide 7×1", channels: (24, 40), kernel: (7, 1), size: (20, 18)),
      ConvolutionCase(name: "3×5", channels: (16, 16), kernel: (3, 5), size: (7, 8)),
      ConvolutionCase(name: "3×7", channels: (16, 16), kernel: (3, 7), size: (6, 8)),
    ]

  static let direct: [ConvolutionCase] =
    (1...9).map {
      ConvolutionCase(name: "strided 1×1", channels: (24, 20), kernel: (1, 1), size: (1, 2 * $0), stride: (1, 2))
    }
    + [
      ConvolutionCase(name: "first layer", channels: (3, 24), kernel: (7, 7), size: (22, 26), stride: (2, 2)),
      ConvolutionCase(name: "first layer", channels: (3, 40), kernel: (3, 3), size: (10, 12)),
      ConvolutionCase(
        name: "first layer", batch: 3, channels: (3, 24), kernel: (7, 7), size: (64, 130), stride: (2, 2)),
      ConvolutionCase(name: "first layer", channels: (4, 16), kernel: (5, 5), size: (40, 38), stride: (2, 2)),
      ConvolutionCase(name: "first layer", channels: (3, 16), kernel: (8, 6), size: (18, 22), stride: (2, 2)),
      ConvolutionCase(name: "few channels", channels: (7, 5), kernel: (3, 3), size: (9, 8)),
      ConvolutionCase(
        name: "3×3/2", channels: (24, 40), kernel: (3, 3), size: (13, 12), stride: (2, 2), padding: (0, 0)),
      ConvolutionCase(name: "3×3/2 padded", batch: 5, channels: (16, 16), kernel: (3, 3), size: (6, 7), stride: (2, 2)),
      ConvolutionCase(
        name: "pixels without a window", channels: (16, 16), kernel: (2, 2), size: (8, 9), stride: (3, 3),
        padding: (0, 0)),
      ConvolutionCase(name: "5×5/3", channels: (16, 16), kernel: (5, 5), size: (11, 10), stride: (3, 3)),
      ConvolutionCase(name: "2×3", channels: (16, 24), kernel: (2, 3), size: (6, 7), stride: (1, 2), padding: (0, 1)),
      ConvolutionCase(name: "3×3/2 of many panels", channels: (72, 72), kernel: (3, 3), size: (9, 11), stride: (2, 2)),
      ConvolutionCase(name: "3×3/2 of many runs", channels: (150, 40), kernel: (3, 3), size: (7, 7), stride: (2, 2)),
      ConvolutionCase(name: "3×3/2 of many pixels", channels: (16, 16), kernel: (3, 3), size: (70, 72), stride: (2, 2)),
      ConvolutionCase(name: "linear", batch: 7, channels: (40, 24), kernel: (3, 4), size: (3, 4), padding: (0, 0)),
    ]
}

extension Digests {
  /// Convolutions by every method.
  func addConvolutions() {
    for item in ConvolutionCase.winograd + ConvolutionCase.direct { add(item) }
  }

  private func add(_ item: ConvolutionCase) {
    let convolution = item.convolution, geometry = convolution.geometry
    let (inputs, outputs) = item.channels
    let x = Shape(item.batch, item.size.0, item.size.1, inputs)
    let y = Shape(item.batch, convolution.outputHeight, convolution.outputWidth, outputs)
    let name =
      "\(convolution.method) convolution, \(item.name): \(x.batch)×\(inputs)→\(outputs)×\(x.height)×\(x.width)"
    let memory = newMemory()
    let oihw = memory.floats(geometry.weightCount)
    let weights = memory.used(convolution.packedCount), transposed = memory.used(convolution.packedTransposedCount)
    convolution.pack(oihw.pointer, into: weights.pointer, pool: pool)
    convolution.packTransposed(oihw.pointer, into: transposed.pointer, pool: pool)
    add("\(name), weights", weights, transposed)

    let scratch = memory.used(convolution.scratchCount(batch: item.batch, threads: pool.threads))
    let input = memory.tensor(x), vectors = memory.vectors(inputs), bias = memory.vector(outputs)
    let output = memory.result(y)
    convolution.forward(
      Activation(input.panels), weights: weights.pointer, bias: bias.pointer, into: output.panels,
      scratch: scratch.pointer, pool: pool)
    add("\(name), forward", output.storage)

    let blocks = convolution.momentBlocks(batch: item.batch)
    let records = memory.used(Moments.floatCount(panels: panelCount(outputs), blocks: blocks))
    let moments = Moments(records: records.pointer, panels: panelCount(outputs), blocks: blocks)
    let activation = Activation(input.panels, normalization: vectors.normalization)
    convolution.forward(
      activation, weights: weights.pointer, bias: nil, into: output.panels, moments: moments, scratch: scratch.pointer,
      pool: pool)
    add("\(name), normalised forward", output.storage)
    add("\(name), moments", statistics(moments, outputs, memory))

    let dy = memory.tensor(y), dx = memory.result(x), gradient = memory.used(geometry.weightCount)
    convolution.backward(
      activation, dy.panels, weights: transposed.pointer, into: gradient.pointer, dx: dx.panels, accumulate: false,
      scratch: scratch.pointer, pool: pool)
    add("\(name), normalised backward", gradient, dx.storage)
    convolution.backward(
      Activation(input.panels), dy.panels, weights: transposed.pointer, into: gradient.pointer, dx: dx.panels,
      accumulate: true, scratch: scratch.pointer, pool: pool)
    add("\(name), accumulating backward", gradient, dx.storage)
    convolution.backward(
      activation, dy.panels, weights: nil, into: gradient.pointer, dx: nil, accumulate: false,
      scratch: scratch.pointer, pool: pool)
    add("\(name), backward to the weights", gradient)
    if convolution.packsInPassing(batch: item.batch) {
      convolution.forward(
        activation, weights: oihw.pointer, arePacked: false, bias: nil, into: output.panels, scratch: scratch.pointer,
        pool: pool)
      convolution.backward(
        activation, dy.panels, weights: oihw.pointer, arePacked: false, into: gradient.pointer, dx: dx.panels,
        accumulate: false, scratch: scratch.pointer, pool: pool)
      add("\(name), packed in passing", output.storage, gradient, dx.storage)
    }
    let biasGradients = memory.vector(outputs)
    biasGradient(dy.panels, into: biasGradients.pointer, pool: pool)
    add("\(name), bias", biasGradients)
    if Convolution.imageLayout(geometry, inputHeight: x.height, inputWidth: x.width) != nil { addImages(item) }
  }

  /// The same with images for its input, in the layout that suits it.
  private func addImages(_ item: ConvolutionCase) {
    let (height, width) = item.size, (inputs, outputs) = item.channels
    let convolution = Convolution(
      item.convolution.geometry, inputHeight: height, inputWidth: width, readsImages: true)
    guard let layout = convolution.imageLayout else { return }
    let name =
      "\(convolution.method) convolution of images, \(item.name): "
      + "\(item.batch)×\(inputs)→\(outputs)×\(height)×\(width)"
    let memory = newMemory()
    let oihw = memory.floats(convolution.geometry.weightCount), weights = memory.used(convolution.packedCount)
    convolution.pack(oihw.pointer, into: weights.pointer, pool: pool)
    let nchw = memory.floats(item.batch * inputs * height * width)
    let pixels = memory.used(
      Images.floatCount(batch: item.batch, height: height, width: width, channels: inputs, layout: layout))
    let images = Images(
      pointer: pixels.pointer, batch: item.batch, height: height, width: width, channels: inputs, layout: layout)
    loadImages(nchw: nchw.pointer, into: images, pool: pool)
    add("\(name), pixels and weights", pixels, weights)

    let y = Shape(item.batch, convolution.outputHeight, convolution.outputWidth, outputs)
    let scratch = memory.used(convolution.scratchCount(batch: item.batch, threads: pool.threads))
    let output = memory.result(y), bias = memory.vector(outputs), blocks = convolution.momentBlocks(batch: item.batch)
    let records = memory.used(Moments.floatCount(panels: panelCount(outputs), blocks: blocks))
    let moments = Moments(records: records.pointer, panels: panelCount(outputs), blocks: blocks)
    convolution.forward(
      images, weights: weights.pointer, bias: bias.pointer, into: output.panels, moments: moments,
      scratch: scratch.pointer, pool: pool)
    add("\(name), forward", output.storage)
    add("\(name), moments", statistics(moments, outputs, memory))
    let dy = memory.tensor(y), gradient = memory.used(convolution.geometry.weightCount)
    convolution.backward(images, dy.panels, into: gradient.pointer, scratch: scratch.pointer, pool: pool)
    add("\(name), backward", gradient)
  }

  /// What a batch norm makes of moments.
  func statistics(_ moments: Moments, _ channels: Int, _ memory: Memory) -> [Double] {
    let norm = BatchNorm(channels: channels, epsilon: 1e-3), vectors = memory.vectors(panels: panelCount(channels))
    let gamma = memory.vector(channels), beta = memory.vector(channels), inverse = memory.vector(channels)
    var mean = [Double](repeating: 0, count: channels), variance = mean
    norm.finish(
      moments, gamma: gamma.pointer, beta: beta.pointer, relu: true, into: vectors.normalization,
      inverse: inverse.pointer, mean: &mean, variance: &variance)
    let floats = [vectors.storage, inverse].flatMap { UnsafeBufferPointer(start: $0.pointer, count: $0.count) }
    return mean + variance + floats.map { Double($0) }
  }
}
