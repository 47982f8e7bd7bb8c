import Compute

/// Where a tensor lies: a slot of the plan's memory, or some of its panels.
struct Region: Hashable, Sendable {
  let slot: Int
  /// The first of its panels in the slot.
  let panel: Int
  let shape: TensorShape

  var panels: Range<Int> { panel..<panel + Region.panelCount(shape.channels) }

  /// Panels of 16 channels that hold this many.
  static func panelCount(_ channels: Int) -> Int { (channels + 15) / 16 }
}

/// One operation of a plan.
public struct Step: Sendable {
  /// The layer's name.
  public let name: String
  /// Multiply-accumulates for one sample.
  public let multiplyAccumulates: Int
  /// What is done, and to which tensors.
  let action: Action
  /// The length of the prefix of the flat gradient that has its final values after this step, if the step made it longer.
  let finishedPrefix: Int?

  /// What is done, in words: the same for all steps of a kind.
  public var operation: String { action.name }

  /// Bytes of the tensors that one sample makes this step read or write, weights not counted.
  public var bytesPerSample: Int {
    action.regions.reduce(0) {
      $0 + Region.panelCount($1.shape.channels) * 16 * $1.shape.height * $1.shape.width * MemoryLayout<Float>.stride
    }
  }
}

/// What a step does. Indices are into the plan's convolutions and batch norms; a `d` marks a gradient.
enum Action: Sendable {
  case images(into: Region)
  case convolution(Int, x: Region, y: Region)
  case batchNorm(Int, y: Region, z: Region, relu: Bool)
  case batchNormEvaluation(Int, y: Region, z: Region, relu: Bool)
  case relu(x: Region, y: Region)
  case maxPool(PoolGeometry, x: Region, y: Region)
  case averagePool(PoolGeometry, countsPadding: Bool, x: Region, y: Region)
  case adaptiveAveragePool(x: Region, y: Region)
  case localResponseNorm(LocalResponseNormConstants, x: Region, y: Region)
  case dropout(probability: Double, layer: Int, x: Region, y: Region)
  case loss(Head, logits: Region, gradient: Region)

  case biasGradient(Int, dy: Region)
  case weightGradient(Int, x: Region, dy: Region)
  case inputGradient(Int, dy: Region, dx: Region, accumulate: Bool)
  case batchNormGradient(Int, y: Region, dz: Region, relu: Bool)
  case reluGradient(y: Region, dy: Region)
  case maxPoolGradient(PoolGeometry, x: Region, y: Region, dy: Region, dx: Region, accumulate: Bool)
  case averagePoolGradient(PoolGeometry, countsPadding: Bool, dy: Region, dx: Region, accumulate: Bool)
  case adaptiveAveragePoolGradient(dy: Region, dx: Region, accumulate: Bool)
  case localResponseNormGradient(
    LocalResponseNormConstants, x: Region, y: Region, dy: Region, dx: Region, accumulate: Bool)
  case dropoutGradient(probability: Double, layer: Int, dy: Region)

  /// Every tensor that the step reads or writes.
  var regions: [Region] {
    switch self {
    case .images(let x): [x]
    case .convolution(_, let x, let y), .batchNorm(_, let x, let y, _), .batchNormEvaluation(_, let x, let y, _),
      .relu(let x, let y), .maxPool(_, let x, let y), .averagePool(_, _, let x, let y),
      .adaptiveAveragePool(let x, let y), .localResponseNorm(_, let x, let y), .dropout(_, _, let x, let y),
      .loss(_, let x, let y), .weightGradient(_, let x, let y), .inputGradient(_, let x, let y, _),
      .batchNormGradient(_, let x, let y, _),
      .reluGradient(let x, let y), .averagePoolGradient(_, _, let x, let y, _),
      .adaptiveAveragePoolGradient(let x, let y, _):
      [x, y]
    case .maxPoolGradient(_, let x, let y, let dy, let dx, _),
      .localResponseNormGradient(_, let x, let y, let dy, let dx, _):
      [x, y, dy, dx]
    case .biasGradient(_, let dy), .dropoutGradient(_, _, let dy): [dy]
    }
  }

  /// The kind of step, in words.
  var name: String {
    switch self {
    case .images: "images"
    case .convolution: "convolution"
    case .batchNorm(_, _, _, let relu), .batchNormEvaluation(_, _, _, let relu):
      relu ? "batch norm, ReLU" : "batch norm"
    case .relu: "ReLU"
    case .maxPool: "max pool"
    case .averagePool, .adaptiveAveragePool: "average pool"
    case .localResponseNorm: "response norm"
    case .dropout: "dropout"
    case .loss: "loss"
    case .biasGradient: "bias gradient"
    case .weightGradient: "weight gradient"
    case .inputGradient: "input gradient"
    case .batchNormGradient(_, _, _, let relu): relu ? "batch norm, ReLU gradient" : "batch norm gradient"
    case .reluGradient: "ReLU gradient"
    case .maxPoolGradient: "max pool gradient"
    case .averagePoolGradient, .adaptiveAveragePoolGradient: "average pool gradient"
    case .localResponseNormGradient: "response norm gradient"
    case .dropoutGradient: "dropout gradient"
    }
  }
}

/// The constants of a normalisation across channels.
struct LocalResponseNormConstants: Hashable, Sendable {
  let size: Int
  let alpha: Double
  let beta: Double
  let k: Double
}
