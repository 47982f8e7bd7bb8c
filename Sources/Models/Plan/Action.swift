import Compute

/// What a step does. Indices are into the plan's convolutions, products and batch norms; a `d` marks a gradient.
enum Action: Sendable {
  case images(into: Region)
  case convolution(Int, x: Operand, y: Region)
  case product(Int, x: Operand, ys: [Region])
  case batchNorm(Int, y: Region, z: Region)
  case relu(x: Region, y: Region)
  /// If its output is to be normalised, it is what is stored of the pixels that won.
  case maxPool(PoolGeometry, x: Operand, y: Operand, winners: Int?)
  case averagePool(PoolGeometry, countsPadding: Bool, x: Operand, y: Region)
  case adaptiveAveragePool(x: Operand, y: Region)
  case localResponseNorm(LocalResponseNormConstants, x: Region, y: Region)
  case dropout(probability: Double, layer: Int, x: Region, y: Region)
  case loss(Head, logits: Region, gradient: Region)

  case biasGradient(flat: Int, dy: Region)
  case convolutionGradients(Int, x: Operand, dy: Region, dx: Region?, accumulate: Bool)
  case productGradients(Int, x: Operand, dys: [Region], dx: Region?, accumulate: Bool)
  case batchNormGradient(Int, y: Region, dz: Region)
  case reluGradient(y: Region, dy: Region)
  case maxPoolGradient(PoolGeometry, winners: Int, dy: Region, dx: Region, accumulate: Bool)
  /// The gradients of a max pool that kept what is stored, of which the input's is not stored, and of the batch norm before
  /// it.
  case maxPoolAndBatchNormGradients(
    PoolGeometry, winners: Int, pooled: Region, dpooled: Region, batchNorm: Int, y: Region, dy: Region)
  case averagePoolGradient(PoolGeometry, countsPadding: Bool, dy: Region, dx: Region, accumulate: Bool)
  case adaptiveAveragePoolGradient(dy: Region, dx: Region, accumulate: Bool)
  case localResponseNormGradient(LocalResponseNormConstants, x: Region, dy: Region, dx: Region, accumulate: Bool)
  case dropoutGradient(probability: Double, layer: Int, dy: Region)

  /// Every tensor that the step reads or writes.
  var regions: [Region] {
    switch self {
    case .images(let x): [x]
    case .maxPool(_, let x, let y, _): [x.region, y.region]
    case .convolution(_, let x, let y), .averagePool(_, _, let x, let y),
      .adaptiveAveragePool(let x, let y):
      [x.region, y]
    case .product(_, let x, let ys): [x.region] + ys
    case .batchNorm(_, let x, let y), .relu(let x, let y), .localResponseNorm(_, let x, let y),
      .dropout(_, _, let x, let y), .loss(_, let x, let y), .batchNormGradient(_, let x, let y),
      .reluGradient(let x, let y), .maxPoolGradient(_, _, let x, let y, _), .averagePoolGradient(_, _, let x, let y, _),
      .adaptiveAveragePoolGradient(let x, let y, _):
      [x, y]
    case .convolutionGradients(_, let x, let dy, let dx, _): [x.region, dy] + (dx.map { [$0] } ?? [])
    case .productGradients(_, let x, let dys, let dx, _): [x.region] + dys + (dx.map { [$0] } ?? [])
    case .localResponseNormGradient(_, let x, let dy, let dx, _): [x, dy, dx]
    case .maxPoolAndBatchNormGradients(_, _, let pooled, let dpooled, _, let y, let dy): [pooled, dpooled, y, dy]
    case .biasGradient(_, let dy), .dropoutGradient(_, _, let dy): [dy]
    }
  }

  /// The tensors that the step writes over what it has read of them: their bytes move twice.
  var updated: [Region] {
    switch self {
    case .batchNormGradient(_, _, let dz): [dz]
    case .reluGradient(_, let dy), .dropoutGradient(_, _, let dy): [dy]
    case .convolutionGradients(_, _, _, let dx, true), .productGradients(_, _, _, let dx, true): dx.map { [$0] } ?? []
    case .maxPoolGradient(_, _, _, let dx, true), .averagePoolGradient(_, _, _, let dx, true),
      .adaptiveAveragePoolGradient(_, let dx, true), .localResponseNormGradient(_, _, _, let dx, true):
      [dx]
    default: []
    }
  }

  /// The slot that tells which elements of a pool's windows won, if the step writes or reads one.
  var winners: Int? {
    switch self {
    case .maxPool(_, _, _, let winners): winners
    case .maxPoolGradient(_, let winners, _, _, _),
      .maxPoolAndBatchNormGradients(_, let winners, _, _, _, _, _):
      winners
    default: nil
    }
  }

  /// The kind of step, in words.
  var name: String {
    switch self {
    case .images: "images"
    case .convolution, .product: "convolution"
    case .batchNorm: "batch norm"
    case .relu: "ReLU"
    case .maxPool: "max pool"
    case .averagePool, .adaptiveAveragePool: "average pool"
    case .localResponseNorm: "response norm"
    case .dropout: "dropout"
    case .loss: "loss"
    case .biasGradient: "bias gradient"
    case .convolutionGradients, .productGradients: "convolution gradients"
    case .batchNormGradient: "batch norm gradient"
    case .reluGradient: "ReLU gradient"
    case .maxPoolGradient: "max pool gradient"
    case .maxPoolAndBatchNormGradients: "max pool and batch norm gradients"
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
