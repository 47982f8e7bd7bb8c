import Compute

/// The layers of a plan that have parameters, and the places of their weights and vectors.
struct LayerTable {
  private(set) var convolutions: [Plan.ConvolutionLayer] = []
  private(set) var products: [Plan.ProductLayer] = []
  private(set) var batchNorms: [Plan.BatchNormLayer] = []
  /// Floats of all places together.
  private(set) var permanent = 0
  /// Floats of the memory that weights are packed into before a pass.
  private(set) var filterCount = 0
  /// A layer's place in one of the lists, by its name; a product has the name of its first part.
  private var indices: [String: Int] = [:]
  /// Values whose gradient somebody wants: those with trained parameters behind them.
  private var wantsGradient: [Bool]
  private let mode: Plan.Mode
  private let images: Value
  /// How the network's input lies in memory, if not in panels.
  let imageLayout: ImageLayout?

  /// Gives every layer its places, and the slots whose tensors are seen normalised the places of the vectors.
  init(model: Model, mode: Plan.Mode, flow: Dataflow, placement: Placement, slots: inout [Slot]) {
    self.mode = mode
    images = model.graph.input
    imageLayout = flow.imageLayout(of: images)
    wantsGradient = Array(repeating: false, count: model.graph.valueCount)
    let parameters = ParameterPlaces(model)
    // Batch norms first: the convolutions before them refer to them.
    for (index, layer) in flow.layers.enumerated() where layer.isBatchNorm {
      let region = flow.isDeferred[index] ? layer.output.map(placement.region) : nil
      declareBatchNorm(layer, model, parameters, storedIn: region, &slots)
    }
    for (index, layer) in flow.layers.enumerated() where flow.keepsStored[index] {
      guard let output = layer.output else { continue }
      slots[placement.region(of: output).slot].vectors = slots[placement.region(of: layer.inputs[0]).slot].vectors
    }
    for (index, layer) in flow.layers.enumerated() {
      if let output = layer.output {
        wantsGradient[output.index] =
          parameters.areTrained(of: layer) || layer.inputs.contains { wantsGradient[$0.index] }
      }
      guard layer.isConvolution, let members = flow.siblings(of: index) else { continue }
      if layer.isProduct {
        declareProduct(members, flow, parameters)
      } else {
        declareConvolution(layer, flow, parameters)
      }
    }
  }

  /// The layer's place in the list of its kind.
  func index(of layer: FusedLayer) -> Int {
    guard let index = indices[layer.operation.name] else { fatalError("\(layer.operation.name) has no parameters") }
    return index
  }

  /// Whether somebody wants the gradient of a value.
  func wantsGradient(of value: Value) -> Bool { wantsGradient[value.index] }

  /// Floats of scratch that the kernels need.
  func scratchCount(maxBatch: Int, threads: Int) -> Int {
    let counts =
      convolutions.map { $0.convolution.scratchCount(batch: maxBatch, threads: threads) }
      + products.map { $0.product.scratchCount(batch: maxBatch, threads: threads) }
      + batchNorms.map { $0.batchNorm.scratchCount(pixels: maxBatch * $0.area) }
    return counts.max() ?? 0
  }

  /// Floats that the moments of any one layer's output need.
  func momentCount(maxBatch: Int) -> Int {
    let ofConvolutions = convolutions.filter { $0.batchNorm != nil }.map { layer in
      Moments.floatCount(
        panels: Region.panelCount(layer.convolution.geometry.outputChannels),
        blocks: layer.convolution.momentBlocks(batch: maxBatch))
    }
    let ofProducts = products.filter { $0.parts.contains { $0.batchNorm != nil } }.map { layer in
      Moments.floatCount(panels: layer.product.outputPanels, blocks: layer.product.momentBlocks(batch: maxBatch))
    }
    return mode == .training ? (ofConvolutions + ofProducts).max() ?? 0 : 0
  }

  private mutating func reserve(_ count: Int) -> Int {
    defer { permanent += (count + 15) / 16 * 16 }
    return permanent
  }

  private mutating func declareBatchNorm(
    _ layer: FusedLayer, _ model: Model, _ parameters: ParameterPlaces, storedIn region: Region?, _ slots: inout [Slot]
  ) {
    let name = layer.operation.name, channels = layer.inputs[0].shape.channels
    guard case .batchNorm(let epsilon, _) = layer.operation.kind,
      let index = model.batchNorms.firstIndex(where: { $0.prefix == name })
    else { fatalError("the model lacks batch norm \(name)") }
    let vectors: Int, vectorPanels: Int
    if let region {
      vectorPanels = slots[region.slot].panels
      vectors = slots[region.slot].vectors ?? reserve(Normalization.floatCount(panels: vectorPanels))
      slots[region.slot].vectors = vectors
    } else {
      vectorPanels = Region.panelCount(channels)
      vectors = reserve(Normalization.floatCount(panels: vectorPanels))
    }
    indices[name] = batchNorms.count
    batchNorms.append(
      Plan.BatchNormLayer(
        name: name, batchNorm: BatchNorm(channels: channels, epsilon: epsilon), relu: layer.relu, index: index,
        channels: channels, area: layer.inputs[0].shape.height * layer.inputs[0].shape.width,
        isFrozen: model.batchNorms[index].isFrozen, scale: parameters.offset(name + ".weight"),
        shift: parameters.offset(name + ".bias"), trainedScale: parameters.gradient(name + ".weight"),
        trainedShift: parameters.gradient(name + ".bias"), discarded: reserve(channels), paddedScale: reserve(channels),
        paddedShift: reserve(channels), inverse: reserve(channels),
        runningMean: reserve(channels), runningVariance: reserve(channels), vectors: vectors,
        vectorPanels: vectorPanels, firstPanel: region?.panel ?? 0))
  }

