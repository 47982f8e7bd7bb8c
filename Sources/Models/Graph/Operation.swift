import Compute

/// One layer of a network.
public struct Operation: Sendable {
  /// What a layer computes, with everything it needs to know besides its inputs.
  public enum Kind: Hashable, Sendable {
    /// A convolution; a linear layer is one whose window is the whole of its input.
    case convolution(ConvolutionGeometry, bias: Bool)
    /// Batch normalisation over samples and pixels.
    case batchNorm(epsilon: Double, momentum: Double)
    /// max(x, 0).
    case relu
    /// The largest value of each window.
    case maxPool(PoolGeometry)
    /// The mean of each window; `countsPadding` as PyTorch's `count_include_pad`.
    case averagePool(PoolGeometry, countsPadding: Bool)
    /// The mean of each of `size` × `size` windows that cover the input.
    case adaptiveAveragePool(size: Int)
    /// Normalisation across neighbouring channels.
    case localResponseNorm(size: Int, alpha: Double, beta: Double, k: Double)
    /// Inverted dropout; `layer` addresses its random numbers.
    case dropout(probability: Double, layer: Int)
    /// Several tensors as one, channels after channels.
    case concatenation
    /// Softmax cross-entropy of a head's logits: no output.
    case loss(Head)
  }

  /// What it computes.
  public let kind: Kind
  /// The prefix of its keys in the state_dict, or a name of the same style for a layer without parameters.
  public let name: String
  /// What it reads.
  public let inputs: [Value]
  /// What it produces; nil for a loss.
  public let output: Value?
  /// The part of the network that it belongs to.
  public let head: Head
}

/// The classifiers of a network: the one that predicts, and those that only help to train it.
public enum Head: String, Hashable, Sendable, CaseIterable {
  /// The network's own classifier, and everything that it needs.
  case main
  /// The first auxiliary classifier (Szegedy et al. 2014, section 5).
  case aux1
  /// The second auxiliary classifier.
  case aux2
}
