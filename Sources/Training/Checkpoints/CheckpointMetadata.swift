import Foundation
import Interchange
import Lockstep
import Models

/// The version of this program, as checkpoints name it.
public let trainerVersion = "0.1.0"

/// What a file of parameters says of itself, besides the tensors.
public struct CheckpointMetadata: Hashable, Sendable {
  /// The model's name in the catalog.
  public var model: String
  /// Outputs of its classifiers.
  public var classes: Int
  /// Height and width of its input.
  public var imageSize: Int
  /// Factor on its channel counts.
  public var width: Double
  /// How pixel values become inputs; nil where the file has never seen data.
  public var normalization: PixelNormalization?
  /// Whether normalised pictures go through torchvision's `transform_input` as well.
  public var transformsInput = false
  /// The classes' names; empty where they are unknown.
  public var classNames: [String]
  /// The version: the step that made it.
  public var step: Int
  /// The run that wrote it; nil for initial weights.
  public var runID: Digest?
  /// That run's configuration.
  public var configuration: RunConfiguration?
  /// The version's `state_hash`; set when it is written.
  public var stateHash: Digest?

  /// Describes initial weights of a model.
  public init(initialStateOf model: Model) {
    (self.model, classes, imageSize) = (model.definition.name, model.classes, model.imageSize)
    (width, classNames, step) = (model.width, [], 0)
  }

  /// Describes a version of a run.
  public init(configuration: RunConfiguration, classNames: [String], runID: Digest, step: Int) {
    (model, classes, imageSize) = (configuration.model, configuration.classes, configuration.imageSize)
    (width, normalization) = (configuration.width, configuration.normalization)
    transformsInput = configuration.transformInput
    (self.configuration, self.classNames, self.runID, self.step) = (configuration, classNames, runID, step)
  }

  /// Keys that only our files have.
  static let ownKeys = ["trainer_version", "model", "classes", "image_size", "width", "step", "state_hash"]

  /// Keys that `strings` may have. What a file says under one of these is in the properties, and is not kept beside them.
  static let writtenKeys = Set(
    ownKeys + [
      "format", "class_names", "normalization", "transform_input", "run_id", "configuration", "trajectory_digest",
    ])
  /// What `--image-size` may be as well.
  private static let imageSizes = 1...4096

  /// The strings of a safetensors file's metadata.
  var strings: [String: String] {
    var strings = [
      "format": "pt", "trainer_version": trainerVersion, "model": model, "classes": String(classes),
      "image_size": String(imageSize), "width": String(width), "step": String(step),
      "class_names": JSONValue.array(classNames.map { .string($0) }).description,
    ]
    strings["normalization"] = normalization?.rawValue
    if transformsInput { strings["transform_input"] = "true" }
    strings["run_id"] = runID?.hex
    strings["state_hash"] = stateHash?.hex
    if let configuration {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      guard let data = try? encoder.encode(configuration) else { preconditionFailure("a configuration is plain data") }
      strings["configuration"] = String(decoding: data, as: UTF8.self)
      strings["trajectory_digest"] = configuration.trajectoryDigest.hex
    }
    return strings
  }

  /// Reads the strings of a file.
  init(_ file: SealedTensorFile) throws(CheckpointError) {
    func string(_ key: String) throws(CheckpointError) -> String {
      guard let text = file.metadata[key] else {
        throw .damaged(
          path: file.path,
          reason: "'\(file.path)' is not a checkpoint of this program: its metadata have no '\(key)'; "
            + "name a file that 'trainer train', 'init' or 'convert' wrote")
      }
      return text
    }
    func number<Number: LosslessStringConvertible>(_ key: String) throws(CheckpointError) -> Number {
      let text = try string(key)
      guard let number = Number(text) else { throw file.damaged("its metadata '\(key)' are '\(text)', not a number") }
      return number
    }
    (model, classes, imageSize) = (try string("model"), try number("classes"), try number("image_size"))
    (width, step) = (try number("width"), try number("step"))
    guard Self.imageSizes.contains(imageSize) else {
      throw file.damaged("its metadata 'image_size' are \(imageSize), not from 1 to \(Self.imageSizes.upperBound)")
    }
    normalization = try Self.normalization(file)
    transformsInput = try Self.transformsInput(file)
    runID = file.metadata["run_id"].flatMap { Digest(hex: $0) }
    stateHash = file.metadata["state_hash"].flatMap { Digest(hex: $0) }
    classNames = try Self.classNames(file)
    if let text = file.metadata["configuration"] {
      do {
        configuration = try JSONDecoder().decode(RunConfiguration.self, from: Data(text.utf8))
      } catch {
        throw file.damaged("its configuration cannot be read (\(error)); it is of another version of this program")
      }
    }
  }

  /// What a file says that these are not.
  static func notes(of file: SealedTensorFile) -> [String: String] {
    file.metadata.filter { !Self.writtenKeys.contains($0.key) && $0.key != SealedTensorFile.digestKey }
  }

  private static func normalization(_ file: SealedTensorFile) throws(CheckpointError) -> PixelNormalization? {
    guard let text = file.metadata["normalization"] else { return nil }
    guard let normalization = PixelNormalization(rawValue: text) else {
      let known = PixelNormalization.allCases.map(\.rawValue).joined(separator: ", ")
      throw file.damaged("its metadata 'normalization' are '\(text)', not one of \(known)")
    }
    return normalization
  }

  private static func classNames(_ file: SealedTensorFile) throws(CheckpointError) -> [String] {
    guard let text = file.metadata["class_names"] else { return [] }
    // As many as a network has classes at most, and the array itself.
    let elements = (try? JSONValue(parsing: Array(text.utf8), count: 1_000_001))?.arrayValue
    let names = elements?.compactMap(\.stringValue)
    guard let names, names.count == elements?.count else {
      throw file.damaged("its metadata 'class_names' are not an array of strings")
    }
    return names
  }

  /// Reads `transform_input`, which only files whose weights want it have.
  static func transformsInput(_ file: SealedTensorFile) throws(CheckpointError) -> Bool {
    switch file.metadata["transform_input"] {
    case nil, "false": return false
    case "true": return true
    case .some(let text): throw file.damaged("its metadata 'transform_input' are '\(text)', neither true nor false")
    }
  }
}
