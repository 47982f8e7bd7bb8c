import Lockstep

/// Stochastic gradient descent with momentum, in PyTorch's form.
///
/// With g the gradient's sum divided by the number of samples and scaled, w a parameter and b its momentum (zero at the
/// start):
///
///     d = g + wd·w          b' = momentum·b + d          w' = w − lr·b'
///
/// and with Nesterov's variant w' = w − lr·(d + momentum·b'). Each line is one correctly rounded division or product, or
/// one fused multiply-add, in Float: d = fma(wd, w, g), b' = fma(momentum, b, d), w' = fma(−lr, b', w). The first step's
/// b' = d of PyTorch needs no case of its own, for momentum·0 + d is d.
///
/// - Source: `torch.optim.SGD` of PyTorch 2 (dampening 0); Sutskever et al. 2013 for the momentum and Nesterov's variant.
///   Differs from Caffe's form, whose velocity holds the learning rates of the past.
public struct SGD: Optimizer {
  public static let kind = OptimizerKind.sgd

  /// How much of the momentum is kept from step to step.
  public let momentum: Float
  /// Whether the update looks ahead by one momentum step.
  public let nesterov: Bool
  /// The factor of the parameters in the gradient, where they decay.
  public let weightDecay: Float

  /// Names the settings.
  public init(momentum: Float, nesterov: Bool = false, weightDecay: Float = 0) {
    (self.momentum, self.nesterov, self.weightDecay) = (momentum, nesterov, weightDecay)
  }

  public init(_ configuration: RunConfiguration) {
    self.init(
      momentum: Float(configuration.momentum), nesterov: configuration.nesterov,
      weightDecay: Float(configuration.weightDecay))
  }

  /// Without momentum there is nothing to keep.
  public var stateNames: [String] { momentum > 0 ? ["momentum"] : [] }

  public func update(_ range: ParameterUpdate) {
    let n = Float(range.sampleCount), scale = range.gradientScale
    let rate = -range.learningRate, decay = range.decays ? weightDecay : 0
    let (g, w, new) = (range.gradientSum, range.parameters, range.newParameters)
    guard momentum > 0 else {
      for i in 0..<range.count {
        let d = (g[i] / n * scale).addingProduct(decay, w[i])
        new[i] = w[i].addingProduct(rate, d)
      }
      return
    }
    let (b, newB) = (range.state[0], range.newState[0])
    if nesterov {
      for i in 0..<range.count {
        let d = (g[i] / n * scale).addingProduct(decay, w[i])
        let velocity = d.addingProduct(momentum, b[i])
        newB[i] = velocity
        new[i] = w[i].addingProduct(rate, d.addingProduct(momentum, velocity))
      }
    } else {
      for i in 0..<range.count {
        let d = (g[i] / n * scale).addingProduct(decay, w[i])
        let velocity = d.addingProduct(momentum, b[i])
        newB[i] = velocity
        new[i] = w[i].addingProduct(rate, velocity)
      }
    }
  }
}
