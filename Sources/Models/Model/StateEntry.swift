/// One tensor of a model's state_dict: what PyTorch calls it, its shape, and where its values are kept.
public struct StateEntry: Hashable, Sendable {
  /// What a tensor is for.
  public enum Role: Hashable, Sendable {
    /// Learnt. `flatOffset` is its place in the flat vector; `decays` is false for batch norm's parameters and for
    /// biases, where these are to be spared weight decay.
    case parameter(flatOffset: Int, decays: Bool)
    /// A batch norm's running mean, at this place in the buffers.
    case runningMean(offset: Int)
    /// A batch norm's running variance, at this place in the buffers.
    case runningVariance(offset: Int)
    /// A batch norm's `num_batches_tracked`, a 64-bit integer.
    case batchCount
  }

  /// The key.
  public let key: String
  /// The shape: OIHW for convolutions, [outputs, inputs] for linear layers, empty for a scalar.
  public let shape: [Int]
  /// What it is for, and where it lies.
  public let role: Role
  /// `main`, `aux1` or `aux2`: the part of the network that it belongs to.
  public let group: String
  /// How its values begin.
  public let initialization: Initialization
  /// Whether training leaves it as it is.
  public let isFrozen: Bool

  /// Elements.
  public var count: Int { shape.reduce(1, *) }
}

/// A batch norm's place in the buffers and its constants.
public struct BatchNormEntry: Hashable, Sendable {
  /// The prefix of its keys.
  public let prefix: String
  /// Channels.
  public let channels: Int
  /// Where its running means begin in the buffers.
  public let meanOffset: Int
  /// Where its running variances begin in the buffers.
  public let varianceOffset: Int
  /// The weight of a new value in the running statistics.
  public let momentum: Double
  /// What is added to the variance.
  public let epsilon: Double
  /// Whether training normalises with the running statistics and leaves them as they are.
  public let isFrozen: Bool
}
