import Interchange
import Lockstep
import Models

/// The state that a run starts from when a file is given, and what of it the file could not give.
public struct InheritedState: Sendable {
  /// Version 0.
  public let state: StateSnapshot
  /// Auxiliary heads that the file lacks and classifiers that are for other classes: they have initial values.
  public let startedAnew: [String]
  /// What a user should know about how the file was read.
  public let remarks: [String]
  /// Whether the file says that its weights want torchvision's `transform_input`.
  public let transformsInput: Bool

  /// Reads parameters and buffers of the same model, whatever its heads.
  ///
  /// - Parameters:
  ///   - path: a file with or without our metadata.
  ///   - seed: what the initial values of heads are drawn from.
  /// - Throws: `.damaged`, and what says that the file is of another model.
  public init(path: String, model: Model, seed: UInt64) throws(CheckpointError) {
    let file = try SealedTensorFile(path: TrainedModel.resolve(path), ownKeys: CheckpointMetadata.ownKeys)
    if let name = file.metadata["model"], name != model.definition.name {
      throw .mismatch(path: file.path, key: "model", expected: model.definition.name, found: name)
    }
    transformsInput = try CheckpointMetadata.transformsInput(file)
    (state, startedAnew) = try StateSnapshot.reading(
      file, model: model, step: 0, tolerance: .otherHeads(seed: seed))
    let differences = Self.differences(of: file, model, startedAnew: Set(startedAnew))
    remarks =
      file.remarks.map { printable("'\(path)': \($0)") } + (differences.map { ["'\(path)' \($0)"] } ?? [])
  }

  /// `lacks aux1 and aux2, and has fc for 1000 classes, not 5: these are started anew`; nil where nothing is.
  private static func differences(of file: SealedTensorFile, _ model: Model, startedAnew: Set<String>) -> String? {
    var lacking: [String] = []
    // Layers, in the order of the model, by the number of classes that they have in the file.
    var layers: [(classes: Int, names: [String])] = []
    for entry in model.entries where startedAnew.contains(entry.key) {
      guard let classes = file.shapes[entry.key]?.first else {
        if lacking.last != entry.group { lacking.append(entry.group) }
        continue
      }
      let name = entry.key.split(separator: ".").dropLast().joined(separator: ".")
      if let place = layers.firstIndex(where: { $0.classes == classes }) {
        if layers[place].names.last != name { layers[place].names.append(name) }
      } else {
        layers.append((classes, [name]))
      }
    }
    var parts: [String] = lacking.isEmpty ? [] : ["lacks \(sentence(lacking))"]
    if !layers.isEmpty {
      let texts = layers.map { "\(sentence($0.names)) for \($0.classes) classes" }
      parts.append("has \(sentence(texts)), not \(model.classes)")
    }
    guard !parts.isEmpty else { return nil }
    let count = layers.reduce(lacking.count) { $0 + $1.names.count }
    return parts.joined(separator: ", and ") + (count == 1 ? ": it is started anew" : ": these are started anew")
  }

  /// `a`, `a and b`, `a, b and c`.
  private static func sentence(_ names: [String]) -> String {
    let first = names.dropLast().joined(separator: ", ")
    return first.isEmpty ? names.last ?? "" : "\(first) and \(names[names.count - 1])"
  }
}
