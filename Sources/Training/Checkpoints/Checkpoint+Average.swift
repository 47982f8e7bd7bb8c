import Lockstep
import Models

/// The file of averaged weights: a file of parameters like any other, whose metadata also say what it is the average of.
///
/// `average` is the kind (`ema`, `polyak`), `average_updates` the number of updates that it holds, and `average_of` the
/// `state_hash` of the parameters that it stands beside; its own `state_hash` is that of the averaged tensors.
extension Checkpoint {
  /// The metadata's key that only averaged weights have.
  static let averageKey = "average"
  private static let updatesKey = "average_updates"
  private static let originKey = "average_of"

  /// Writes the average of a version.
  ///
  /// - Throws: `.cannotWrite`; a file that was there before then remains.
  static func writeAverage(
    _ average: AveragedWeights, of state: StateSnapshot, _ model: Model, kind: AverageKind,
    metadata: CheckpointMetadata, to path: String
  ) throws(CheckpointError) {
    let averaged = StateSnapshot(
      step: state.step, parameters: average.parameters, buffers: average.buffers, batchCounts: state.batchCounts,
      optimizerState: [])
    let notes = [
      averageKey: kind.rawValue, updatesKey: String(average.updates), originKey: state.hash(model).hex,
    ]
    try writeParameters(averaged, of: model, metadata: metadata, notes: notes, to: path)
  }

  /// Reads the average that stands beside a file of parameters.
  static func readAverage(
    directory: String, of file: SealedTensorFile, step: Int, model: Model
  ) throws(CheckpointError) -> AveragedWeights {
    let companion = try SealedTensorFile(
      path: directory + "/" + averagedFileName(step: step), ownKeys: CheckpointMetadata.ownKeys)
    for (key, other) in [("step", "step"), ("run_id", "run_id"), (originKey, "state_hash")]
    where companion.metadata[key] != file.metadata[other] {
      throw companion.damaged("its \(key) is not the \(other) of '\(fileName(step: step))'")
    }
    guard let updates = companion.metadata[updatesKey].flatMap({ Int($0) }),
      (0...Int(StateSnapshot.largestCount)).contains(updates)
    else {
      throw companion.damaged("its \(updatesKey) is no count")
    }
    let state = try StateSnapshot.reading(companion, model: model, step: step, tolerance: .none).state
    guard companion.metadata["state_hash"] == state.hash(model).hex else {
      throw companion.damaged("its tensors do not have its state_hash")
    }
    return AveragedWeights(parameters: state.parameters, buffers: state.buffers, updates: updates)
  }
}
