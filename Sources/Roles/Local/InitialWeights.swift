import Models
import Training

/// `trainer init`: writes the weights that a run with the same model, classes, width and seed starts from.
public func writeInitialWeights(
  model name: String, classes: Int, imageSize: Int?, width: Double, seed: UInt64, to path: String
) throws(Failure) {
  guard (1...1_000_000).contains(classes) else {
    throw Failure(.usage, "--classes: \(classes) is not between 1 and 1,000,000")
  }
  try failing {
    let definition = try ModelCatalog.definition(named: name)
    let model = try Model(
      definition, classes: classes, imageSize: imageSize ?? definition.defaultImageSize, width: width)
    try Checkpoint.writeParameters(
      StateSnapshot(initialStateOf: model, seed: seed), of: model, metadata: CheckpointMetadata(initialStateOf: model),
      to: path)
  }
}
