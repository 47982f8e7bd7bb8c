import Compute
import Lockstep

/// Turns a model into a plan: fuses layers, lists the steps forward and backward, and places every tensor in memory.
struct Planner {
  private let model: Model
  private let mode: Plan.Mode
  private let maxBatch: Int
  private let layers: [FusedLayer]
  private let placement: Placement

  private var steps: [Step] = []
  private var slots: [Slot]
  private var convolutions: [Plan.ConvolutionLayer] = []
  private var batchNorms: [Plan.BatchNormLayer] = []
  /// The layer's place in one of the two lists above, for layers with parameters.
  private var layerIndex: [String: Int] = [:]
  private var permanent = 0
  /// Values whose gradient somebody wants: those with parameters behind them.
  private var wantsGradient: [Bool]
  /// For each slot, the panels of a gradient that already hold something to add to.
  private var written: [Set<Int>]
  private var finishedPrefix = 0

  /// The plan of a model.
  ///
  /// - Parameter threads: threads of the pool that will run it; only the scratch memory's size depends on it.
  static func plan(_ model: Model, mode: Plan.Mode, maxBatch: Int, threads: Int) -> Plan {
    var planner = Planner(model, mode: mode, maxBatch: maxBatch)
    return planner.plan(threads: threads)
  }

  private init(_ model: Model, mode: Plan.Mode, maxBatch: Int) {
    precondition(maxBatch > 0, "a batch has samples")
    (self.model, self.mode, self.maxBatch) = (model, mode, maxBatch)
    layers = FusedLayer.layers(of: model.graph, mode: mode)
    placement = Placement(
      layers: layers, input: model.graph.input, valueCount: model.graph.valueCount, mode: mode, maxBatch: maxBatch)
    slots = placement.slots
    written = Array(repeating: [], count: slots.count)
    wantsGradient = Array(repeating: false, count: model.graph.valueCount)
  }

  private mutating func plan(threads: Int) -> Plan {
    declareLayers()
    let images = placement.region(of: model.graph.input)
    append("images", .images(into: images))
    for layer in layers { appendForward(layer) }
    if mode == .training {
      for layer in layers.reversed() { appendBackward(layer) }
      precondition(finishedPrefix == model.flat.count, "backward finishes every parameter's gradient")
    }

    guard let logitsValue = model.graph.logits(of: .main) else { fatalError("a network has a main head") }
    let logits = placement.region(of: evaluated(logitsValue))
    if mode == .evaluation { touch(logits, steps.count - 1) }

    let scratch = permanent
    permanent += roundedUp(
      convolutions.map { $0.convolution.scratchCount(batch: maxBatch, threads: threads) }.max() ?? 0)
    let floatCount = SlotAllocator.place(&slots, from: permanent)
    return Plan(
      mode: mode, maxBatch: maxBatch, steps: steps, floatCount: floatCount, permanentFloatCount: permanent,
      convolutions: convolutions, batchNorms: batchNorms, slots: slots, scratch: scratch, images: images,
      logits: logits, modelName: model.definition.name)
  }
}

// MARK: - Weights and statistics

