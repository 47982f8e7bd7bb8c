import Compute

/// What a model file writes its network with: each call states one layer and returns what it produces.
///
/// Names are prefixes of state_dict keys. Channel counts are given for width 1 and scaled here. A layer that does not fit
/// its input is remembered, and reported when the graph is finished, so that a model file reads as a table.
public final class GraphBuilder {
  /// The image.
  public let input: Value
  /// How the weights of the layers stated from here on begin.
  public var weights: Initializer = .uniformFanIn
  /// How the biases of the layers stated from here on begin.
  public var biases: Initializer = .uniformFanIn
  /// The part of the network that the layers stated from here on belong to.
  public private(set) var head = Head.main

  private let classes: Int
  private let width: Double
  private var operations: [Operation] = []
  private var tensors: [TensorDeclaration] = []
  private var valueCount = 1
  private var dropoutCount = 0
  /// The layers that do not fit their input.
  private var misfits: [(layer: String, input: TensorShape, head: Head)] = []

  init(imageSize: Int, classes: Int, width: Double) {
    input = Value(index: 0, shape: TensorShape(channels: 3, height: imageSize, width: imageSize))
    (self.classes, self.width) = (classes, width)
  }

  /// The layers stated so far as a graph.
  func finish() -> Graph {
    Graph(input: input, operations: operations, valueCount: valueCount, tensors: tensors)
  }

  /// The first layer whose window does not fit into what the layers before it leave of the image; in evaluation the
  /// auxiliary heads do not count.
  func misfit(for mode: Plan.Mode) -> (layer: String, input: TensorShape)? {
    misfits.first { mode == .training || $0.head == .main }.map { ($0.layer, $0.input) }
  }

  /// A channel count at this network's width.
  public func scaled(_ channels: Int) -> Int { WidthRule.scaled(channels, by: width) }

  /// A convolution with a square window.
  public func convolution(
    _ x: Value, _ name: String, _ channels: Int, _ size: Int, stride: Int = 1, padding: Int = 0, bias: Bool
  ) -> Value {
    convolution(x, name, channels, (size, size), stride: stride, padding: (padding, padding), bias: bias)
  }

  /// A convolution with a window of (height, width) and padding of (rows, columns).
  public func convolution(
    _ x: Value, _ name: String, _ channels: Int, _ window: (Int, Int), stride: Int = 1, padding: (Int, Int), bias: Bool
  ) -> Value {
    let channels = scaled(channels)
    return convolve(
      x, name, channels, window, stride: stride, padding: padding, bias: bias,
      weightShape: [channels, x.shape.channels, window.0, window.1])
  }

  /// A linear layer over all of a tensor's values in the order C, H, W.
  public func linear(_ x: Value, _ name: String, _ outputs: Int) -> Value {
    linear(x, name, exactly: scaled(outputs))
  }

  /// Batch normalisation; `momentum` as PyTorch's, the weight of the new value.
  public func batchNorm(_ x: Value, _ name: String, epsilon: Double, momentum: Double = 0.1) -> Value {
    let shape = [x.shape.channels]
    declare(name + ".weight", shape, .scale, .constant(1))
    declare(name + ".bias", shape, .shift, .constant(0))
    declare(name + ".running_mean", shape, .runningMean, .constant(0))
    declare(name + ".running_var", shape, .runningVariance, .constant(1))
    declare(name + ".num_batches_tracked", [], .batchCount, .constant(0))
    return append(.batchNorm(epsilon: epsilon, momentum: momentum), name, [x], x.shape)
  }

  /// max(x, 0).
  public func relu(_ x: Value) -> Value { append(.relu, "relu", [x], x.shape) }

  /// The largest value of each window.
  public func maxPool(
    _ x: Value, _ name: String, _ size: Int, stride: Int, padding: Int = 0, ceilMode: Bool = false
  ) -> Value {
    let geometry = PoolGeometry(kernel: size, stride: stride, padding: padding, ceilMode: ceilMode)
    return append(.maxPool(geometry), name, [x], pooled(x, name, geometry))
  }

  /// The mean of each window; `countsPadding` as PyTorch's `count_include_pad`.
  public func averagePool(
    _ x: Value, _ name: String, _ size: Int, stride: Int, padding: Int = 0, countsPadding: Bool = true
  ) -> Value {
    let geometry = PoolGeometry(kernel: size, stride: stride, padding: padding, ceilMode: false)
    return append(.averagePool(geometry, countsPadding: countsPadding), name, [x], pooled(x, name, geometry))
  }

  /// The mean of each of `size` × `size` windows that cover the input.
  public func adaptiveAveragePool(_ x: Value, _ name: String, _ size: Int) -> Value {
    append(
      .adaptiveAveragePool(size: size), name, [x],
      TensorShape(channels: x.shape.channels, height: size, width: size))
  }

