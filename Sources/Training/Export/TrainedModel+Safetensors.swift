import Models

extension TrainedModel {
  /// Writes parameters and buffers as a checkpoint of this program: a safetensors file with torchvision's names, which
  /// PyTorch loads with `load_state_dict(strict=True)`, and with everything that the file it came from says.
  ///
  /// Auxiliary heads are left out where they are not wanted, and where they were not in that file.
  ///
  /// - Returns: how many tensors were written.
  /// - Throws: `.cannotWrite`; a file that was there before then remains.
  @discardableResult
  public func writeSafetensors(withoutAuxiliaryHeads: Bool, to path: String) throws(CheckpointError) -> Int {
    let entries = model.entries.filter { $0.group != Head.main.rawValue }
    // A head of which anything is missing is none; counts of batches, which old files lack, are not missed.
    let incomplete = Set(entries.filter { startedAnew.contains($0.key) && $0.role != .batchCount }.map(\.group))
    let dropped = Set(
      entries.filter { withoutAuxiliaryHeads || incomplete.contains($0.group) }.map(\.key))
    var metadata = metadata
    metadata.imageSize = model.imageSize
    try Checkpoint.writeParameters(
      state, of: model, leavingOut: dropped, metadata: metadata, notes: notes, to: path)
    return model.entries.count - dropped.count
  }
}
