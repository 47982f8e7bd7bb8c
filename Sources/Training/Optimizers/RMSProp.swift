import Lockstep

/// RMSProp in PyTorch's form: a step for each parameter, divided by the root of its gradient's mean square.
///
/// With g the mean gradient, scaled, w a parameter, s the mean square (0 at the start) and m its momentum (0 at the start):
///
///     d = g + wd·w     s' = ρ·s + (1 − ρ)·d²     m' = momentum·m + d / (√s' + ε)     w' = w − lr·m'
///
/// and w' = w − lr·d / (√s' + ε) without momentum. Each is rounded as written here: d = fma(wd, w, g),
/// s' = fma((1 − ρ)·d, d, ρ·s), m' = fma(momentum, m, d / (√s' + ε)), w' = fma(−lr, m', w).
///
/// - Source: `torch.optim.RMSprop` of PyTorch 2 (not centered); Tieleman and Hinton 2012, lecture 6.5, for the rule.
///   Differs from TensorFlow's form (`RMSPropTensorFlow`) in ε, in where the mean square starts and in the rate's place.
public struct RMSProp: Optimizer {
  public static let kind = OptimizerKind.rmsprop

  /// How much of the mean square is kept from step to step: ρ, PyTorch's `alpha`.
  public let meanSquareDecay: Float
  /// The share of a new square: 1 − ρ.
  public let share: Float
  /// What is added to the root.
  public let epsilon: Float
  /// How much of the momentum is kept from step to step.
  public let momentum: Float
  /// The factor of the parameters in the gradient, where they decay.
  public let weightDecay: Float

  public init(_ configuration: RunConfiguration) {
    meanSquareDecay = Float(configuration.rmspropDecay)
    share = Float(1 - configuration.rmspropDecay)
    guard let epsilon = configuration.epsilon else { preconditionFailure("the configuration was validated") }
    self.epsilon = Float(epsilon)
    (momentum, weightDecay) = (Float(configuration.momentum), Float(configuration.weightDecay))
  }

  /// PyTorch's names; without momentum the mean square is all there is.
  public var stateNames: [String] { momentum > 0 ? ["square_avg", "momentum_buffer"] : ["square_avg"] }

  public func update(_ range: ParameterUpdate) {
    let n = Float(range.sampleCount), scale = range.gradientScale
    let rate = -range.learningRate, decay = range.decays ? weightDecay : 0
    let (g, w, new) = (range.gradientSum, range.parameters, range.newParameters)
    let (s, newS) = (range.state[0], range.newState[0])
    guard momentum > 0 else {
      for i in 0..<range.count {
        let d = (g[i] / n * scale).addingProduct(decay, w[i])
        let square = (meanSquareDecay * s[i]).addingProduct(share * d, d)
        newS[i] = square
        new[i] = w[i].addingProduct(rate, d / (square.squareRoot() + epsilon))
      }
      return
    }
    let (m, newM) = (range.state[1], range.newState[1])
    for i in 0..<range.count {
      let d = (g[i] / n * scale).addingProduct(decay, w[i])
      let square = (meanSquareDecay * s[i]).addingProduct(share * d, d)
      let velocity = (d / (square.squareRoot() + epsilon)).addingProduct(momentum, m[i])
      newS[i] = square
      newM[i] = velocity
      new[i] = w[i].addingProduct(rate, velocity)
    }
  }
}