  /// Normalisation across `size` neighbouring channels: x·(k + α/size·Σx²)^−β.
  public func localResponseNorm(
    _ x: Value, _ name: String, _ size: Int, alpha: Double, beta: Double, k: Double
  ) -> Value {
    append(.localResponseNorm(size: size, alpha: alpha, beta: beta, k: k), name, [x], x.shape)
  }

  /// Inverted dropout with the probability of dropping.
  public func dropout(_ x: Value, _ name: String, _ probability: Double) -> Value {
    defer { dropoutCount += 1 }
    return append(.dropout(probability: probability, layer: dropoutCount), name, [x], x.shape)
  }

  /// Several tensors of one height and width as one, channels after channels.
  public func concatenate(_ parts: [Value], _ name: String) -> Value {
    let first = parts[0].shape
    precondition(
      parts.allSatisfy { $0.shape.height == first.height && $0.shape.width == first.width } || !misfits.isEmpty,
      "\(name): the parts of a concatenation have one height and width")
    precondition(
      parts.dropLast().allSatisfy { $0.shape.channels % 16 == 0 },
      "\(name): the parts of a concatenation are whole panels of 16 channels, the last excepted")
    let channels = parts.reduce(0) { $0 + $1.shape.channels }
    return append(
      .concatenation, name, parts, TensorShape(channels: channels, height: first.height, width: first.width))
  }

  /// The linear layer that ends a head, one output a class, and its loss; it may begin differently from other layers.
  public func classifier(_ x: Value, _ name: String, weights: Initializer? = nil, biases: Initializer? = nil) {
    let others = (self.weights, self.biases)
    (self.weights, self.biases) = (weights ?? others.0, biases ?? others.1)
    let logits = linear(x, name, exactly: classes)
    (self.weights, self.biases) = others
    operations.append(Operation(kind: .loss(head), name: name, inputs: [logits], output: nil, head: head))
  }

  /// States the layers of an auxiliary head.
  public func auxiliary(_ head: Head, _ layers: () -> Void) {
    self.head = head
    layers()
    self.head = .main
  }

  private func linear(_ x: Value, _ name: String, exactly outputs: Int) -> Value {
    convolve(
      x, name, outputs, (x.shape.height, x.shape.width), stride: 1, padding: (0, 0), bias: true,
      weightShape: [outputs, x.shape.count])
  }

  private func convolve(
    _ x: Value, _ name: String, _ channels: Int, _ window: (height: Int, width: Int), stride: Int,
    padding: (height: Int, width: Int), bias: Bool, weightShape: [Int]
  ) -> Value {
    let geometry = ConvolutionGeometry(
      inputChannels: x.shape.channels, outputChannels: channels, kernelHeight: window.height, kernelWidth: window.width,
      strideHeight: stride, strideWidth: stride, paddingHeight: padding.height, paddingWidth: padding.width)
    let fanIn = x.shape.channels * window.height * window.width
    declare(name + ".weight", weightShape, .weight, weights.initialization(fanIn: fanIn))
    if bias { declare(name + ".bias", [channels], .bias, biases.initialization(fanIn: fanIn)) }
    let fits =
      x.shape.height + 2 * padding.height >= window.height && x.shape.width + 2 * padding.width >= window.width
    if !fits { report(name, x) }
    let shape = TensorShape(
      channels: channels, height: fits ? geometry.outputHeight(x.shape.height) : 1,
      width: fits ? geometry.outputWidth(x.shape.width) : 1)
    return append(.convolution(geometry, bias: bias), name, [x], shape)
  }

  private func pooled(_ x: Value, _ name: String, _ geometry: PoolGeometry) -> TensorShape {
    let height = geometry.outputSize(x.shape.height), width = geometry.outputSize(x.shape.width)
    if min(height, width) < 1 { report(name, x) }
    return TensorShape(channels: x.shape.channels, height: max(height, 1), width: max(width, 1))
  }

  private func report(_ layer: String, _ x: Value) { misfits.append((layer, x.shape, head)) }

  private func declare(
    _ key: String, _ shape: [Int], _ kind: TensorDeclaration.Kind, _ initialization: Initialization
  ) {
    tensors.append(
      TensorDeclaration(key: key, shape: shape, kind: kind, head: head, initialization: initialization))
  }

  private func append(_ kind: Operation.Kind, _ name: String, _ inputs: [Value], _ shape: TensorShape) -> Value {
    let output = Value(index: valueCount, shape: shape)
    valueCount += 1
    operations.append(Operation(kind: kind, name: name, inputs: inputs, output: output, head: head))
    return output
  }
}
