import Datasets
import Interchange
import Lockstep
import Models

extension TrainedModel {
  /// Writes the network as it is at evaluation, without auxiliary heads and dropout, in the ONNX format.
  ///
  /// The input `input` is [N, 3, S, S] with S the image size: red, green, blue, normalised as the checkpoint says; where
  /// the weights want torchvision's `transform_input`, that is the first thing the network does. The output `logits` is
  /// [N, classes]. N is free.
  ///
  /// - Parameter foldsBatchNorms: whether batch norms become part of the convolutions before them: fewer operations, the
  ///   same results but for rounding.
  /// - Throws: `.cannotWrite`.
  public func writeONNX(foldsBatchNorms: Bool, to path: String) throws(InterchangeError) {
    let network = ONNXExport.network(of: self, foldsBatchNorms: foldsBatchNorms)
    try network.write(
      producer: ("trainer", trainerVersion), description: description, metadata: exportedMetadata, to: path)
  }

  private var description: String {
    let size = model.imageSize
    let pixels: String
    if let normalization = metadata.normalization ?? (metadata.transformsInput ? .imagenet : nil) {
      let (mean, deviation) = normalization.meanAndDeviation
      pixels = "(byte / 255 - mean) / std, mean \(mean), std \(deviation)"
    } else {
      pixels = "normalised as in training, which is not known"
    }
    return "\(model.definition.name), \(model.classes) classes. input: [N, 3, \(size), \(size)], RGB, \(pixels). "
      + "logits: [N, \(model.classes)], before the softmax."
  }

  /// What a program that shows pictures to the network may want to know. Not the run's configuration, which names files of
  /// the host it ran on.
  private var exportedMetadata: [String: String] {
    var strings = metadata.strings
    for key in ["format", "configuration", "trajectory_digest"] { strings[key] = nil }
    strings["image_size"] = String(model.imageSize)
    if let (mean, deviation) = metadata.normalization?.meanAndDeviation {
      strings["mean"] = JSONValue.array(mean.map { .number($0) }).description
      strings["std"] = JSONValue.array(deviation.map { .number($0) }).description
    }
    return strings
  }
}
