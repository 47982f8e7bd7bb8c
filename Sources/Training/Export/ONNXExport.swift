import Compute
import Datasets
import Interchange
import Lockstep
import Models

/// Translates the evaluation network into ONNX's operations, one by one.
///
/// - Source: the operators' definitions of ONNX up to opset 17.
struct ONNXExport {
  static let input = "input", logits = "logits"

  private let trained: TrainedModel
  private let tensors: [String: StateTensor]
  private let last: Value
  /// The batch norm that becomes part of the convolution with this output.
  private var folded: [Value: Operation] = [:]
  private var network: ONNXModel
  /// The name of each value that is there.
  private var names: [Value: String] = [:]

  /// The whole network.
  static func network(of trained: TrainedModel, foldsBatchNorms: Bool) -> ONNXModel {
    guard let logits = trained.model.graph.logits(of: .main) else { preconditionFailure("a network has a main head") }
    let operations = trained.model.graph.operations(behind: logits)
    var export = ONNXExport(trained, last: logits)
    if foldsBatchNorms { export.folded = foldableBatchNorms(operations) }
    export.begin()
    for operation in operations { export.add(operation) }
    export.network.addOutput(Self.logits, [.free("N"), .fixed(trained.model.classes)])
    return export.network
  }

  private init(_ trained: TrainedModel, last: Value) {
    (self.trained, self.last) = (trained, last)
    tensors = Dictionary(uniqueKeysWithValues: trained.model.stateTensors.map { ($0.entry.key, $0) })
    network = ONNXModel(name: trained.model.definition.name)
  }

  /// The batch norms that alone read a convolution's output, by that output.
  private static func foldableBatchNorms(_ operations: [Operation]) -> [Value: Operation] {
    let convolved = Set(
      operations.compactMap { operation -> Value? in
        if case .convolution = operation.kind { operation.output } else { nil }
      })
    let readers = operations.reduce(into: [Value: Int]()) { counts, operation in
      for input in operation.inputs { counts[input, default: 0] += 1 }
    }
    return operations.reduce(into: [:]) { folded, operation in
      guard case .batchNorm = operation.kind, convolved.contains(operation.inputs[0]), readers[operation.inputs[0]] == 1
      else { return }
      folded[operation.inputs[0]] = operation
    }
  }

  private mutating func begin() {
    let value = trained.model.graph.input, size = trained.model.imageSize
    network.addInput(Self.input, [.free("N"), .fixed(3), .fixed(size), .fixed(size)])
    names[value] = Self.input
    guard trained.metadata.transformsInput else { return }
    let (mean, deviation) = PixelNormalization.imagenet.meanAndDeviation
    network.addConstant("transform_input.scale", shape: [1, 3, 1, 1], deviation.map { Float($0 / 0.5) })
    network.addConstant("transform_input.shift", shape: [1, 3, 1, 1], mean.map { Float(($0 - 0.5) / 0.5) })
    network.add("Mul", "transform_input.multiply", [Self.input, "transform_input.scale"], to: "transform_input.scaled")
    network.add(
      "Add", "transform_input.add", ["transform_input.scaled", "transform_input.shift"], to: "transform_input")
    names[value] = "transform_input"
  }

  private mutating func add(_ operation: Operation) {
    guard let output = operation.output, names[output] == nil else { return }
    let inputs = operation.inputs.map(name)
    func emit(_ type: String, _ attributes: [String: ONNXModel.Attribute] = [:]) {
      add(type, operation.name, inputs, output, attributes)
    }
    switch operation.kind {
    case .convolution(let geometry, let hasBias):
      if tensors[operation.name + ".weight"]?.entry.shape.count == 2 {
        addLinear(operation, output)
      } else {
        addConvolution(operation, output, geometry, hasBias: hasBias)
      }
    case .batchNorm(let epsilon, _):
      let keys = ["weight", "bias", "running_mean", "running_var"].map { "\(operation.name).\($0)" }
      for key in keys { addConstant(key) }
      add("BatchNormalization", operation.name, inputs + keys, output, ["epsilon": .float(epsilon)])
    case .relu: add("Relu", inputs[0] + ".relu", inputs, output)
    case .maxPool(let geometry):
      emit("MaxPool", window(geometry, operation.inputs[0], endPadding(geometry, operation.inputs[0])))
    case .averagePool(let geometry, let countsPadding):
      let end = endPadding(geometry, operation.inputs[0])
      // Beyond the padding PyTorch counts nothing, ONNX would.
      precondition(!countsPadding || end.allSatisfy { $0 == geometry.padding }, "\(operation.name) has whole windows")
      emit(
        "AveragePool",
        window(geometry, operation.inputs[0], end).merging(["count_include_pad": .integer(countsPadding ? 1 : 0)]) {
          $1
        })
    case .adaptiveAveragePool(let size):
      precondition(size == 1, "\(operation.name) averages each channel as a whole, as main heads do")
      emit("GlobalAveragePool")
    case .localResponseNorm(let size, let alpha, let beta, let k):
      emit("LRN", ["size": .integer(size), "alpha": .float(alpha), "beta": .float(beta), "bias": .float(k)])
    case .dropout: names[output] = inputs[0]
    case .concatenation: emit("Concat", ["axis": .integer(1)])
    case .loss: preconditionFailure("no value is behind a loss")
    }
  }
}

