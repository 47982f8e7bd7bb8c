/// A model that cannot be built as asked.
public enum ModelError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A layer's window does not fit into what the layers before it leave of the image. `toTrain` and `toEvaluate` are the
  /// smallest image sizes that do for either.
  case imageTooSmall(
    model: String, imageSize: Int, layer: String, input: TensorShape, toTrain: Int, toEvaluate: Int)
  /// Parameters are to be frozen whose keys begin so, and there are none.
  case nothingToFreeze(model: String, prefix: String)
  /// Every parameter is to be frozen.
  case nothingToTrain(model: String)
  /// A number that is not one a model can have.
  case invalidArgument(model: String, name: String, value: String, expected: String)

  /// What happened and what to do.
  public var description: String {
    switch self {
    case .imageTooSmall(let model, let imageSize, let layer, let input, let toTrain, let toEvaluate):
      "\(model): images of \(imageSize)×\(imageSize) pixels are too small: layer \(layer) is left with \(input) values, "
        + "less than its window; use images of at least \(toTrain)×\(toTrain) pixels"
        + (toEvaluate < toTrain ? " (\(toEvaluate)×\(toEvaluate) without the auxiliary heads, in evaluation)" : "")
    case .nothingToFreeze(let model, let prefix):
      "\(model): no parameter's name begins with '\(prefix)', so there is nothing to freeze; names are those of its "
        + "checkpoints, and parts of a name are separated by dots"
    case .nothingToTrain(let model):
      "\(model): every parameter is frozen, so there is nothing to train; freeze fewer"
    case .invalidArgument(let model, let name, let value, let expected):
      "\(model): \(name) is \(value), which is not \(expected)"
    }
  }
}

/// A model's name that the catalog does not have.
public struct UnknownModel: Error, Hashable, Sendable, CustomStringConvertible {
  /// The name that was asked for.
  public let name: String

  /// What happened and which names there are.
  public var description: String {
    "there is no model '\(name)'; choose one of \(ModelCatalog.all.map(\.name).joined(separator: ", "))"
  }
}
