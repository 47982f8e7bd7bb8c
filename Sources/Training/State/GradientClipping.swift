import Lockstep

/// Clipping of the mean gradient by its L2 norm over all trained parameters.
///
/// A gradient whose norm is above the limit c is multiplied by c / (norm + 1e-6): computed in Double and rounded to Float
/// once. It is clipped after the sum over the whole batch and before weight decay is added to it.
///
/// - Source: Pascanu, Mikolov and Bengio 2013; `torch.nn.utils.clip_grad_norm_` for the 1e-6.
struct GradientClipping {
  /// The largest norm that is left as it is.
  let limit: Double

  /// The clipping of a run; nil where gradients may have any norm.
  init?(_ configuration: RunConfiguration) {
    guard let limit = configuration.clipNorm else { return nil }
    self.limit = limit
  }

  /// What a mean gradient of this norm is multiplied by.
  func scale(norm: Double) -> Float { Float(min(1, limit / (norm + 1e-6))) }
}
