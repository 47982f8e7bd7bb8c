import Compute
import Foundation
import Interchange
import Lockstep
import Models

/// A model with parameters, and what must be known to show it pictures: for evaluation and prediction.
public struct TrainedModel: Sendable {
  /// The model that the file names.
  public let model: Model
  /// Parameters and buffers.
  public let state: StateSnapshot
  /// What else the file says; what is changed here is what is shown to pictures and written to other files.
  public var metadata: CheckpointMetadata
  /// What the file says besides, by name.
  let notes: [String: String]
  /// Keys that the file lacks, or has in another shape, and that evaluation does not use.
  public let startedAnew: [String]
  /// What a user should know about how the file was read.
  public let remarks: [String]

  /// Reads a checkpoint, or a file of another program whose tensors tell which model it is of.
  ///
  /// Auxiliary heads may be missing: they are not used.
  ///
  /// - Parameters:
  ///   - path: a file, or a directory with checkpoints, whose `latest` is taken.
  ///   - name: the model, where the file does not say it and the user does.
  ///   - imageSize: height and width of the input, where it should not be what the file says, or the model's own.
  /// - Throws: `.damaged`, `.mismatch`, and what says that the file is of another model or of none.
  public init(path: String, model name: String? = nil, imageSize: Int? = nil) throws(CheckpointError) {
    let file = try SealedTensorFile(path: Self.resolve(path), ownKeys: CheckpointMetadata.ownKeys)
    var remarks = file.remarks.map { printable("'\(path)': \($0)") }
    let isOurs = CheckpointMetadata.ownKeys.contains { file.metadata[$0] != nil }
    if isOurs {
      let metadata = try CheckpointMetadata(file)
      if let name, name != metadata.model {
        throw .mismatch(path: file.path, key: "model", expected: name, found: metadata.model)
      }
      model = try Self.model(
        file, named: metadata.model, classes: metadata.classes, imageSize: imageSize ?? metadata.imageSize,
        width: metadata.width)
      self.metadata = metadata
      if file.path != path, let average = file.metadata[Checkpoint.averageKey] {
        remarks.append("'\(path)': the average of its weights (\(average)) is used, from '\(file.path)'")
      }
    } else {
      let inferred = try ModelInference(file, named: name)
      model = try Self.model(
        file, named: inferred.definition.name, classes: inferred.classes,
        imageSize: imageSize ?? inferred.definition.defaultImageSize, width: inferred.width)
      metadata = CheckpointMetadata(initialStateOf: model)
      remarks.append(
        "'\(path)' does not say its model; by its tensors it is \(model.definition.name) with \(model.classes) classes"
          + (model.width == 1 ? "" : " and width \(model.width)")
          + ", taken for \(model.imageSize)×\(model.imageSize) images")
    }
    notes = isOurs ? CheckpointMetadata.notes(of: file) : [:]
    (state, startedAnew) = try StateSnapshot.reading(
      file, model: model, step: metadata.step, tolerance: .anyAuxiliaryHeads)
    if isOurs, startedAnew.isEmpty, metadata.stateHash != state.hash(model) {
      throw file.damaged("its tensors do not have its state_hash")
    }
    self.remarks = remarks
  }

  private static func model(
    _ file: SealedTensorFile, named name: String, classes: Int, imageSize: Int, width: Double
  ) throws(CheckpointError) -> Model {
    do {
      return try Model(
        try ModelCatalog.definition(named: name), classes: classes, imageSize: imageSize, width: width,
        for: .evaluation)
    } catch ModelError.invalidArgument(_, let name, let value, let expected) {
      // The command line's numbers were checked before, so this one is the file's.
      throw file.damaged("\(name) is \(value), not \(expected)")
    } catch {
      throw .mismatch(path: file.path, key: "model", expected: "one of this program's", found: "\(name): \(error)")
    }
  }

  /// A directory stands for its newest checkpoint, and so does the file `latest`: for its averaged weights where it has
  /// them. A file that is named is that file.
  static func resolve(_ path: String) -> String {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else { return path }
    let directories =
      isDirectory.boolValue ? [path, path + "/checkpoints"] : [(path as NSString).deletingLastPathComponent]
    guard isDirectory.boolValue || (path as NSString).lastPathComponent == "latest" else { return path }
    for directory in directories {
      let parent = directory.isEmpty ? "." : directory
      guard let text = try? String(contentsOfFile: parent + "/latest", encoding: .utf8) else { continue }
      let name = text.trimmingCharacters(in: .whitespacesAndNewlines)
      guard let step = Checkpoint.step(ofFileName: name) else { continue }
      let averaged = parent + "/" + Checkpoint.averagedFileName(step: step)
      return FileManager.default.fileExists(atPath: averaged) ? averaged : parent + "/" + name
    }
    return path
  }
}