extension Planner {
  /// Floats up to the next 64-byte boundary.
  private func roundedUp(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  private mutating func reserve(_ count: Int) -> Int {
    defer { permanent += roundedUp(count) }
    return permanent
  }

  /// Gives every layer with parameters its places.
  private mutating func declareLayers() {
    var flatOffsets: [String: Int] = [:]
    for entry in model.entries {
      if case .parameter(let offset, _) = entry.role { flatOffsets[entry.key] = offset }
    }
    func flat(_ key: String) -> Int {
      guard let offset = flatOffsets[key] else { fatalError("the state_dict lacks \(key)") }
      return offset
    }

    for layer in layers {
      let name = layer.operation.name
      let input = layer.inputs[0]
      switch layer.operation.kind {
      case .convolution(let geometry, let hasBias):
        let convolution = Convolution(geometry, inputHeight: input.shape.height, inputWidth: input.shape.width)
        let packed = reserve(convolution.packedCount)
        // The first layer's input is the image, which needs no gradient.
        let transposed = mode == .training && wantsGradient[input.index]
        let packedTransposed = transposed ? reserve(convolution.packedTransposedCount) : nil
        layerIndex[name] = convolutions.count
        convolutions.append(
          Plan.ConvolutionLayer(
            name: name, convolution: convolution, weight: flat(name + ".weight"),
            bias: hasBias ? flat(name + ".bias") : nil, packed: packed, packedTransposed: packedTransposed,
            paddedBias: hasBias ? reserve(geometry.outputChannels) : nil))
      case .batchNorm(let epsilon, _):
        let channels = input.shape.channels
        guard let index = model.batchNorms.firstIndex(where: { $0.prefix == name }) else {
          fatalError("the model lacks batch norm \(name)")
        }
        layerIndex[name] = batchNorms.count
        batchNorms.append(
          Plan.BatchNormLayer(
            name: name, batchNorm: BatchNorm(channels: channels, epsilon: epsilon), index: index, channels: channels,
            scale: flat(name + ".weight"), shift: flat(name + ".bias"), paddedScale: reserve(channels),
            paddedShift: reserve(channels), first: reserve(channels), second: reserve(channels)))
      case .relu, .maxPool, .averagePool, .adaptiveAveragePool, .localResponseNorm, .dropout, .concatenation, .loss:
        break
      }
      if let output = layer.output {
        wantsGradient[output.index] = layerIndex[name] != nil || layer.inputs.contains { wantsGradient[$0.index] }
      }
    }
  }

  /// The value that stands for another one in this plan; they differ where a dropout was left out.
  private func evaluated(_ value: Value) -> Value {
    mode == .training ? value : layers.last?.output ?? value
  }
}

// MARK: - Steps

extension Planner {
  private mutating func touch(_ region: Region, _ step: Int) {
    slots[region.slot].first = min(slots[region.slot].first, step)
    slots[region.slot].last = max(slots[region.slot].last, step)
  }

  /// Adds a step; `finished` are the flat ranges whose gradient it completes, which must be the next ones.
  private mutating func append(
    _ name: String, _ action: Action, multiplyAccumulates: Int = 0, finished ranges: [Range<Int>] = []
  ) {
    for region in action.regions { touch(region, steps.count) }
    for range in ranges {
      precondition(range.lowerBound == finishedPrefix, "\(name): gradients are finished in flat order")
      finishedPrefix = range.upperBound
    }
    steps.append(
      Step(
        name: name, multiplyAccumulates: multiplyAccumulates, action: action,
        finishedPrefix: ranges.isEmpty ? nil : finishedPrefix))
  }

  private func index(_ layer: FusedLayer) -> Int {
    guard let index = layerIndex[layer.operation.name] else { fatalError("\(layer.operation.name) has no parameters") }
    return index
  }

  private mutating func appendForward(_ layer: FusedLayer) {
    let name = layer.operation.name
    let x = placement.region(of: layer.inputs[0])
    if case .loss(let head) = layer.operation.kind {
      let gradient = placement.gradient(of: layer.inputs[0])
      _ = claim(gradient, name)
      append(name, .loss(head, logits: x, gradient: gradient))
      return
    }
    guard let output = layer.output else { return }
    let y = placement.region(of: output)
    switch layer.operation.kind {
    case .convolution:
      append(
        name, .convolution(index(layer), x: x, y: y), multiplyAccumulates: layer.operation.multiplyAccumulates)
    case .batchNorm:
      append(
        name,
        mode == .training
          ? .batchNorm(index(layer), y: x, z: y, relu: layer.relu)
          : .batchNormEvaluation(index(layer), y: x, z: y, relu: layer.relu))
    case .relu:
      append(name, .relu(x: x, y: y))
    case .maxPool(let geometry):
      append(name, .maxPool(geometry, x: x, y: y))
    case .averagePool(let geometry, let countsPadding):
      append(name, .averagePool(geometry, countsPadding: countsPadding, x: x, y: y))
    case .adaptiveAveragePool:
      append(name, .adaptiveAveragePool(x: x, y: y))
    case .localResponseNorm(let size, let alpha, let beta, let k):
      append(
        name, .localResponseNorm(LocalResponseNormConstants(size: size, alpha: alpha, beta: beta, k: k), x: x, y: y))
    case .dropout(let probability, let number):
      append(name, .dropout(probability: probability, layer: number, x: x, y: y))
    case .concatenation, .loss:
      break
    }
  }

