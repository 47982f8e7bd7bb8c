import Compute

// The steps of each kind of layer.

extension Planner {
  mutating func appendForward(_ index: Int) {
    let layer = flow.layers[index], name = layer.operation.name
    if case .loss(let head) = layer.operation.kind {
      let gradient = placement.gradient(of: layer.inputs[0])
      _ = claim(gradient, name)
      append(name, .loss(head, logits: placement.region(of: layer.inputs[0]), gradient: gradient))
      return
    }
    guard let output = layer.output else { return }
    let x = placement.region(of: layer.inputs[0]), y = placement.region(of: output)
    switch layer.operation.kind {
    case .convolution:
      appendConvolution(index)
    case .batchNorm:
      if !flow.isDeferred[index] { append(name, .batchNorm(layers.index(of: layer), y: x, z: y)) }
    case .relu:
      append(name, .relu(x: x, y: y))
    case .maxPool(let geometry):
      let isTold = mode == .training && layers.wantsGradient(of: layer.inputs[0])
      let winners = isTold ? addSlot(floatCount: winnerCount(geometry, layer.inputs[0].shape, maxBatch)) : nil
      winnerSlots[index] = winners
      append(name, .maxPool(geometry, x: operand(layer.inputs[0]), y: operand(output), winners: winners))
    case .averagePool(let geometry, let countsPadding):
      append(name, .averagePool(geometry, countsPadding: countsPadding, x: operand(layer.inputs[0]), y: y))
    case .adaptiveAveragePool:
      append(name, .adaptiveAveragePool(x: operand(layer.inputs[0]), y: y))
    case .localResponseNorm(let size, let alpha, let beta, let k):
      append(
        name, .localResponseNorm(LocalResponseNormConstants(size: size, alpha: alpha, beta: beta, k: k), x: x, y: y))
    case .dropout(let probability, let number):
      append(name, .dropout(probability: probability, layer: number, x: x, y: y))
    case .concatenation, .loss:
      break
    }
  }

  mutating func appendBackward(_ index: Int) {
    let layer = flow.layers[index], name = layer.operation.name
    if layer.isConvolution { return appendConvolutionGradients(index) }
    guard let output = layer.output, layers.wantsGradient(of: output) else { return }
    let input = layer.inputs[0]
    let dy = placement.gradient(of: output)
    if layer.operation.kind != .concatenation { checkIsWritten(dy, name) }
    switch layer.operation.kind {
    case .batchNorm:
      appendBatchNormGradient(index, dz: dy)
    case .relu:
      append(name, .reluGradient(y: placement.region(of: output), dy: dy))
    case .dropout(let probability, let number):
      append(name, .dropoutGradient(probability: probability, layer: number, dy: dy))
    case .maxPool, .averagePool, .adaptiveAveragePool, .localResponseNorm:
      guard layers.wantsGradient(of: input) else { return }
      appendPoolGradient(index, dy: dy, dx: placement.gradient(of: input))
    case .concatenation, .convolution, .loss:
      break
    }
  }

  private func checkIsWritten(_ gradient: Region, _ name: String) {
    precondition(isWritten(gradient), "\(name): its output's gradient is known when its turn comes")
  }

  /// Words that tell which pixel of each window of a max pool won, given the shape of its input.
  func winnerCount(_ geometry: PoolGeometry, _ x: TensorShape, _ batch: Int) -> Int {
    Winners.count(geometry, batch: batch, height: x.height, width: x.width, channels: x.channels)
  }

  private mutating func appendConvolution(_ index: Int) {
    let layer = flow.layers[index], x = operand(layer.inputs[0])
    guard let members = flow.siblings(of: index), let output = layer.output else { return }
    let own = layers.index(of: layer)
    if layer.isProduct {
      append(
        Self.name(of: members), .product(own, x: x, ys: members.compactMap(\.output).map(placement.region)),
        method: "product", multiplyAccumulates: members.reduce(0) { $0 + $1.operation.multiplyAccumulates })
    } else {
      let convolution = layers.convolutions[own].convolution
      append(
        layer.operation.name, .convolution(own, x: x, y: placement.region(of: output)),
        operation: convolution.isLinear ? "linear layer" : nil, method: convolution.isLinear ? "" : convolution.method,
        multiplyAccumulates: layer.operation.multiplyAccumulates)
    }
  }

