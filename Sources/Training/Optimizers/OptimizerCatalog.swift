import Lockstep

/// The optimizers that a run can use: one line each.
public enum OptimizerCatalog {
  /// All of them; the first is the default.
  public static let all: [any Optimizer.Type] = [
    SGD.self
  ]

  /// The optimizer of a run. A configuration names none yet: every run uses the default.
  public static func optimizer(for configuration: RunConfiguration) -> any Optimizer {
    all[0].init(configuration)
  }
}
