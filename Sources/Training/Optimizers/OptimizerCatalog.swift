import Lockstep

/// The optimizers that a run can use: one line each.
public enum OptimizerCatalog {
  /// All of them.
  public static let all: [any Optimizer.Type] = [
    SGD.self,
    RMSProp.self,
    RMSPropTensorFlow.self,
    LARS.self,
  ]

  /// The optimizer that a configuration names.
  public static func optimizer(for configuration: RunConfiguration) -> any Optimizer {
    for optimizer in all where optimizer.kind == configuration.optimizer { return optimizer.init(configuration) }
    preconditionFailure("the optimizer \(configuration.optimizer.rawValue) has no line in the catalog")
  }
}
