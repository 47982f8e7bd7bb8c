import Lockstep

/// Layer-wise adaptive rate scaling: SGD with momentum whose steps are proportional to the norm of the tensor that they
/// change.
///
/// With g the mean gradient of a tensor, scaled, w its parameters and b their momentum (0 at the start):
///
///     λ = η·‖w‖ / (‖g‖ + wd·‖w‖)     d = λ·(g + wd·w)     b' = momentum·b + d     w' = w − lr·b'
///
/// Tensors that do not decay (`--decay`) have λ = 1, and so have those of which a norm is 0: new biases could never leave
/// their place otherwise. Norms and λ are computed in Double, λ is rounded to Float once; d = λ·fma(wd, w, g), the rest as
/// in `SGD`.
///
/// - Source: You, Gitman and Ginsburg 2017, "Large batch training of convolutional networks", algorithm 1. Differs: the
///   learning rate is not in the momentum, as PyTorch's SGD differs from Caffe's; with a constant rate they are the same.
public struct LARS: Optimizer {
  public static let kind = OptimizerKind.lars

  /// The trust coefficient η.
  public let trust: Double
  /// How much of the momentum is kept from step to step.
  public let momentum: Float
  /// The factor of the parameters in the gradient, where they decay.
  public let weightDecay: Float

  public init(_ configuration: RunConfiguration) {
    trust = configuration.larsTrust
    (momentum, weightDecay) = (Float(configuration.momentum), Float(configuration.weightDecay))
  }

  /// Without momentum there is nothing to keep.
  public var stateNames: [String] { momentum > 0 ? ["momentum"] : [] }

  public var needsTensorNorms: Bool { true }

  /// λ of a tensor that decays.
  func ratio(_ norms: TensorNorms) -> Float {
    guard norms.parameters > 0, norms.gradient > 0 else { return 1 }
    return Float(trust * norms.parameters / (norms.gradient + Double(weightDecay) * norms.parameters))
  }

  public func update(_ range: ParameterUpdate) {
    guard let norms = range.norms else { preconditionFailure("the norms that LARS asks for are given") }
    let n = Float(range.sampleCount), scale = range.gradientScale
    let rate = -range.learningRate, decay = range.decays ? weightDecay : 0
    let ratio = range.decays ? ratio(norms) : 1
    let (g, w, new) = (range.gradientSum, range.parameters, range.newParameters)
    guard momentum > 0 else {
      for i in 0..<range.count {
        let d = ratio * (g[i] / n * scale).addingProduct(decay, w[i])
        new[i] = w[i].addingProduct(rate, d)
      }
      return
    }
    let (b, newB) = (range.state[0], range.newState[0])
    for i in 0..<range.count {
      let d = ratio * (g[i] / n * scale).addingProduct(decay, w[i])
      let velocity = d.addingProduct(momentum, b[i])
      newB[i] = velocity
      new[i] = w[i].addingProduct(rate, velocity)
    }
  }
}
