import Lockstep

/// RMSProp in TensorFlow's form, with which Inception v3 was trained.
///
/// With g the mean gradient, scaled, w a parameter, s the mean square (**1** at the start) and m its momentum (0 at the
/// start):
///
///     d = g + wd·w     s' = ρ·s + (1 − ρ)·d²     m' = momentum·m + lr·d / √(s' + ε)     w' = w − m'
///
/// Each is rounded as written here: d = fma(wd, w, g), s' = fma((1 − ρ)·d, d, ρ·s),
/// m' = fma(momentum, m, lr·d / √(s' + ε)), w' = w − m'. The momentum holds the learning rates of the past.
///
/// - Source: `tf.train.RMSPropOptimizer` of TensorFlow 1 (`training_ops`, ApplyRMSProp), not centered; Szegedy et al. 2015,
///   section 8, for its use (ρ 0.9, ε 1.0). The weight decay, there a term of the loss, is the same in the gradient
///   where nothing is clipped; a clipped norm has it in it there, and here only the gradient of the loss.
public struct RMSPropTensorFlow: Optimizer {
  public static let kind = OptimizerKind.rmspropTensorFlow

  /// How much of the mean square is kept from step to step: ρ.
  public let meanSquareDecay: Float
  /// The share of a new square: 1 − ρ.
  public let share: Float
  /// What is added under the root.
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

  /// TensorFlow's names; without momentum the mean square is all there is.
  public var stateNames: [String] { momentum > 0 ? ["rms", "momentum"] : ["rms"] }

  public func initialValue(ofState index: Int) -> Float { index == 0 ? 1 : 0 }

  public func update(_ range: ParameterUpdate) {
    let n = Float(range.sampleCount), scale = range.gradientScale
    let rate = range.learningRate, decay = range.decays ? weightDecay : 0
    let (g, w, new) = (range.gradientSum, range.parameters, range.newParameters)
    let (s, newS) = (range.state[0], range.newState[0])
    guard momentum > 0 else {
      for i in 0..<range.count {
        let d = (g[i] / n * scale).addingProduct(decay, w[i])
        let square = (meanSquareDecay * s[i]).addingProduct(share * d, d)
        newS[i] = square
        new[i] = w[i] - rate * d / (square + epsilon).squareRoot()
      }
      return
    }
    let (m, newM) = (range.state[1], range.newState[1])
    for i in 0..<range.count {
      let d = (g[i] / n * scale).addingProduct(decay, w[i])
      let square = (meanSquareDecay * s[i]).addingProduct(share * d, d)
      let velocity = (rate * d / (square + epsilon).squareRoot()).addingProduct(momentum, m[i])
      newS[i] = square
      newM[i] = velocity
      new[i] = w[i] - velocity
    }
  }
}
