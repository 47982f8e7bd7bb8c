import Compute

/// Who produces and who reads each value of a list of layers, and what follows from that for how layers are run.
struct Dataflow {
  let layers: [FusedLayer]
  private let producers: [Int?]
  private let readers: [[Int]]
  /// For each layer, whether it is a batch norm whose output nobody stores.
  private(set) var isDeferred: [Bool]
  /// For each layer, whether it is a max pool that leaves it to its readers to normalise what it read.
  private(set) var keepsStored: [Bool]

  init(layers: [FusedLayer], valueCount: Int) {
    self.layers = layers
    var producers = [Int?](repeating: nil, count: valueCount)
    var readers = [[Int]](repeating: [], count: valueCount)
    for (index, layer) in layers.enumerated() {
      for input in layer.inputs { readers[input.index].append(index) }
      if let output = layer.output { producers[output.index] = index }
    }
    (self.producers, self.readers) = (producers, readers)
    isDeferred = Array(repeating: false, count: layers.count)
    keepsStored = isDeferred
    for (index, layer) in layers.enumerated() where layer.isBatchNorm {
      isDeferred[index] =
        producer(of: layer.inputs[0])?.isConvolution == true && readerCount(of: layer.inputs[0]) == 1
        && everyReaderNormalizes(layer.output)
    }
    keepsStored = layers.map(leavesNormalization)
  }

  /// The layer that produces a value; nil for the network's input.
  func producer(of value: Value) -> FusedLayer? { producers[value.index].map { layers[$0] } }

  /// The layers that read a value.
  func readers(of value: Value) -> [FusedLayer] { readers[value.index].map { layers[$0] } }

  /// How many layers read a value.
  func readerCount(of value: Value) -> Int { readers[value.index].count }

  /// The layout of images that all readers of a value want; nil if they want panels, or not all the same.
  func imageLayout(of value: Value) -> ImageLayout? {
    let layouts = Set(readers(of: value).map(\.imageLayout))
    return layouts.count == 1 ? layouts.first ?? nil : nil
  }

  /// The batch norm that takes the moments of what a convolution produces, if its output is not stored.
  func deferredBatchNorm(behind convolution: FusedLayer) -> FusedLayer? {
    guard let output = convolution.output, let reader = readers[output.index].first, isDeferred[reader] else {
      return nil
    }
    return layers[reader]
  }

  /// The max pool that keeps what is stored of a batch norm's input, if that is who reads its output.
  func poolThatKeepsStored(behind batchNorm: Int) -> FusedLayer? {
    guard let output = layers[batchNorm].output, let reader = readers[output.index].first, keepsStored[reader] else {
      return nil
    }
    return layers[reader]
  }

  /// Whether a value is seen normalised by its readers, wholly or in part.
  func isNormalized(_ value: Value) -> Bool {
    guard let index = producers[value.index] else { return false }
    return layers[index].operation.kind == .concatenation
      ? layers[index].inputs.contains(where: isNormalized) : isDeferred[index] || keepsStored[index]
  }

  /// Whether a layer is a max pool that nobody shares a batch norm's output with, and whose readers can normalise: then the
  /// gradients of that batch norm's parameters are sums over what the pool wrote, which is less.
  private func leavesNormalization(_ layer: FusedLayer) -> Bool {
    guard case .maxPool = layer.operation.kind, let output = layer.output else { return false }
    let input = layer.inputs[0]
    guard let producer = producers[input.index], isDeferred[producer], readerCount(of: input) == 1 else { return false }
    let readers = readers(of: output)
    return !readers.isEmpty && readers.allSatisfy(\.normalizesWhatItReads)
      && output.shape.height * output.shape.width <= input.shape.height * input.shape.width
  }

  /// The 1×1 convolutions that read what this one reads and come with it, this one first; nil if an earlier one is first.
  ///
  /// They are one matrix product. Only its first member may run before the others: all its inputs are there, and in
  /// backward, where it runs last, so are the gradients of all its outputs.
  func siblings(of convolution: Int) -> [FusedLayer]? {
    let layer = layers[convolution]
    guard layer.isProduct else { return [layer] }
    let members = readers[layer.inputs[0].index].filter { layers[$0].isProduct }
    return members.first == convolution ? members.map { layers[$0] } : nil
  }

  private func everyReaderNormalizes(_ value: Value?) -> Bool {
    guard let value, !readers[value.index].isEmpty else { return false }
    return readers[value.index].allSatisfy { index in
      layers[index].operation.kind == .concatenation
        ? everyReaderNormalizes(layers[index].output) : layers[index].normalizesWhatItReads
    }
  }
}
