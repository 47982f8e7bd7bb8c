import Compute

/// Which slot each tensor of a network and each gradient lies in.
///
/// The parts of a concatenation lie in the concatenation, so that none is ever executed, and neither is the splitting of
/// its gradient. A layer that can work in place has one region for what goes in and what comes out, and so has a batch norm
/// whose output is not stored: the region holds its input.
struct Placement {
  /// The slots, without their offsets and lifetimes.
  private(set) var slots: [Slot] = []
  private var values: [Region?]
  private var gradients: [Region?]
  private let maxBatch: Int

  init(_ flow: Dataflow, input: Value, valueCount: Int, mode: Plan.Mode, maxBatch: Int) {
    self.maxBatch = maxBatch
    let layers = flow.layers
    values = Array(repeating: nil, count: valueCount)
    gradients = Array(repeating: nil, count: valueCount)

    // From the last layer to the first: what comes out decides where what goes in may lie.
    for (index, layer) in layers.enumerated().reversed() {
      guard let output = layer.output else { continue }
      let region = values[output.index] ?? newRegion(output.shape)
      values[output.index] = region
      if layer.operation.kind == .concatenation {
        Self.slice(region, into: layer.inputs, &values, layer.operation.name)
      } else if flow.isDeferred[index] || Self.worksInPlace(layer, mode, flow) {
        values[layer.inputs[0].index] = region
      }
    }
    if values[input.index] == nil { values[input.index] = newRegion(input.shape) }
    guard mode == .training else { return }

    for layer in layers.reversed() {
      guard let output = layer.output else { continue }
      let region = gradients[output.index] ?? newRegion(output.shape)
      gradients[output.index] = region
      if layer.operation.kind == .concatenation {
        Self.slice(region, into: layer.inputs, &gradients, layer.operation.name)
      } else if layer.hasGradientInPlace {
        precondition(
          flow.readerCount(of: layer.inputs[0]) == 1,
          "\(layer.operation.name): the input of a layer that works in place has no other reader")
        gradients[layer.inputs[0].index] = region
      }
    }
  }

  /// Where a value lies.
  func region(of value: Value) -> Region {
    guard let region = values[value.index] else { fatalError("a value that no layer of the plan touches") }
    return region
  }

  /// Where a value's gradient lies.
  func gradient(of value: Value) -> Region {
    guard let region = gradients[value.index] else { fatalError("a value that no layer of the plan touches") }
    return region
  }

  private mutating func newRegion(_ shape: TensorShape) -> Region {
    let pixels = maxBatch * shape.height * shape.width
    let count = PanelTensor.floatCount(
      batch: maxBatch, height: shape.height, width: shape.width, channels: shape.channels)
    slots.append(Slot(count: count, panelStride: PanelTensor.panelStride(pixels: pixels), first: .max, last: -1))
    return Region(slot: slots.count - 1, panel: 0, shape: shape)
  }

  /// Gives the parts of a concatenation their panels.
  private static func slice(_ whole: Region, into parts: [Value], _ regions: inout [Region?], _ name: String) {
    var panel = whole.panel
    for part in parts {
      precondition(regions[part.index] == nil, "\(name): a tensor is part of one concatenation only")
      regions[part.index] = Region(slot: whole.slot, panel: panel, shape: part.shape)
      panel += Region.panelCount(part.shape.channels)
    }
  }

  /// Whether a layer may overwrite its input: nobody else reads it, and backward does not want it as it was.
  private static func worksInPlace(_ layer: FusedLayer, _ mode: Plan.Mode, _ flow: Dataflow) -> Bool {
    let input = layer.inputs[0]
    // What others see normalised is not stored as they see it.
    guard let producer = flow.producer(of: input), flow.readerCount(of: input) == 1, !flow.isNormalized(input) else {
      return false
    }
    switch layer.operation.kind {
    case .relu, .dropout: return mode == .evaluation || !producer.needsOutput
    case .batchNorm: return mode == .evaluation
    case .convolution, .maxPool, .averagePool, .adaptiveAveragePool, .localResponseNorm, .concatenation, .loss:
      return false
    }
  }
}
