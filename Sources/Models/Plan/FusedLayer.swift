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
    return layers
  }

  private var isPlainBatchNorm: Bool {
    if case .batchNorm = operation.kind { !relu } else { false }
  }

  /// Whether backward needs what the layer produced.
  var needsOutput: Bool {
    switch operation.kind {
    case .relu, .maxPool, .localResponseNorm: true
    case .convolution, .batchNorm, .averagePool, .adaptiveAveragePool, .dropout, .concatenation, .loss: false
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
