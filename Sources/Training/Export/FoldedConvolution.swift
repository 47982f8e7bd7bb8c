/// A convolution that also does what the batch norm behind it does at evaluation.
///
/// With y = γ (w·x + b − μ) / √(σ² + ε) + β, channel by channel: w' = w · γ/√(σ² + ε), b' = β + (b − μ) · γ/√(σ² + ε), each
/// computed in Double and rounded once.
struct FoldedConvolution {
  /// [outputs, …], as the convolution's.
  let weights: [Float]
  /// [outputs].
  let biases: [Float]

  /// - Parameters:
  ///   - weights: [outputs, …].
  ///   - biases: nil where the convolution has none.
  ///   - scale: γ of each output.
  ///   - shift: β.
  ///   - mean: the running mean μ.
  ///   - variance: the running variance σ².
  init(
    weights: [Float], biases: [Float]?, scale: [Float], shift: [Float], mean: [Float], variance: [Float],
    epsilon: Double
  ) {
    let outputs = scale.count
    precondition(
      weights.count % outputs == 0 && (biases?.count ?? outputs) == outputs, "a channel of each for an output")
    let factors = scale.indices.map { Double(scale[$0]) / (Double(variance[$0]) + epsilon).squareRoot() }
    let size = weights.count / outputs
    self.weights = weights.indices.map { Float(Double(weights[$0]) * factors[$0 / size]) }
    self.biases = scale.indices.map {
      Float(Double(shift[$0]) + (Double(biases?[$0] ?? 0) - Double(mean[$0])) * factors[$0])
    }
  }
}
