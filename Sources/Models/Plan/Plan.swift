import Compute

/// A network made ready to run: a list of steps, and the place of everything they touch in one piece of memory.
///
/// A plan is a value: it holds offsets, no pointers. One plan serves every batch up to its largest, in the same places.
public struct Plan: Sendable {
  /// What a plan is for.
  public enum Mode: Hashable, Sendable {
    /// Forward with the auxiliary heads, losses, and backward.
    case training
    /// Forward to the main head's logits, with running statistics.
    case evaluation
  }

  /// A convolution or linear layer and where its weights are.
  struct ConvolutionLayer: Sendable {
    let name: String
    let convolution: Convolution
    /// Places in the flat vector.
    let weight: Int
    let bias: Int?
    /// Places in memory: the weights as the kernels want them, and the bias padded to whole panels.
    let packed: Int
    let packedTransposed: Int?
    let paddedBias: Int?
  }

  /// A batch norm and where its vectors are, each padded to whole panels in memory.
  struct BatchNormLayer: Sendable {
    let name: String
    let batchNorm: BatchNorm
    /// Its place among the model's batch norms.
    let index: Int
    let channels: Int
    /// Places in the flat vector.
    let scale: Int
    let shift: Int
    /// Places in memory.
    let paddedScale: Int
    let paddedShift: Int
    /// The batch's mean and inverse deviation in training, the running mean and variance in evaluation.
    let first: Int
    let second: Int
  }

  /// What the plan is for.
  public let mode: Mode
  /// The largest batch.
  public let maxBatch: Int
  /// The steps, in order.
  public let steps: [Step]
  /// Floats of memory in all.
  public let floatCount: Int
  /// Floats that hold weights, saved statistics and scratch, which are alive all the time.
  public let permanentFloatCount: Int

  let convolutions: [ConvolutionLayer]
  let batchNorms: [BatchNormLayer]
  let slots: [Slot]
  let scratch: Int
  let images: Region
  let logits: Region
  let modelName: String
}

extension Plan: CustomStringConvertible {
  /// The plan as a table: step, layer, operation, shapes, bytes and multiply-accumulates for one sample.
  public var description: String {
    var lines = [
      "\(modelName), \(mode == .training ? "training" : "evaluation"), batches up to \(maxBatch): \(steps.count) steps, "
        + "\(floatCount * 4) bytes, of which \(permanentFloatCount * 4) for weights and scratch"
    ]
    for (index, step) in steps.enumerated() {
      let shapes = step.action.regions.map { region in
        let slot = slots[region.slot]
        return "\(region.shape)@\(slot.offset + region.panel * slot.panelStride)"
      }
      var line = "\(index) \(step.name): \(step.operation) \(shapes.joined(separator: " "))"
      line += ", \(step.bytesPerSample) bytes"
      if step.multiplyAccumulates > 0 { line += ", \(step.multiplyAccumulates) multiply-accumulates" }
      if let prefix = step.finishedPrefix { line += ", gradient finished to \(prefix)" }
      lines.append(line)
    }
    return lines.joined(separator: "\n")
  }
}
