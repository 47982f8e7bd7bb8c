import Models

extension TrainedModel {
  /// Writes parameters and buffers as a checkpoint of this program: a safetensors file with torchvision's names, which
  /// PyTorch loads with `load_state_dict(strict=True)`, and with everything that the file it came from says.
  ///
  /// Auxiliary heads are left out where they are not wanted, and where they were not in that file.
  ///
  /// - Returns: the heads that were left out.
  /// - Throws: `.cannotWrite`; a file that was there before then remains.
  @discardableResult
  public func writeSafetensors(withoutAuxiliaryHeads: Bool, to path: String) throws(CheckpointError) -> [String] {
    let entries = model.entries.filter { $0.group != Head.main.rawValue }
    // A head of which anything is missing is none; counts of batches, which old files lack, are not missed.
    let incomplete = entries.filter { startedAnew.contains($0.key) && $0.role != .batchCount }
    let heads = Set((withoutAuxiliaryHeads ? entries : incomplete).map(\.group))
    var metadata = metadata
    metadata.imageSize = model.imageSize
    try Checkpoint.writeParameters(
      state, of: model, leavingOut: Set(entries.filter { heads.contains($0.group) }.map(\.key)), metadata: metadata,
      notes: notes, to: path)
    return heads.sorted()
  }
}
