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
  /// More batches than any run sees; up to here a count can grow without end.
  static let largestCount: Int64 = 1 << 53

  /// Takes parameters and buffers from a file, checking every name and shape against the model. There is no optimizer
  /// state in it.
  ///
  /// - Returns: the state, and the keys that were started anew.
  /// - Throws: `.otherTensors` where some are missing or unexpected, `.otherShapes` for all of other shapes or elements.
  static func reading(
    _ file: SealedTensorFile, model: Model, step: Int, tolerance: StateTolerance
  ) throws(CheckpointError) -> (state: StateSnapshot, startedAnew: [String]) {
    let anew: Set<String> =
      switch tolerance {
      case .none: []
      case .anyAuxiliaryHeads: model.auxiliaryKeysThatDiffer(file)
      case .otherHeads: model.keysToStartAnew(file)
      }
    // Before anything of the model's size is allocated: it may be the file that says how large the model is.
    try compare(file, with: model, except: anew)
    var state: StateSnapshot
    switch tolerance {
    case .none:
      state = StateSnapshot(
        step: step, parameters: FloatStorage(count: model.parameterCount),
        buffers: FloatStorage(count: model.bufferCount),
        batchCounts: Array(repeating: 0, count: model.batchNorms.count), optimizerState: [])
    case .anyAuxiliaryHeads: state = StateSnapshot(initialStateOf: model, seed: 0)
    case .otherHeads(let seed): state = StateSnapshot(initialStateOf: model, seed: seed)
    }
    state.step = step
    for tensor in model.stateTensors where !anew.contains(tensor.entry.key) {
      switch tensor.source {
      case .parameters(let offset): copy(tensor, from: file, to: state.parameters.pointer + offset)
      case .buffers(let offset): copy(tensor, from: file, to: state.buffers.pointer + offset)
      case .batchCount(let index): state.batchCounts[index] = file.integer(tensor.entry.key) ?? 0
      }
    }
    return (state, model.entries.map(\.key).filter(anew.contains))
  }

  private static func compare(
    _ file: SealedTensorFile, with model: Model, except anew: Set<String>
  ) throws(CheckpointError) {
    let known = Set(model.entries.map(\.key))
    let missing = model.entries.filter { entry in
      entry.role != .batchCount && file.shapes[entry.key] == nil && !anew.contains(entry.key)
    }
    let unexpected = file.shapes.keys.filter { !known.contains($0) }.sorted()
    guard missing.isEmpty, unexpected.isEmpty else {
      throw .otherTensors(
        path: file.path, model: model.definition.name, missing: missing.map(\.key), unexpected: unexpected)
    }
    let others = model.entries.compactMap { anew.contains($0.key) ? nil : mismatch($0, file) }
    guard others.isEmpty else { throw .otherShapes(path: file.path, tensors: others) }
  }

  private static func mismatch(_ entry: StateEntry, _ file: SealedTensorFile) -> TensorMismatch? {
    guard let shape = file.shapes[entry.key] else { return nil }
    var expected = "of the shape \(entry.shape)", found: String?
    if entry.role == .batchCount {
      let count = file.integer(entry.key)
      expected = "a number of batches up to 2^53"
      if !(0...largestCount).contains(count ?? -1) { found = count.map(String.init) ?? "not a count" }
    } else if shape != entry.shape {
      found = "of the shape \(shape)"
    } else if file.floats(entry.key) == nil {
      found = "not of floating-point numbers"
    }
    return found.map { TensorMismatch(name: entry.key, expected: expected, found: $0) }
  }

  private static func copy(
    _ tensor: StateTensor, from file: SealedTensorFile, to target: UnsafeMutablePointer<Float>
  ) {
    guard let values = file.floats(tensor.entry.key), values.count == tensor.count else {
      preconditionFailure("names, shapes and elements were compared before")
    }
    target.update(from: values.pointer, count: tensor.count)
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