  private mutating func declareConvolution(
    _ layer: FusedLayer, _ flow: Dataflow, _ parameters: ParameterPlaces
  ) {
    guard case .convolution(let geometry, let hasBias) = layer.operation.kind else { return }
    let name = layer.operation.name, input = layer.inputs[0]
    let convolution = Convolution(
      geometry, inputHeight: input.shape.height, inputWidth: input.shape.width,
      readsImages: input == images && imageLayout != nil)
    indices[name] = convolutions.count
    convolutions.append(
      Plan.ConvolutionLayer(
        name: name, convolution: convolution, weight: parameters.offset(name + ".weight"),
        bias: hasBias ? parameters.offset(name + ".bias") : nil, gradient: parameters.gradient(name + ".weight"),
        trainedBias: hasBias ? parameters.gradient(name + ".bias") : nil,
        packed: reserveWeights(
          convolution.packedCount, convolution.packedTransposedCount, inPlace: convolution.readsWeightsInPlace),
        paddedBias: hasBias ? reserve(geometry.outputChannels) : nil,
        batchNorm: batchNormThatGathers(behind: layer, flow)))
  }

  private mutating func reserveWeights(
    _ packedCount: Int, _ packedTransposedCount: Int, inPlace: Bool = false
  ) -> Plan.Weights {
    if mode == .evaluation { return .packed(reserve(packedCount)) }
    if inPlace { return .asTheyAre }
    filterCount = max(filterCount, packedCount, packedTransposedCount)
    return .packedInEachPass
  }

  /// The batch norm that takes the moments of what a convolution writes; a frozen one takes none.
  private func batchNormThatGathers(behind layer: FusedLayer, _ flow: Dataflow) -> Int? {
    guard let index = flow.deferredBatchNorm(behind: layer).map(index), !batchNorms[index].isFrozen else { return nil }
    return index
  }

  private mutating func declareProduct(
    _ members: [FusedLayer], _ flow: Dataflow, _ parameters: ParameterPlaces
  ) {
    let input = members[0].inputs[0], channels = members.compactMap { $0.geometry?.outputChannels }
    let product = PointwiseConvolution(
      inputChannels: input.shape.channels, outputChannels: channels, height: input.shape.height,
      width: input.shape.width)
    let hasBias = members.map { if case .convolution(_, true) = $0.operation.kind { true } else { false } }
    let paddedBias = hasBias.contains(true) ? reserve(product.outputPanels * 16) : nil
    var panel = 0
    let parts = zip(members, hasBias).map { layer, hasBias in
      let name = layer.operation.name, outputs = layer.geometry?.outputChannels ?? 0
      defer { panel += Region.panelCount(outputs) }
      return Plan.ProductLayer.Part(
        name: name, outputChannels: outputs, bias: hasBias ? parameters.offset(name + ".bias") : nil,
        trainedBias: hasBias ? parameters.gradient(name + ".bias") : nil, paddedBias: (paddedBias ?? 0) + panel * 16,
        batchNorm: batchNormThatGathers(behind: layer, flow))
    }
    let keys = members.map { $0.operation.name + ".weight" }
    indices[members[0].operation.name] = products.count
    products.append(
      Plan.ProductLayer(
        product: product, parts: parts, weights: keys.map(parameters.offset),
        gradients: keys.map(parameters.gradient),
        packed: reserveWeights(product.packedCount, product.packedCount), paddedBias: paddedBias))
  }
}

/// Where a model's parameters lie in the flat vector, and which of them are trained.
private struct ParameterPlaces {
  private var offsets: [String: Int] = [:]
  private var trained: Set<String> = []

  init(_ model: Model) {
    for entry in model.entries {
      guard case .parameter(let offset, _) = entry.role else { continue }
      offsets[entry.key] = offset
      if !entry.isFrozen { trained.insert(entry.key) }
    }
  }

  func offset(_ key: String) -> Int {
    guard let offset = offsets[key] else { fatalError("the state_dict lacks \(key)") }
    return offset
  }

  /// Where its gradient lies; nil if it is frozen.
  func gradient(_ key: String) -> Int? { trained.contains(key) ? offset(key) : nil }

  /// Whether any parameter of a layer is trained.
  func areTrained(of layer: FusedLayer) -> Bool {
    [".weight", ".bias"].contains { trained.contains(layer.operation.name + $0) }
  }
}