  private mutating func appendConvolutionGradients(_ index: Int) {
    let layer = flow.layers[index], x = operand(layer.inputs[0])
    guard let members = flow.siblings(of: index) else { return }
    let own = layers.index(of: layer)
    let outputs = members.compactMap(\.output), dys = outputs.map(placement.gradient)
    let isProduct = layer.isProduct
    for (output, dy) in zip(outputs, dys) where layers.wantsGradient(of: output) {
      checkIsWritten(dy, layer.operation.name)
    }
    let biases = isProduct ? layers.products[own].parts.map(\.trainedBias) : [layers.convolutions[own].trainedBias]
    let weights = isProduct ? layers.products[own].gradients : [layers.convolutions[own].gradient]
    let name = Self.name(of: members)
    let dx = layers.wantsGradient(of: layer.inputs[0]) ? placement.gradient(of: layer.inputs[0]) : nil
    let convolution = isProduct ? nil : layers.convolutions[own].convolution
    let isNeeded = dx != nil || weights.contains { $0 != nil }
    let sumsBias = isNeeded && convolution?.sumsBiasGradient == true
    var finished = zip(members, weights).compactMap { member, weight in
      weight.map { $0..<$0 + (member.geometry?.weightCount ?? 0) }
    }
    for (member, (bias, dy)) in zip(members, zip(biases, dys)) {
      guard let bias else { continue }
      let places = bias..<bias + dy.shape.channels
      if sumsBias {
        finished.append(places)
      } else {
        append(member.operation.name, .biasGradient(flat: bias, dy: dy), finished: [places])
      }
    }
    guard isNeeded else { return }
    let accumulate = dx.map { claim($0, name) } ?? false
    let products = zip(members, weights).reduce(0) { sum, member in
      sum + member.0.operation.multiplyAccumulates * ((dx == nil ? 0 : 1) + (member.1 == nil ? 0 : 1))
    }
    let isLinear = convolution?.isLinear == true
    append(
      name,
      isProduct
        ? .productGradients(own, x: x, dys: dys, dx: dx, accumulate: accumulate)
        : .convolutionGradients(own, x: x, dy: dys[0], dx: dx, accumulate: accumulate),
      operation: isLinear ? "linear layer gradients" : nil,
      method: isLinear ? "" : convolution?.method ?? "product",
      multiplyAccumulates: products,
      finished: finished)
  }

  private mutating func appendBatchNormGradient(_ index: Int, dz: Region) {
    let name = flow.layers[index].operation.name, y = placement.region(of: flow.layers[index].inputs[0])
    let own = layers.index(of: flow.layers[index]), layer = layers.batchNorms[own]
    let finished = [layer.trainedShift, layer.trainedScale].compactMap { place in
      place.map { $0..<$0 + layer.channels }
    }
    // A pool that kept what is stored is the only reader, and its gradient the whole one: it is made where this one is.
    if let pool = flow.poolThatKeepsStored(behind: index), !layer.isFrozen,
      case .maxPoolGradient(let geometry, let winners, let dpooled, dx: dz, accumulate: false) = steps.last?.action,
      let pooled = pool.output.map(placement.region)
    {
      steps.removeLast()
      append(
        "\(pool.operation.name)+\(name)",
        .maxPoolAndBatchNormGradients(
          geometry, winners: winners, pooled: pooled, dpooled: dpooled, batchNorm: own, y: y, dy: dz),
        finished: finished)
    } else {
      append(name, .batchNormGradient(own, y: y, dz: dz), finished: finished)
    }
  }

  private mutating func appendPoolGradient(_ index: Int, dy: Region, dx: Region) {
    let operation = flow.layers[index].operation
    let accumulate = claim(dx, operation.name)
    let action: Action
    switch operation.kind {
    case .maxPool(let geometry):
      guard let winners = winnerSlots[index] else { fatalError("\(operation.name) was not run forward") }
      action = .maxPoolGradient(geometry, winners: winners, dy: dy, dx: dx, accumulate: accumulate)
    case .averagePool(let geometry, let countsPadding):
      action = .averagePoolGradient(geometry, countsPadding: countsPadding, dy: dy, dx: dx, accumulate: accumulate)
    case .adaptiveAveragePool:
      action = .adaptiveAveragePoolGradient(dy: dy, dx: dx, accumulate: accumulate)
    case .localResponseNorm(let size, let alpha, let beta, let k):
      action = .localResponseNormGradient(
        LocalResponseNormConstants(size: size, alpha: alpha, beta: beta, k: k),
        x: placement.region(of: flow.layers[index].inputs[0]), dy: dy, dx: dx, accumulate: accumulate)
    case .convolution, .batchNorm, .relu, .dropout, .concatenation, .loss:
      fatalError("\(operation.name) is no pool")
    }
    append(operation.name, action)
  }

  /// One name for convolutions that are one step: what they share, then the rest of each.
  static func name(of members: [FusedLayer]) -> String {
    let names = members.map(\.operation.name)
    guard names.count > 1, let first = names.first else { return names[0] }
    let common = names.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
    let shared = common.lastIndex(of: ".").map { common[...$0] } ?? ""
    return shared + names.map { $0.dropFirst(shared.count) }.joined(separator: "+")
  }
}

extension String {
  /// The characters that both begin with.
  fileprivate func commonPrefix(with other: String) -> String {
    String(zip(self, other).prefix { $0 == $1 }.map(\.0))
  }
}
