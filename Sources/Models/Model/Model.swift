import Lockstep

/// A catalog entry with its sizes settled: the layers, the tensors of its state_dict, and where each of them lies.
public struct Model: Sendable {
  /// The catalog's entry.
  public let definition: ModelDefinition
  /// Outputs of the classifiers.
  public let classes: Int
  /// Height and width of an image, in pixels.
  public let imageSize: Int
  /// The factor on every channel count.
  public let width: Double
  /// The layers.
  public let graph: Graph
  /// Whether the images are large enough for the auxiliary heads too.
  let fitsTraining: Bool
  /// Every tensor of the state_dict, in its order.
  public let entries: [StateEntry]
  /// How the trained parameters lie in the flat vector, and their gradients in theirs: tensors in the reverse of their
  /// state_dict order.
  public let flat: FlatLayout
  /// Floats of the flat vector with the frozen parameters, which lie behind the trained ones, likewise reversed.
  public let parameterCount: Int
  /// Consecutive ranges of the frozen parameters, cut as the buckets of the trained ones.
  public let frozenBuckets: [Range<Int>]
  /// Floats of running means and variances together, laid out in state_dict order.
  public let bufferCount: Int
  /// Every batch norm, in state_dict order.
  public let batchNorms: [BatchNormEntry]
  /// The vector of sums that a leaf yields.
  public let statistics: StatisticsLayout

  /// Builds a network.
  ///
  /// - Parameters:
  ///   - mode: what it is for; in evaluation, where they do not run, auxiliary heads may be too large for the images.
  ///   - freeze: how the keys of parameters begin that training leaves as they are. A batch norm with all its keys
  ///     among them normalises with its running statistics and leaves these, too.
  /// - Throws: `ModelError` if the images are too small, a number is none that a network can have, or what is to be frozen
  ///   is nothing or everything.
  public init(
    _ definition: ModelDefinition, classes: Int, imageSize: Int, width: Double, for mode: Plan.Mode = .training,
    freeze: [String] = []
  ) throws(ModelError) {
    func check(_ valid: Bool, _ name: String, _ value: String, _ expected: String) throws(ModelError) {
      guard valid else {
        throw .invalidArgument(model: definition.name, name: name, value: value, expected: expected)
      }
    }
    try check((1...1_000_000).contains(classes), "the number of classes", "\(classes)", "from 1 to 1000000")
    try check((1...8192).contains(imageSize), "the image size", "\(imageSize)", "from 1 to 8192 pixels")
    try check(width > 0 && width <= 16, "the width", "\(width)", "above 0 and at most 16")

    let builder = definition.stated(imageSize: imageSize, classes: classes, width: width)
    if let misfit = builder.misfit(for: mode) {
      throw .imageTooSmall(
        model: definition.name, imageSize: imageSize, layer: misfit.layer, input: misfit.input,
        toTrain: definition.smallestImage(above: imageSize, for: .training),
        toEvaluate: definition.smallestImage(above: 0, for: .evaluation))
    }
    fitsTraining = builder.misfit(for: .training) == nil
    let graph = builder.finish()

    (self.definition, self.classes, self.imageSize, self.width) = (definition, classes, imageSize, width)
    self.graph = graph
    for prefix in freeze where !graph.tensors.contains(where: { $0.isParameter && $0.key.hasPrefix(prefix) }) {
      throw .nothingToFreeze(model: definition.name, prefix: prefix)
    }
    entries = Self.place(graph.tensors, freeze: freeze)
    batchNorms = Self.batchNorms(of: graph, entries: entries)
    bufferCount = batchNorms.reduce(0) { $0 + 2 * $1.channels }
    statistics = StatisticsLayout(batchNorms: batchNorms)
    let parameters = entries.reversed().filter(\.isParameter)
    guard parameters.contains(where: { !$0.isFrozen }) else { throw .nothingToTrain(model: definition.name) }
    let flat = FlatLayout(tensorSizes: parameters.filter { !$0.isFrozen }.map(\.count))
    let frozen = FlatLayout(tensorSizes: parameters.filter(\.isFrozen).map(\.count))
    (self.flat, parameterCount) = (flat, flat.count + frozen.count)
    frozenBuckets = frozen.buckets.map { $0.lowerBound + flat.count..<$0.upperBound + flat.count }
  }

  /// Gives each tensor its offset: parameters from the last to the first, frozen ones behind the trained ones; buffers from
  /// the first to the last.
  private static func place(_ tensors: [TensorDeclaration], freeze: [String]) -> [StateEntry] {
    func isFrozen(_ tensor: TensorDeclaration) -> Bool { freeze.contains { tensor.key.hasPrefix($0) } }
    let parameters = tensors.filter(\.isParameter)
    var frozenOffset = parameters.reduce(0) { $0 + $1.shape.reduce(1, *) }
    var flatOffset = parameters.filter { !isFrozen($0) }.reduce(0) { $0 + $1.shape.reduce(1, *) }
    var bufferOffset = 0
    return tensors.map { tensor in
      let count = tensor.shape.reduce(1, *), isFrozen = isFrozen(tensor)
      let role: StateEntry.Role
      switch tensor.kind {
      case .weight, .bias, .scale, .shift:
        if isFrozen { frozenOffset -= count } else { flatOffset -= count }
        role = .parameter(flatOffset: isFrozen ? frozenOffset : flatOffset, decays: tensor.kind == .weight)
      case .runningMean:
        role = .runningMean(offset: bufferOffset)
        bufferOffset += count
      case .runningVariance:
        role = .runningVariance(offset: bufferOffset)
        bufferOffset += count
      case .batchCount:
        role = .batchCount
      }
      return StateEntry(
        key: tensor.key, shape: tensor.shape, role: role, group: tensor.head.rawValue,
        initialization: tensor.initialization, isFrozen: isFrozen)
    }
  }

  private static func batchNorms(of graph: Graph, entries: [StateEntry]) -> [BatchNormEntry] {
    var offset = 0
    let frozen = Set(entries.filter(\.isFrozen).map(\.key))
    return graph.operations.compactMap { operation in
      guard case .batchNorm(let epsilon, let momentum) = operation.kind else { return nil }
      let channels = operation.inputs[0].shape.channels
      defer { offset += 2 * channels }
      return BatchNormEntry(
        prefix: operation.name, channels: channels, meanOffset: offset, varianceOffset: offset + channels,
        momentum: momentum, epsilon: epsilon, isFrozen: frozen.contains(operation.name + ".running_mean"))
    }
  }
}

extension StateEntry {
  /// Whether the tensor is learnt: a parameter, frozen or not.
  public var isParameter: Bool {
    if case .parameter = role { true } else { false }
  }
}

extension TensorDeclaration {
  var isParameter: Bool {
    switch kind {
    case .weight, .bias, .scale, .shift: true
    case .runningMean, .runningVariance, .batchCount: false
    }
  }
}
