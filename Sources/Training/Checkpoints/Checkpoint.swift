import Compute
import Lockstep
import Models

/// One version of a run on disk: a file of parameters and buffers, one of the optimizer's state beside it, and one of the
/// averaged weights where the run keeps an average.
///
/// `step-00000100.safetensors` has every entry of the state_dict under its name; `step-00000100.optimizer.safetensors` the
/// optimizer's vectors under the names of the trained parameters; `step-00000100.averaged.safetensors` again every entry of the
/// state_dict, averaged: a file like the first, for whoever uses the model. All are sealed (`SealedTensorFile`), and each
/// names the version.
public struct Checkpoint: Sendable {
  /// What the file says of itself.
  public var metadata: CheckpointMetadata
  /// The state.
  public var state: StateSnapshot

  /// The name of a version's file of parameters.
  public static func fileName(step: Int) -> String { stem(step) + ".safetensors" }

  /// The name of a version's file of optimizer state.
  public static func optimizerFileName(step: Int) -> String { stem(step) + ".optimizer.safetensors" }

  /// The name of a version's file of averaged weights.
  public static func averagedFileName(step: Int) -> String { stem(step) + ".averaged.safetensors" }

  /// The version that one of its files is of; nil for other names.
  static func step(ofAnyFileName name: String) -> Int? {
    for part in [".optimizer.safetensors", ".averaged.safetensors"] where name.hasSuffix(part) {
      return step(ofFileName: name.dropLast(part.count) + ".safetensors")
    }
    return step(ofFileName: name)
  }

  /// The version that a file of parameters is of; nil for other names.
  public static func step(ofFileName name: String) -> Int? {
    guard name.hasPrefix("step-"), name.hasSuffix(".safetensors"),
      let step = Int(name.dropFirst(5).dropLast(12)), fileName(step: step) == name
    else { return nil }
    return step
  }

  private static func stem(_ step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }

  /// Writes parameters and buffers, with their `state_hash`.
  ///
  /// - Parameters:
  ///   - keys: tensors that are not written; without all of them there is no `state_hash`.
  ///   - notes: what the file's metadata say besides.
  /// - Throws: `.cannotWrite`; a file that was there before then remains.
  public static func writeParameters(
    _ state: StateSnapshot, of model: Model, leavingOut keys: Set<String> = [], metadata: CheckpointMetadata,
    notes: [String: String] = [:], to path: String
  ) throws(CheckpointError) {
    precondition(
      metadata.model == model.definition.name && metadata.classes == model.classes && metadata.width == model.width
        && metadata.imageSize == model.imageSize, "metadata of this model")
    let (parameters, buffers) = (state.parameters.pointer, state.buffers.pointer)
    let tensors = model.stateTensors.filter { !keys.contains($0.entry.key) }.map { tensor -> SealedTensor in
      let values: SealedTensor.Values =
        switch tensor.source {
        case .parameters(let offset): .floats(UnsafePointer(parameters + offset))
        case .buffers(let offset): .floats(UnsafePointer(buffers + offset))
        case .batchCount(let index): .integers([state.batchCounts[index]])
        }
      return SealedTensor(name: tensor.entry.key, shape: tensor.entry.shape, values: values)
    }
    var metadata = metadata
    metadata.step = state.step
    metadata.stateHash = keys.isEmpty ? state.hash(model) : nil
    try SealedTensorFile.write(tensors, metadata: metadata.strings.merging(notes) { $1 }, to: path)
    withExtendedLifetime(state) {}
  }

