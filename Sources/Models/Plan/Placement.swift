import Compute

/// Which slot each tensor of a network and each gradient lies in.
///
/// The parts of a concatenation lie in the concatenation, so that none is ever executed, and neither is the splitting of
/// its gradient. A layer that can work in place has one region for what goes in and what comes out.
struct Placement {
  /// The slots, without their offsets and lifetimes.
  private(set) var slots: [Slot] = []
  private var values: [Region?]
  private var gradients: [Region?]
  private let maxBatch: Int

  init(layers: [FusedLayer], input: Value, valueCount: Int, mode: Plan.Mode, maxBatch: Int) {
    self.maxBatch = maxBatch
    values = Array(repeating: nil, count: valueCount)
    gradients = Array(repeating: nil, count: valueCount)

    var consumers = [Int](repeating: 0, count: valueCount)
    var producers = [FusedLayer?](repeating: nil, count: valueCount)
    for layer in layers {
      for value in layer.inputs { consumers[value.index] += 1 }
      if let output = layer.output { producers[output.index] = layer }
    }

    // From the last layer to the first: what comes out decides where what goes in may lie.
    for layer in layers.reversed() {
      guard let output = layer.output else { continue }
      let region = values[output.index] ?? newRegion(output.shape)
      values[output.index] = region
      if layer.operation.kind == .concatenation {
        Self.slice(region, into: layer.inputs, &values, layer.operation.name)
      } else if Self.worksInPlace(layer, mode, producers[layer.inputs[0].index], consumers[layer.inputs[0].index]) {
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
          consumers[layer.inputs[0].index] == 1,
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
  private static func worksInPlace(
    _ layer: FusedLayer, _ mode: Plan.Mode, _ producer: FusedLayer?, _ consumers: Int
  ) -> Bool {
    guard let producer, consumers == 1 else { return false }
    switch layer.operation.kind {
    case .relu, .dropout: return mode == .evaluation || !producer.needsOutput
    case .batchNorm: return mode == .evaluation
    case .convolution, .maxPool, .averagePool, .adaptiveAveragePool, .localResponseNorm, .concatenation, .loss:
      return false
    }
  }
}
