import Compute

/// A layer as it is run: a batch norm and the ReLU behind it are one.
struct FusedLayer {
  let operation: Operation
  /// Whether a ReLU was taken into it.
  let relu: Bool
  let inputs: [Value]
  let output: Value?

  /// The layers to run, in order: fused, and for evaluation without auxiliary heads and dropout.
  static func layers(of graph: Graph, mode: Plan.Mode) -> [FusedLayer] {
    let operations = mode == .training ? graph.operations : graph.evaluationOperations
    var consumers = [Int](repeating: 0, count: graph.valueCount)
    for operation in operations {
      for input in operation.inputs { consumers[input.index] += 1 }
    }

    var substitutes: [Int: Value] = [:]
    var layers: [FusedLayer] = []
    for operation in operations {
      let inputs = operation.inputs.map { substitutes[$0.index] ?? $0 }
      if mode == .evaluation, case .dropout = operation.kind, let output = operation.output {
        substitutes[output.index] = inputs[0]
      } else if operation.kind == .relu, let last = layers.last, last.isPlainBatchNorm, last.output == inputs[0],
        consumers[inputs[0].index] == 1
      {
        layers[layers.count - 1] = FusedLayer(
          operation: last.operation, relu: true, inputs: last.inputs, output: operation.output)
      } else {
        layers.append(FusedLayer(operation: operation, relu: false, inputs: inputs, output: operation.output))
      }
    }
    return poolsMovedUp(layers, input: graph.input)
  }

  /// The layers with each pool directly behind what it reads: it finds in the cache what was just written, and its gradient,
  /// which comes last, what the others just wrote.
  ///
  /// Pools have no parameters, so that the order in which those have their gradients stays.
  private static func poolsMovedUp(_ layers: [FusedLayer], input: Value) -> [FusedLayer] {
    var pools = Dictionary(grouping: layers.filter(\.isPool)) { $0.inputs[0].index }
    var ordered: [FusedLayer] = []
    func appendPools(of value: Value) {
      for pool in pools.removeValue(forKey: value.index) ?? [] { append(pool) }
    }
    func append(_ layer: FusedLayer) {
      ordered.append(layer)
      if let output = layer.output { appendPools(of: output) }
    }
    appendPools(of: input)
    for layer in layers where !layer.isPool { append(layer) }
    return ordered
  }

  /// Whether it reduces windows of one tensor.
  private var isPool: Bool {
    switch operation.kind {
    case .maxPool, .averagePool, .adaptiveAveragePool: true
    case .convolution, .batchNorm, .relu, .localResponseNorm, .dropout, .concatenation, .loss: false
    }
  }

  private var isPlainBatchNorm: Bool { isBatchNorm && !relu }

  /// Whether it normalises.
  var isBatchNorm: Bool {
    if case .batchNorm = operation.kind { true } else { false }
  }

  /// Whether it is a convolution, linear layers included.
  var isConvolution: Bool { geometry != nil }

  /// The window, if it is a convolution.
  var geometry: ConvolutionGeometry? {
    if case .convolution(let geometry, _) = operation.kind { geometry } else { nil }
  }

  /// Whether it is a 1×1 convolution over more than a single pixel: a matrix product that siblings can share.
  var isProduct: Bool {
    geometry?.isPointwise == true && inputs[0].shape.height * inputs[0].shape.width > 1
  }

  /// The layout in which it would read images; nil if it reads panels only.
  var imageLayout: ImageLayout? {
    guard let geometry, !isProduct, let shape = inputs.first?.shape else { return nil }
    return Convolution.imageLayout(geometry, inputHeight: shape.height, inputWidth: shape.width)
  }

  /// Whether it can normalise what it reads while it loads it.
  var normalizesWhatItReads: Bool {
    switch operation.kind {
    case .convolution, .maxPool, .averagePool, .adaptiveAveragePool: true
    case .batchNorm, .relu, .localResponseNorm, .dropout, .concatenation, .loss: false
    }
  }

  /// Floats of scratch that a layer without parameters needs.
  func poolScratchCount(threads: Int) -> Int {
    guard let input = inputs.first?.shape, let output = output?.shape else { return 0 }
    switch operation.kind {
    case .maxPool(let geometry), .averagePool(let geometry, _):
      return geometry.scratchCount(width: input.width, threads: threads)
    case .adaptiveAveragePool:
      return adaptiveAveragePoolScratchCount(
        height: input.height, width: input.width, outputHeight: output.height, outputWidth: output.width,
        threads: threads)
    case .localResponseNorm:
      return localResponseNormScratchCount(channels: input.channels, threads: threads)
    case .convolution, .batchNorm, .relu, .dropout, .concatenation, .loss:
      return 0
    }
  }

  /// Whether backward needs what the layer produced.
  var needsOutput: Bool {
    switch operation.kind {
    case .relu: true
    case .convolution, .batchNorm, .maxPool, .averagePool, .adaptiveAveragePool, .localResponseNorm, .dropout,
      .concatenation, .loss:
      false
    }
  }

  /// Whether the gradient of its input takes the place of that of its output.
  var hasGradientInPlace: Bool {
    switch operation.kind {
    case .batchNorm, .relu, .dropout: true
    case .convolution, .maxPool, .averagePool, .adaptiveAveragePool, .localResponseNorm, .concatenation, .loss: false
    }
  }
}

extension Graph {
  /// The layers that the main head's logits depend on.
  var evaluationOperations: [Operation] {
    guard let logits = logits(of: .main) else { fatalError("a network has a main head") }
    return operations(behind: logits)
  }
}