  /// Writes the optimizer's vectors.
  ///
  /// - Throws: `.cannotWrite`; a file that was there before then remains.
  static func writeOptimizerState(
    _ state: StateSnapshot, of model: Model, optimizer: any Optimizer, metadata: CheckpointMetadata, to path: String
  ) throws(CheckpointError) {
    var tensors: [SealedTensor] = []
    for (index, storage) in state.optimizerState.enumerated() {
      for tensor in model.stateTensors where !tensor.entry.isFrozen {
        guard case .parameters(let offset) = tensor.source else { continue }
        let name = optimizerTensorName(tensor.entry.key, optimizer: optimizer, index: index)
        tensors.append(
          SealedTensor(name: name, shape: tensor.entry.shape, values: .floats(UnsafePointer(storage.pointer + offset))))
      }
    }
    var strings = ["format": "pt", "trainer_version": trainerVersion, "step": String(state.step)]
    strings["optimizer"] = type(of: optimizer).name
    strings["run_id"] = metadata.runID?.hex
    strings["state_hash"] = state.hash(model).hex
    try SealedTensorFile.write(tensors, metadata: strings, to: path)
    withExtendedLifetime(state) {}
  }

  /// Reads a version, checking digests, names and shapes, and that all files are of the same version of the same run.
  ///
  /// - Throws: `.damaged`, `.mismatch` where the files are whole but of another model, or `.otherTrajectory` where they are
  ///   of a run with other bits.
  public static func read(
    directory: String, step: Int, model: Model, configuration: RunConfiguration
  ) throws(CheckpointError) -> Checkpoint {
    let file = try SealedTensorFile(
      path: directory + "/" + fileName(step: step), ownKeys: CheckpointMetadata.ownKeys)
    let metadata = try CheckpointMetadata(file)
    guard metadata.step == step else { throw file.damaged("it is of step \(metadata.step), not of \(step)") }
    guard metadata.model == model.definition.name else {
      throw .mismatch(path: file.path, key: "model", expected: model.definition.name, found: metadata.model)
    }
    let keys = metadata.configuration.map { configuration.trajectoryDifferences(from: $0) } ?? []
    guard keys.isEmpty else { throw .otherTrajectory(path: file.path, keys: keys) }
    var state = try StateSnapshot.reading(file, model: model, step: step, tolerance: .none).state
    guard metadata.stateHash == state.hash(model) else { throw file.damaged("its tensors do not have its state_hash") }

    if configuration.average != .none {
      state.average = try readAverage(directory: directory, of: file, step: step, model: model)
    }

    let optimizer = OptimizerCatalog.optimizer(for: configuration)
    let companion = try SealedTensorFile(
      path: directory + "/" + optimizerFileName(step: step), ownKeys: CheckpointMetadata.ownKeys)
    for key in ["step", "run_id", "state_hash"] where companion.metadata[key] != file.metadata[key] {
      throw companion.damaged("its \(key) is not that of '\(fileName(step: step))'")
    }
    guard companion.metadata["optimizer"] == type(of: optimizer).name else {
      throw .mismatch(
        path: companion.path, key: "optimizer", expected: type(of: optimizer).name,
        found: companion.metadata["optimizer"] ?? "missing")
    }
    for index in optimizer.stateNames.indices {
      state.optimizerState.append(try readVector(index, companion, model: model, optimizer: optimizer))
    }
    return Checkpoint(metadata: metadata, state: state)
  }

  private static func readVector(
    _ index: Int, _ file: SealedTensorFile, model: Model, optimizer: any Optimizer
  ) throws(CheckpointError) -> FloatStorage {
    let vector = FloatStorage(count: model.flat.count)
    for tensor in model.stateTensors where !tensor.entry.isFrozen {
      guard case .parameters(let offset) = tensor.source else { continue }
      let name = optimizerTensorName(tensor.entry.key, optimizer: optimizer, index: index)
      guard let values = file.floats(name), let shape = file.shapes[name], shape == tensor.entry.shape else {
        let found = file.shapes[name].map { "of the shape \($0)" } ?? "missing"
        throw .mismatch(path: file.path, key: name, expected: "of the shape \(tensor.entry.shape)", found: found)
      }
      vector.pointer.advanced(by: offset).update(from: values.pointer, count: tensor.count)
    }
    return vector
  }

  /// A parameter's own name where the optimizer has one vector; with the vector's name behind it where it has several.
  private static func optimizerTensorName(_ key: String, optimizer: any Optimizer, index: Int) -> String {
    optimizer.stateNames.count == 1 ? key : key + "." + optimizer.stateNames[index]
  }
}
