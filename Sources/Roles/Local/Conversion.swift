import Foundation
import Interchange
import Lockstep
import Models
import Training

/// What `trainer convert` is asked to do besides.
public struct ConversionOptions: Sendable {
  /// The model, where the file does not say it.
  var model: String?
  /// Height and width of the input, where it is not to be the file's or the model's.
  var imageSize: Int?
  /// Whether the weights want torchvision's `transform_input`; nil: as the file says.
  var transformInput: Bool?
  /// A file of the classes' names.
  var labels: String?
  /// Whether batch norms become part of the convolutions before them.
  var foldBatchNorm: Bool
  /// Whether auxiliary heads are left out.
  var withoutAuxiliary: Bool

  /// The options as they were given.
  public init(
    model: String? = nil, imageSize: Int? = nil, transformInput: Bool? = nil, labels: String? = nil,
    foldBatchNorm: Bool = false, withoutAuxiliary: Bool = false
  ) {
    (self.model, self.imageSize, self.transformInput, self.labels) = (model, imageSize, transformInput, labels)
    (self.foldBatchNorm, self.withoutAuxiliary) = (foldBatchNorm, withoutAuxiliary)
  }
}

/// `trainer convert`: reads a trained model from a file of this program or of PyTorch and writes it for other programs.
///
/// - Parameters:
///   - source: a checkpoint, a run's folder, or a file of `torch.save` or safetensors.
///   - target: the file to write; its name says the format.
public func convertModel(_ source: String, to target: String, _ options: ConversionOptions) throws(Failure) {
  let format = try TargetFormat(target)
  if options.foldBatchNorm, format != .onnx {
    throw Failure(
      .usage,
      "--fold-batch-norm is for .onnx: a state_dict without batch norms fits no network here or in torchvision; leave it "
        + "out, or convert to .onnx")
  }
  if let size = options.imageSize, !(1...4096).contains(size) {
    throw Failure(.usage, "--image-size: \(size) is not between 1 and 4096 pixels")
  }
  let line = StatusLine()
  var trained = try failing {
    try TrainedModel(path: source, model: options.model, imageSize: options.imageSize)
  }
  for remark in trained.remarks { line.say(remark) }
  if let transforms = options.transformInput { trained.metadata.transformsInput = transforms }
  if trained.metadata.transformsInput {
    // The transformation starts from ImageNet's normalisation, so a file that names none means that one.
    let normalization = trained.metadata.normalization ?? .imagenet
    guard normalization == .imagenet else {
      throw Failure(
        .usage,
        "--transform-input: the weights of '\(source)' were trained on pictures in --normalization "
          + "\(normalization.rawValue), and transform_input starts from imagenet; leave it out")
    }
    trained.metadata.normalization = normalization
  }
  if let labels = options.labels {
    trained.metadata.classNames = try readLabels(labels, classes: trained.model.classes)
  }
  let model = trained.model
  let size = "\(model.classes) classes, \(model.imageSize)×\(model.imageSize)"
  switch format {
  case .safetensors:
    let heads = try failing {
      try trained.writeSafetensors(withoutAuxiliaryHeads: options.withoutAuxiliary, to: target)
    }
    let note = heads.isEmpty ? "" : ", without \(heads.joined(separator: " and "))"
    line.say("wrote '\(target)': \(model.definition.name), \(size)\(note)")
  case .onnx:
    try failing { try trained.writeONNX(foldsBatchNorms: options.foldBatchNorm, to: target) }
    line.say("wrote '\(target)': \(model.definition.name), \(size), ONNX opset \(ONNXModel.operatorSet)")
  }
}

/// What a converted file can be.
private enum TargetFormat: String, CaseIterable {
  case safetensors, onnx

  init(_ path: String) throws(Failure) {
    let suffix = (path as NSString).pathExtension.lowercased()
    guard let format = Self(rawValue: suffix) else {
      let known = Self.allCases.map { ".\($0.rawValue)" }.joined(separator: " or ")
      throw Failure(.usage, "'\(path)' does not end in \(known), which says what to write; choose such a name")
    }
    self = format
  }
}
