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

  /// A convolution of more than one tap, or a linear layer, and where its weights are.
  struct ConvolutionLayer: Sendable {
    let name: String
    let convolution: Convolution
    /// Places in the flat vector.
    let weight: Int
    let bias: Int?
    /// The places of their gradients; nil where they are frozen.
    let gradient: Int?
    let trainedBias: Int?
    let packed: Weights
    /// The bias padded to whole panels.
    let paddedBias: Int?
    /// The batch norm that takes the moments of what it writes, among the plan's.
    let batchNorm: Int?
  }

  /// Where a layer's weights are in the order that its kernels want.
  enum Weights: Sendable {
    /// Packed when a version is loaded, at a place of their own: in evaluation, where a version lasts.
    case packed(Int)
    /// Packed before each pass, at a place that all layers share and that stays in the cache: in training, where packed
    /// weights of a version would be written to memory and read from it only once or twice.
    case packedInEachPass
    /// In the flat vector: in training, for kernels that read them there.
    case asTheyAre
  }

  /// 1×1 convolutions that read the same tensor, as one matrix product, and where their weights are.
  struct ProductLayer: Sendable {
    /// One of the convolutions.
    struct Part: Sendable {
      let name: String
      let outputChannels: Int
      /// Place in the flat vector.
      let bias: Int?
      /// The place of its gradient; nil where it is frozen.
      let trainedBias: Int?
      /// Place in memory of the bias, padded to whole panels; zeros if there is none.
      let paddedBias: Int
      /// The batch norm that takes the moments of what it writes, among the plan's.
      let batchNorm: Int?
    }

    let product: PointwiseConvolution
    let parts: [Part]
    /// The parts' weights in the flat vector.
    let weights: [Int]
    /// The places of the weights' gradients; nil where they are frozen.
    let gradients: [Int?]
    let packed: Weights
    /// The parts' biases, one after the other.
    let paddedBias: Int?
  }

  /// A batch norm, with a ReLU behind it or not, and where its vectors are, each padded to whole panels in memory.
  struct BatchNormLayer: Sendable {
    let name: String
    let batchNorm: BatchNorm
    let relu: Bool
    /// Its place among the model's batch norms.
    let index: Int
    let channels: Int
    /// Pixels of a sample.
    let area: Int
    /// Whether it normalises with its running statistics in training, too.
    let isFrozen: Bool
    /// Places in the flat vector.
    let scale: Int
    let shift: Int
    /// The places of their gradients; nil where they are frozen.
    let trainedScale: Int?
    let trainedShift: Int?
    /// Place in memory for gradients that nobody wants.
    let discarded: Int
    /// Places in memory.
    let paddedScale: Int
    let paddedShift: Int
    /// 1/√(variance + ε) of the last batch.
    let inverse: Int
    /// Running mean and variance, in evaluation and where it is frozen.
    let runningMean: Int
    let runningVariance: Int
    /// The vectors of the normalisation, of how many panels they are, and which of these is the layer's first.
    let vectors: Int
    let vectorPanels: Int
    let firstPanel: Int
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
  let products: [ProductLayer]
  let batchNorms: [BatchNormLayer]
  let slots: [Slot]
  let scratch: Int
  let moments: Int
  /// Where weights are packed for a pass.
  let filters: Int
  let images: Region
  /// How the images lie in memory, as the first layer reads them; nil if in panels.
  let imageLayout: ImageLayout?
  let logits: Region
  let modelName: String
}

extension Plan: CustomStringConvertible {
  /// The plan as a table: step, layer, operation and method, shapes, bytes and multiply-accumulates for one sample.
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
      let operation = step.method.isEmpty ? step.operation : "\(step.operation) (\(step.method))"
      var line = "\(index) \(step.name): \(operation) \(shapes.joined(separator: " "))"
      line += ", \(step.bytesPerSample) bytes"
      if step.multiplyAccumulates > 0 { line += ", \(step.multiplyAccumulates) multiply-accumulates" }
      if let prefix = step.finishedPrefix { line += ", gradient finished to \(prefix)" }
      lines.append(line)
    }
    return lines.joined(separator: "\n")
  }
}
