import Compute
import Lockstep
import Models

/// How a file's tensors may differ from a model's.
enum StateTolerance {
  /// Only `num_batches_tracked` may be missing; it is then 0.
  case none
  /// Auxiliary heads may be missing or of other shapes as well: evaluation does not use them.
  case anyAuxiliaryHeads
  /// Auxiliary heads may be missing, and classifiers may be for other classes: these start anew.
  case otherHeads(seed: UInt64)
}

extension StateSnapshot {
  /// Takes parameters and buffers from a file, checking every name and shape against the model. There is no optimizer
  /// state in it.
  ///
  /// - Returns: the state, and the keys that were started anew.
  /// - Throws: `.otherTensors` where some are missing or unexpected, `.mismatch` for the first one of another shape or
  ///   element.
  static func reading(
    _ file: SealedTensorFile, model: Model, step: Int, tolerance: StateTolerance
  ) throws(CheckpointError) -> (state: StateSnapshot, startedAnew: [String]) {
    let anew: Set<String>
    var state: StateSnapshot
    switch tolerance {
    case .none:
      anew = []
      state = StateSnapshot(
        step: step, parameters: FloatStorage(count: model.parameterCount),
        buffers: FloatStorage(count: model.bufferCount),
        batchCounts: Array(repeating: 0, count: model.batchNorms.count), optimizerState: [])
    case .anyAuxiliaryHeads, .otherHeads:
      let seed: UInt64
      if case .otherHeads(let given) = tolerance {
        (anew, seed) = (model.keysToStartAnew(file), given)
      } else {
        (anew, seed) = (model.auxiliaryKeysThatDiffer(file), 0)
      }
      state = StateSnapshot(initialStateOf: model, seed: seed)
      state.step = step
    }
    let known = Set(model.entries.map(\.key))
    let missing = model.entries.filter { entry in
      entry.role != .batchCount && file.shapes[entry.key] == nil && !anew.contains(entry.key)
    }
    let unexpected = file.shapes.keys.filter { !known.contains($0) }.sorted()
    guard missing.isEmpty, unexpected.isEmpty else {
      throw .otherTensors(
        path: file.path, model: model.definition.name, missing: missing.map(\.key), unexpected: unexpected)
    }
    for tensor in model.stateTensors where !anew.contains(tensor.entry.key) {
      switch tensor.source {
      case .parameters(let offset): try copy(tensor, from: file, to: state.parameters.pointer + offset)
      case .buffers(let offset): try copy(tensor, from: file, to: state.buffers.pointer + offset)
      case .batchCount(let index):
        guard file.shapes[tensor.entry.key] != nil else { continue }
        guard let count = file.integers(tensor.entry.key), count.count == 1, count[0] >= 0 else {
          throw mismatch(tensor, file, found: "not a count")
        }
        state.batchCounts[index] = count[0]
      }
    }
    return (state, model.entries.map(\.key).filter(anew.contains))
  }

  private static func copy(
    _ tensor: StateTensor, from file: SealedTensorFile, to target: UnsafeMutablePointer<Float>
  ) throws(CheckpointError) {
    guard let shape = file.shapes[tensor.entry.key] else { preconditionFailure("missing tensors were found before") }
    guard shape == tensor.entry.shape else { throw mismatch(tensor, file, found: "of the shape \(shape)") }
    guard let values = file.floats(tensor.entry.key) else {
      throw mismatch(tensor, file, found: "not of floating-point numbers")
    }
    target.update(from: values.pointer, count: tensor.count)
  }

  private static func mismatch(_ tensor: StateTensor, _ file: SealedTensorFile, found: String) -> CheckpointError {
    .mismatch(
      path: file.path, key: tensor.entry.key, expected: "of the shape \(tensor.entry.shape)", found: found)
  }
}

extension Model {
  /// The keys that a file cannot give: auxiliary heads that it lacks as a whole, and classifiers of another class count.
  fileprivate func keysToStartAnew(_ file: SealedTensorFile) -> Set<String> {
    let present = Set(entries.filter { file.shapes[$0.key] != nil }.map(\.group))
    var anew = Set(entries.filter { $0.group != "main" && !present.contains($0.group) }.map(\.key))
    for entry in classifierEntries {
      guard let found = file.shapes[entry.key], found.count == entry.shape.count, found != entry.shape else { continue }
      if found.dropFirst() == entry.shape.dropFirst() { anew.insert(entry.key) }
    }
    return anew
  }

  /// The keys of auxiliary heads that a file cannot give: those that it lacks or has in another shape.
  fileprivate func auxiliaryKeysThatDiffer(_ file: SealedTensorFile) -> Set<String> {
    Set(entries.filter { $0.group != Head.main.rawValue && file.shapes[$0.key] != $0.shape }.map(\.key))
  }

  /// The entries whose first size is the number of classes because of the classes, not by chance: those that are of
  /// another shape in the same model for other classes.
  var classifierEntries: [StateEntry] {
    guard
      let other = try? Model(
        definition, classes: classes == 1 ? 2 : classes - 1, imageSize: imageSize, width: width, for: .evaluation)
    else { return [] }
    return zip(entries, other.entries).filter { $0.shape != $1.shape }.map(\.0)
  }
}