  private mutating func appendBackward(_ layer: FusedLayer) {
    guard let output = layer.output, wantsGradient[output.index] else { return }
    let name = layer.operation.name
    let input = layer.inputs[0]
    let x = placement.region(of: input), y = placement.region(of: output)
    let dy = placement.gradient(of: output)
    precondition(
      layer.operation.kind == .concatenation || dy.panels.allSatisfy(written[dy.slot].contains),
      "\(name): its output's gradient is known when its turn comes")
    switch layer.operation.kind {
    case .convolution:
      appendConvolutionGradients(layer, x: x, dy: dy)
    case .batchNorm:
      let batchNorm = batchNorms[index(layer)]
      append(
        name, .batchNormGradient(index(layer), y: x, dz: dy, relu: layer.relu),
        finished: [batchNorm.shift, batchNorm.scale].map { $0..<$0 + batchNorm.channels })
    case .relu:
      append(name, .reluGradient(y: y, dy: dy))
    case .dropout(let probability, let number):
      append(name, .dropoutGradient(probability: probability, layer: number, dy: dy))
    case .maxPool, .averagePool, .adaptiveAveragePool, .localResponseNorm:
      guard wantsGradient[input.index] else { return }
      let dx = placement.gradient(of: input)
      appendPoolGradient(layer.operation, x: x, y: y, dy: dy, dx: dx, accumulate: claim(dx, name))
    case .concatenation, .loss:
      break
    }
  }

  private mutating func appendConvolutionGradients(_ layer: FusedLayer, x: Region, dy: Region) {
    let name = layer.operation.name
    let index = index(layer)
    let convolution = convolutions[index]
    let geometry = convolution.convolution.geometry
    if let bias = convolution.bias {
      append(name, .biasGradient(index, dy: dy), finished: [bias..<bias + geometry.outputChannels])
    }
    let weightCount =
      geometry.outputChannels * geometry.inputChannels * geometry.kernelHeight * geometry.kernelWidth
    let multiplyAccumulates = layer.operation.multiplyAccumulates
    append(
      name, .weightGradient(index, x: x, dy: dy), multiplyAccumulates: multiplyAccumulates,
      finished: [convolution.weight..<convolution.weight + weightCount])
    guard wantsGradient[layer.inputs[0].index] else { return }
    let dx = placement.gradient(of: layer.inputs[0])
    append(
      name, .inputGradient(index, dy: dy, dx: dx, accumulate: claim(dx, name)),
      multiplyAccumulates: multiplyAccumulates)
  }

  private mutating func appendPoolGradient(
    _ operation: Operation, x: Region, y: Region, dy: Region, dx: Region, accumulate: Bool
  ) {
    let action: Action
    switch operation.kind {
    case .maxPool(let geometry):
      action = .maxPoolGradient(geometry, x: x, y: y, dy: dy, dx: dx, accumulate: accumulate)
    case .averagePool(let geometry, let countsPadding):
      action = .averagePoolGradient(geometry, countsPadding: countsPadding, dy: dy, dx: dx, accumulate: accumulate)
    case .adaptiveAveragePool:
      action = .adaptiveAveragePoolGradient(dy: dy, dx: dx, accumulate: accumulate)
    case .localResponseNorm(let size, let alpha, let beta, let k):
      action = .localResponseNormGradient(
        LocalResponseNormConstants(size: size, alpha: alpha, beta: beta, k: k), x: x, y: y, dy: dy, dx: dx,
        accumulate: accumulate)
    case .convolution, .batchNorm, .relu, .dropout, .concatenation, .loss:
      fatalError("\(operation.name) is no pool")
    }
    append(operation.name, action)
  }

  /// Takes a gradient's region for writing.
  ///
  /// - Returns: whether something is there to add to.
  private mutating func claim(_ region: Region, _ name: String) -> Bool {
    let before = written[region.slot].intersection(region.panels).count
    precondition(
      before == 0 || before == region.panels.count,
      "\(name): of its input's gradient, either nothing or everything is there before")
    written[region.slot].formUnion(region.panels)
    return before > 0
  }
}
