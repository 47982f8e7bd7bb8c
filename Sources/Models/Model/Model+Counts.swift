import Compute

extension Model {
  /// Learnt values, frozen ones included, with the auxiliary heads or without them.
  public func parameterCount(withAuxiliaryHeads: Bool) -> Int {
    entries.filter { $0.isParameter && (withAuxiliaryHeads || $0.group == Head.main.rawValue) }
      .reduce(0) { $0 + $1.count }
  }

  /// Multiply-accumulates of the convolutions and linear layers in one image's forward pass.
  public func multiplyAccumulates(withAuxiliaryHeads: Bool) -> Int {
    graph.operations.filter { withAuxiliaryHeads || $0.head == .main }
      .reduce(0) { $0 + $1.multiplyAccumulates }
  }

  /// The first layer whose batch norm would see a single value in training, where no variance can be had.
  ///
  /// - Parameter leafSize: samples of the smallest leaf of any step.
  public func smallestLeafProblem(_ leafSize: Int) -> (layer: String, shape: TensorShape)? {
    let frozen = Set(batchNorms.filter(\.isFrozen).map(\.prefix))
    for operation in graph.operations {
      guard case .batchNorm = operation.kind, !frozen.contains(operation.name) else { continue }
      let shape = operation.inputs[0].shape
      if leafSize * shape.height * shape.width < 2 { return (operation.name, shape) }
    }
    return nil
  }
}

extension Operation {
  /// Multiply-accumulates for one sample; only convolutions and linear layers count.
  public var multiplyAccumulates: Int {
    guard case .convolution(let geometry, _) = kind, let output else { return 0 }
    return output.shape.count * geometry.inputChannels * geometry.kernelHeight * geometry.kernelWidth
  }
}
