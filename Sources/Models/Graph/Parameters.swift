/// How the first value of each element of a tensor is found.
public enum Initialization: Hashable, Sendable {
  /// Every element the same.
  case constant(Float)
  /// Uniform in [−bound, bound).
  case uniform(bound: Double)
  /// Gaussian around zero.
  case normal(deviation: Double)
}

/// A rule that gives each layer's tensor its initialization.
public enum Initializer: Hashable, Sendable {
  /// Uniform in ±1/√fanIn: PyTorch's default for the weights and biases of convolutions and linear layers.
  case uniformFanIn
  /// Uniform in ±√(3/fanIn): Caffe's `xavier` filler.
  case xavier
  /// Gaussian with this deviation.
  case normal(Double)
  /// Every element the same.
  case constant(Float)

  /// The rule applied to a layer in which each output sums `fanIn` products.
  func initialization(fanIn: Int) -> Initialization {
    switch self {
    case .uniformFanIn: .uniform(bound: 1 / Double(fanIn).squareRoot())
    case .xavier: .uniform(bound: (3 / Double(fanIn)).squareRoot())
    case .normal(let deviation): .normal(deviation: deviation)
    case .constant(let value): .constant(value)
    }
  }
}

/// A tensor of the state_dict as a layer declares it, before it has a place in any vector.
struct TensorDeclaration: Sendable {
  enum Kind { case weight, bias, scale, shift, runningMean, runningVariance, batchCount }

  let key: String
  let shape: [Int]
  let kind: Kind
  let head: Head
  let initialization: Initialization
}
