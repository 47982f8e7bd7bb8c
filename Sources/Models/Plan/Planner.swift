import Compute
import Lockstep

/// Turns a model into a plan: fuses layers, lists the steps forward and backward, and places every tensor in memory.
struct Planner {
  let model: Model
  let mode: Plan.Mode
  let maxBatch: Int
  let flow: Dataflow
  let placement: Placement
  let layers: LayerTable

  var steps: [Step] = []
  var slots: [Slot]
  /// For each slot, the panels of a gradient that already hold something to add to.
  private var written: [Set<Int>]
  /// Ranges of the flat gradient that have their final values, beyond the finished prefix.
  private var finishedRanges: [Int: Int] = [:]
  private var finishedPrefix = 0
  /// For each max pool, by its layer, the slot that tells which elements won.
  var winnerSlots: [Int: Int] = [:]

  /// The plan of a model.
  ///
  /// - Parameter threads: threads of the pool that will run it; only the scratch memory's size depends on it.
  static func plan(_ model: Model, mode: Plan.Mode, maxBatch: Int, threads: Int) -> Plan {
    var planner = Planner(model, mode: mode, maxBatch: maxBatch)
    return planner.plan(threads: threads)
  }

  private init(_ model: Model, mode: Plan.Mode, maxBatch: Int) {
    precondition(maxBatch > 0, "a batch has samples")
    precondition(mode == .evaluation || model.fitsTraining, "a model that was built for evaluation is not trained")
    (self.model, self.mode, self.maxBatch) = (model, mode, maxBatch)
    flow = Dataflow(layers: FusedLayer.layers(of: model.graph, mode: mode), valueCount: model.graph.valueCount)
    placement = Placement(
      flow, input: model.graph.input, valueCount: model.graph.valueCount, mode: mode, maxBatch: maxBatch)
    slots = placement.slots
    written = Array(repeating: [], count: slots.count)
    layers = LayerTable(model: model, mode: mode, flow: flow, placement: placement, slots: &slots)
  }

  private mutating func plan(threads: Int) -> Plan {
    let images = placement.region(of: model.graph.input)
    if let layout = layers.imageLayout {
      let count = Images.floatCount(
        batch: maxBatch, height: images.shape.height, width: images.shape.width, channels: images.shape.channels,
        layout: layout)
      slots[images.slot] = Slot(
        count: roundedUp(count), panelStride: roundedUp(count), first: .max, last: -1)
    }
    append("images", .images(into: images))
    for index in flow.layers.indices { appendForward(index) }
    if mode == .training {
      for index in flow.layers.indices.reversed() { appendBackward(index) }
      precondition(finishedPrefix == model.flat.count, "backward finishes every parameter's gradient")
    }

    guard let logitsValue = model.graph.logits(of: .main) else { fatalError("a network has a main head") }
    let logits = placement.region(of: evaluated(logitsValue))
    if mode == .evaluation { touch(logits.slot, steps.count - 1) }

    let scratch = layers.permanent
    let lossCount = softmaxCrossEntropyScratchCount(batch: maxBatch)
    // Both, for a batch norm's gradient may be made together with that of the pool behind it.
    let scratchCount =
      max(layers.scratchCount(maxBatch: maxBatch, threads: threads), lossCount)
      + (flow.layers.map { $0.poolScratchCount(threads: threads) }.max() ?? 0)
    let moments = scratch + roundedUp(scratchCount)
    let filters = moments + roundedUp(layers.momentCount(maxBatch: maxBatch))
    let permanent = filters + roundedUp(layers.filterCount)
    let floatCount = SlotAllocator.place(&slots, from: permanent)
    return Plan(
      mode: mode, maxBatch: maxBatch, steps: steps, floatCount: floatCount, permanentFloatCount: permanent,
      convolutions: layers.convolutions, products: layers.products, batchNorms: layers.batchNorms, slots: slots,
      scratch: scratch, moments: moments, filters: filters, images: images, imageLayout: layers.imageLayout,
      logits: logits, modelName: model.definition.name)
  }

