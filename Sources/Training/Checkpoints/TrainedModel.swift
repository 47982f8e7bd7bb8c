import Compute
import Foundation
import Lockstep
import Models

/// A model with parameters, and what must be known to show it pictures: for evaluation and prediction.
public struct TrainedModel: Sendable {
  /// The model that the file names.
  public let model: Model
  /// Parameters and buffers.
  public let state: StateSnapshot
  /// What else the file says.
  public let metadata: CheckpointMetadata
  /// Keys that the file lacks and that evaluation does not use.
  public let startedAnew: [String]

  /// Reads a checkpoint.
  ///
  /// Auxiliary heads may be missing: they are not used.
  ///
  /// - Parameter path: a file, or a directory with checkpoints, whose `latest` is taken.
  /// - Throws: `.damaged` and `.mismatch`.
  public init(path: String) throws(CheckpointError) {
    let file = try SealedTensorFile(path: Self.resolve(path), ownKeys: CheckpointMetadata.ownKeys)
    metadata = try CheckpointMetadata(file)
    do {
      let definition = try ModelCatalog.definition(named: metadata.model)
      model = try Model(
        definition, classes: metadata.classes, imageSize: metadata.imageSize, width: metadata.width)
    } catch {
      throw .mismatch(
        path: file.path, key: "model", expected: "one of this program's", found: "\(metadata.model): \(error)")
    }
    let tolerance = StateTolerance.otherHeads(seed: 0)
    (state, startedAnew) = try StateSnapshot.reading(file, model: model, step: metadata.step, tolerance: tolerance)
    if let key = startedAnew.first(where: { file.shapes[$0] != nil }) {
      throw file.damaged("'\(key)' is not for the \(metadata.classes) classes that it names")
    }
    if file.isSealed, startedAnew.isEmpty, metadata.stateHash != state.hash(model) {
      throw file.damaged("its tensors do not have its state_hash")
    }
  }

  /// A directory stands for its newest checkpoint, and so does the file `latest`.
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
      if Checkpoint.step(ofFileName: name) != nil { return parent + "/" + name }
    }
    return path
  }
}

/// The state that a run starts from when a file is given, and what of it the file could not give.
public struct InheritedState: Sendable {
  /// Version 0.
  public let state: StateSnapshot
  /// Auxiliary heads that the file lacks and classifiers that are for other classes: they have initial values.
  public let startedAnew: [String]

  /// Reads parameters and buffers of the same model, whatever its heads.
  ///
  /// - Parameters:
  ///   - path: a file with or without our metadata.
  ///   - seed: what the initial values of heads are drawn from.
  /// - Throws: `.damaged` and `.mismatch`.
  public init(path: String, model: Model, seed: UInt64) throws(CheckpointError) {
    let file = try SealedTensorFile(path: TrainedModel.resolve(path), ownKeys: CheckpointMetadata.ownKeys)
    if let name = file.metadata["model"], name != model.definition.name {
      throw .mismatch(path: file.path, key: "model", expected: model.definition.name, found: name)
    }
    (state, startedAnew) = try StateSnapshot.reading(
      file, model: model, step: 0, tolerance: .otherHeads(seed: seed))
  }
}
