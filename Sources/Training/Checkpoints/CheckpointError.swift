import Interchange

/// What can go wrong with a checkpoint.
public enum CheckpointError: Error, Hashable, Sendable {
  /// A file is missing, unreadable, torn, or not what its digest says.
  case damaged(path: String, reason: String)
  /// The operating system refused to write.
  case cannotWrite(path: String, reason: String)
  /// A file is whole, but of another model.
  case mismatch(path: String, key: String, expected: String, found: String)
  /// A checkpoint was computed by other values of some keys than its run has.
  case otherTrajectory(path: String, keys: [String])
  /// A file is whole, but lacks tensors of the model or has others.
  case otherTensors(path: String, model: String, missing: [String], unexpected: [String])
  /// A file is whole and has the model's tensors, but some have other shapes or elements.
  case otherShapes(path: String, tensors: [TensorMismatch])
  /// A file does not say which model it is of, and its tensors do not tell.
  case unknownModel(path: String, nearest: String, missing: [String], unexpected: [String])
  /// A directory has no checkpoint that can be used.
  case noCheckpoint(directory: String, skipped: [SkippedCheckpoint])

  /// The exit code a program ends with.
  public var exitCode: Int32 {
    switch self {
    case .damaged, .noCheckpoint, .unknownModel: 65
    case .cannotWrite: 73
    case .mismatch, .otherTrajectory, .otherTensors, .otherShapes: 78
    }
  }

  /// Says the same of a safetensors file's trouble.
  init(_ error: InterchangeError, path: String) {
    if case .cannotWrite = error {
      self = .cannotWrite(path: path, reason: error.description)
    } else {
      self = .damaged(path: path, reason: error.description)
    }
  }
}

/// A tensor that does not fit a model.
public struct TensorMismatch: Hashable, Sendable {
  /// The key.
  public var name: String
  /// What it is in the model, and in the file: "of the shape [3, 4]".
  public var expected: String, found: String
}

/// A checkpoint that could not be used, and why.
public struct SkippedCheckpoint: Hashable, Sendable {
  /// The version that its name announces.
  public var step: Int
  /// What is wrong, with the file's name.
  public var reason: String
}

extension CheckpointError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .damaged, .cannotWrite, .mismatch, .otherTrajectory: printable(sentence)
    // Their lists are cut before, so that what follows them is seen.
    case .otherTensors, .otherShapes, .unknownModel, .noCheckpoint: printable(sentence, limit: 3 * Self.listLimit)
    }
  }

  /// So many characters that all names of the largest model of the catalog fit, with their shapes.
  private static let listLimit = 60_000

  private var sentence: String {
    switch self {
    case .damaged(_, let reason), .cannotWrite(_, let reason): reason
    case .mismatch(let path, let key, let expected, let found):
      "'\(path)' does not fit the model: '\(key)' is \(found) there and \(expected) in the model; "
        + Self.advice
    case .otherShapes(let path, let tensors):
      "'\(path)' does not fit the model: "
        + Self.list(tensors.map { "'\($0.name)' is \($0.found) there and \($0.expected) in the model" }) + "; "
        + Self.advice
    case .otherTrajectory(let path, let keys):
      "'\(path)' was computed with other values of \(keys.joined(separator: ", ")) than the run's config.json has, "
        + "which would change its bits; restore them there, or start a new run with --init-from"
    case .otherTensors(let path, let model, let missing, let unexpected):
      "'\(path)' does not fit \(model): " + Self.differences(missing, unexpected)
        + "; use the --model that the file was written with, or another file"
    case .unknownModel(let path, let nearest, let missing, let unexpected):
      "'\(path)' does not say which model it is of, and its tensors are those of none; the nearest is \(nearest), of which "
        + Self.differences(missing, unexpected) + "; name the model with --model, or use another file"
    case .noCheckpoint(let directory, let skipped):
      skipped.isEmpty
        ? "'\(directory)' holds no checkpoint; start the run anew, or name another directory"
        : "'\(directory)' holds no whole checkpoint; start the run anew. "
          + skipped.map { "Step \($0.step): \($0.reason)" }.joined(separator: "; ")
    }
  }

  private static let advice =
    "use the --model, --classes, --width and --image-size that the file was written with, or another file"

  private static func differences(_ missing: [String], _ unexpected: [String]) -> String {
    var parts: [String] = []
    if !missing.isEmpty { parts.append("it lacks \(list(missing))") }
    if !unexpected.isEmpty { parts.append("it has \(list(unexpected)), which the model has not") }
    return parts.joined(separator: ", and ")
  }

  /// All of some names, whichever model they are of. A file may have any number of them, which must not push out of sight
  /// what is said behind them.
  private static func list(_ names: [String]) -> String {
    let shown = printable(names.joined(separator: ", "), limit: listLimit)
    return shown.hasSuffix("…") ? "\(shown) (\(names.count) in all)" : shown
  }
}