  /// The value that stands for another one in this plan; they differ where a dropout was left out.
  private func evaluated(_ value: Value) -> Value {
    mode == .training ? value : flow.layers.last?.output ?? value
  }
}

// MARK: - Building blocks of the list

extension Planner {
  /// Floats up to the next 64-byte boundary.
  func roundedUp(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  /// A value as its readers see it.
  func operand(_ value: Value) -> Operand {
    Operand(region: placement.region(of: value), isNormalized: flow.isNormalized(value))
  }

  private mutating func touch(_ slot: Int, _ step: Int) {
    slots[slot].first = min(slots[slot].first, step)
    slots[slot].last = max(slots[slot].last, step)
  }

  /// Adds a step; `finished` are the flat ranges whose gradient it completes.
  mutating func append(
    _ name: String, _ action: Action, operation: String? = nil, method: String = "", multiplyAccumulates: Int = 0,
    finished ranges: [Range<Int>] = []
  ) {
    for region in action.regions { touch(region.slot, steps.count) }
    if let winners = action.winners { touch(winners, steps.count) }
    let prefix = finish(ranges)
    steps.append(
      Step(
        name: name, operation: operation ?? action.name, method: method, multiplyAccumulates: multiplyAccumulates,
        action: action, finishedPrefix: prefix,
        bytesPerSample: bytes(action)))
  }

  /// Bytes that an action reads and writes for one sample.
  private func bytes(_ action: Action) -> Int {
    let images = placement.region(of: model.graph.input), size = MemoryLayout<Float>.stride
    func floats(_ region: Region) -> Int {
      let shape = region.shape
      if region == images, let layout = layers.imageLayout {
        return Images.floatCount(
          batch: 1, height: shape.height, width: shape.width, channels: shape.channels, layout: layout)
      }
      return region.panels.count * 16 * shape.height * shape.width
    }
    let tensors = (action.regions + action.updated).reduce(0) { $0 + floats($1) } * size
    switch action {
    // What the caller has.
    case .images(let x): return tensors + x.shape.channels * x.shape.height * x.shape.width * size
    case .maxPool(let geometry, x: let x, _, .some):
      return tensors + winnerCount(geometry, x.region.shape, 1) * size
    case .maxPoolGradient(let geometry, _, _, dx: let dx, _),
      .maxPoolAndBatchNormGradients(let geometry, _, _, _, _, _, dy: let dx):
      return tensors + winnerCount(geometry, dx.shape, 1) * size
    default: return tensors
    }
  }

  /// Notes that ranges of the flat gradient have their final values.
  ///
  /// - Returns: the finished prefix if it became longer.
  private mutating func finish(_ ranges: [Range<Int>]) -> Int? {
    for range in ranges { finishedRanges[range.lowerBound] = range.upperBound }
    let before = finishedPrefix
    while let end = finishedRanges.removeValue(forKey: finishedPrefix) { finishedPrefix = end }
    return finishedPrefix > before ? finishedPrefix : nil
  }

  /// Adds a slot that no layer's tensor lies in.
  mutating func addSlot(floatCount: Int) -> Int {
    slots.append(Slot(count: roundedUp(floatCount), panelStride: roundedUp(floatCount), first: .max, last: -1))
    written.append([])
    return slots.count - 1
  }

  /// Takes a gradient's region for writing.
  ///
  /// - Returns: whether something is there to add to.
  mutating func claim(_ region: Region, _ name: String) -> Bool {
    let before = written[region.slot].intersection(region.panels).count
    precondition(
      before == 0 || before == region.panels.count,
      "\(name): of its input's gradient, either nothing or everything is there before")
    written[region.slot].formUnion(region.panels)
    return before > 0
  }

  /// Whether a whole gradient was written by the steps so far.
  func isWritten(_ region: Region) -> Bool { region.panels.allSatisfy(written[region.slot].contains) }
}
