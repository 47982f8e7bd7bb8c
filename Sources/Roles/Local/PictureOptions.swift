import Datasets
import Lockstep
import Models
import Training

/// How a command line wants pictures to be shown to a trained model, where that is not as the model's file says.
public struct PictureOptions: Sendable {
  /// Which squares of a picture the model sees.
  let crops: CropScheme
  /// Height and width of the model's input.
  let imageSize: Int?
  private let normalization: PixelNormalization?
  private let transformsInput: Bool?
  private let shorterSide: Int?

  /// The options as they were given.
  ///
  /// - Parameters:
  ///   - crops: `center`, `10` or `144`.
  ///   - resize: the length of the shorter side before the crops are taken.
  public init(
    crops: String = CropScheme.center.rawValue, imageSize: Int? = nil, normalization: String? = nil,
    transformInput: Bool? = nil, resize: Int? = nil
  ) throws(Failure) {
    self.crops = try Self.choice("crops", crops)
    self.normalization = try normalization.map { text throws(Failure) in try Self.choice("normalization", text) }
    (self.imageSize, transformsInput, shorterSide) = (imageSize, transformInput, resize)
    for (option, value) in [("image-size", imageSize), ("resize", resize)] {
      guard let value, !(1...4096).contains(value) else { continue }
      throw Failure(.usage, "--\(option): \(value) is not between 1 and 4096 pixels")
    }
    if resize != nil && self.crops == .oneHundredFortyFour {
      throw Failure(.usage, "--crops 144 looks at pictures in four sizes of its own; leave out --resize")
    }
  }

  /// How pictures become the input of a model.
  ///
  /// - Parameters:
  ///   - usual: the normalization where neither the command line nor the model's file names one; this is then said.
  ///   - say: tells the user what was assumed.
  func preprocessing(
    for trained: TrainedModel, usual: PixelNormalization, say: (String) -> Void
  ) throws(Failure) -> Preprocessing {
    let size = trained.model.imageSize
    let transforms = transformsInput ?? trained.metadata.transformsInput
    let assumed = transforms ? PixelNormalization.imagenet : usual
    let known = normalization ?? trained.metadata.normalization
    if known == nil {
      let advice = transforms ? "" : ", and --transform-input on for weights that want it"
      say(
        "the checkpoint does not say how pixels become inputs: \(assumed.rawValue) is taken; or give --normalization"
          + advice)
    }
    guard !transforms || (known ?? assumed) == .imagenet else {
      throw Failure(
        .usage,
        "transform_input starts from pictures in --normalization imagenet, not \((known ?? assumed).rawValue); use both, "
          + "or neither (--transform-input off)")
    }
    if let shorterSide, shorterSide < size {
      throw Failure(
        .usage,
        "--resize: no crop of \(size)×\(size) pixels fits where the shorter side is \(shorterSide); give at least "
          + "\(size), or a smaller --image-size")
    }
    return Preprocessing(
      imageSize: size, normalization: known ?? assumed, transformsInput: transforms, augmentation: .none, seed: 0,
      shorterSide: shorterSide)
  }

  private static func choice<Value: RawRepresentable & CaseIterable>(
    _ option: String, _ text: String
  ) throws(Failure) -> Value where Value.RawValue == String {
    guard let value = Value(rawValue: text) else {
      let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure(.usage, "--\(option): '\(text)' is not one of \(choices)")
    }
    return value
  }
}

/// Reads the names of a model's classes from a file.
///
/// - Throws: 65 where it is no such file, 78 where it is of another number of classes.
func readLabels(_ path: String, classes: Int) throws(Failure) -> [String] {
  let names = try failing { try readClassNames(path) }
  guard names.count == classes else {
    throw Failure(
      .mismatch,
      "--labels: '\(path)' names \(names.count) classes and the model has \(classes); give a file with one name a line for "
        + "each class")
  }
  return names
}