extension ONNXExport {
  private func name(_ value: Value) -> String {
    guard let name = names[value] else { preconditionFailure("operations stand in the order in which they run") }
    return name
  }

  private mutating func add(
    _ type: String, _ name: String, _ inputs: [String], _ output: Value,
    _ attributes: [String: ONNXModel.Attribute] = [:]
  ) {
    names[output] = output == last ? Self.logits : name
    network.add(type, name, inputs, to: self.name(output), attributes)
  }

  private mutating func addLinear(_ operation: Operation, _ output: Value) {
    let keys = ["weight", "bias"].map { "\(operation.name).\($0)" }
    for key in keys { addConstant(key) }
    let flattened = operation.name + ".flattened"
    network.add(
      "Flatten", operation.name + ".flatten", [name(operation.inputs[0])], to: flattened, ["axis": .integer(1)])
    add("Gemm", operation.name, [flattened] + keys, output, ["transB": .integer(1)])
  }

  private mutating func addConvolution(
    _ operation: Operation, _ output: Value, _ geometry: ConvolutionGeometry, hasBias: Bool
  ) {
    let weight = operation.name + ".weight", bias = operation.name + ".bias"
    let padding = [geometry.paddingHeight, geometry.paddingWidth]
    let attributes: [String: ONNXModel.Attribute] = [
      "kernel_shape": .integers([geometry.kernelHeight, geometry.kernelWidth]),
      "strides": .integers([geometry.strideHeight, geometry.strideWidth]), "pads": .integers(padding + padding),
      "dilations": .integers([1, 1]), "group": .integer(1),
    ]
    let inputs = [name(operation.inputs[0]), weight]
    if let batchNorm = folded[output], case .batchNorm(let epsilon, _) = batchNorm.kind,
      let normalized = batchNorm.output
    {
      let parts = ["weight", "bias", "running_mean", "running_var"].map { values("\(batchNorm.name).\($0)") }
      let layer = FoldedConvolution(
        weights: values(weight), biases: hasBias ? values(bias) : nil, scale: parts[0], shift: parts[1], mean: parts[2],
        variance: parts[3], epsilon: epsilon)
      network.addConstant(weight, shape: shape(weight), layer.weights)
      network.addConstant(bias, shape: [layer.biases.count], layer.biases)
      return add("Conv", operation.name, inputs + [bias], normalized, attributes)
    }
    addConstant(weight)
    if hasBias { addConstant(bias) }
    add("Conv", operation.name, hasBias ? inputs + [bias] : inputs, output, attributes)
  }

  /// Padding at the bottom and on the right with which windows are counted as PyTorch counts them: a last window that is
  /// not full, in its ceil mode, becomes one that is full of padding. ONNX has a ceil mode of its own, in which some
  /// runtimes count differently.
  private func endPadding(_ geometry: PoolGeometry, _ input: Value) -> [Int] {
    [input.shape.height, input.shape.width].map { n in
      max(geometry.padding, (geometry.outputSize(n) - 1) * geometry.stride + geometry.kernel - n - geometry.padding)
    }
  }

  private func window(
    _ geometry: PoolGeometry, _ input: Value, _ endPadding: [Int]
  ) -> [String: ONNXModel.Attribute] {
    [
      "kernel_shape": .integers([geometry.kernel, geometry.kernel]),
      "strides": .integers([geometry.stride, geometry.stride]),
      "pads": .integers([geometry.padding, geometry.padding] + endPadding), "ceil_mode": .integer(0),
    ]
  }

  private mutating func addConstant(_ key: String) { network.addConstant(key, shape: shape(key), values(key)) }

  private func tensor(_ key: String) -> StateTensor {
    guard let tensor = tensors[key] else { preconditionFailure("the network has the tensor \(key)") }
    return tensor
  }

  private func shape(_ key: String) -> [Int] { tensor(key).entry.shape }

  private func values(_ key: String) -> [Float] {
    let tensor = tensor(key)
    let start: UnsafeMutablePointer<Float>
    switch tensor.source {
    case .parameters(let offset): start = trained.state.parameters.pointer + offset
    case .buffers(let offset): start = trained.state.buffers.pointer + offset
    case .batchCount: preconditionFailure("a count is no constant of the evaluation network")
    }
    return Array(UnsafeBufferPointer(start: start, count: tensor.count))
  }
}
