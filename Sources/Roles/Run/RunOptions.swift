import Foundation
import Lockstep

/// Options of a run as a user gives them, before defaults, the model and the data have completed them.
///
/// They come, the first one winning, from flags, from environment variables (`--global-batch` is `TRAINER_GLOBAL_BATCH`),
/// from a `--config` file with the same keys, and, when a run is resumed, from its `config.json`.
public struct RunOptions: Sendable {
  /// Every key that a user may give, as the flags are called.
  public static let keys = [
    "model", "classes", "image-size", "width", "data", "validation", "epochs", "steps", "global-batch", "microbatch",
    "learning-rate", "momentum", "nesterov", "weight-decay", "decay", "schedule", "schedule-step-size",
    "schedule-gamma",
    "schedule-step-epochs", "schedule-power", "warmup-steps", "warmup-epochs", "label-smoothing", "aux-weight",
    "dropout", "augment", "shuffle", "normalization",
    "seed", "init-from", "transform-input", "freeze", "optimizer", "trunk-learning-rate-factor", "rmsprop-decay",
    "epsilon", "lars-trust", "clip-norm", "average", "average-decay", "average-start", "output", "checkpoint-every",
    "keep", "labels",
  ]
  /// Lengths that may be given in steps or in epochs.
  private static let lengths = [
    ["steps", "epochs"], ["schedule-step-size", "schedule-step-epochs"], ["warmup-steps", "warmup-epochs"],
  ]
  /// Keys of `config.json` that are results, not choices: accepted in a file and left out.
  private static let derived = [
    "samples", "validation-samples", "fingerprint", "validation-fingerprint", "initial-state",
  ]

  /// What was given, as text.
  public private(set) var values: [String: String] = [:]

  /// Nothing given yet.
  public init() {}

  /// Sets a value; nil leaves the key as it is.
  public mutating func set(_ key: String, _ value: (some CustomStringConvertible)?) {
    precondition(Self.keys.contains(key), "\(key) is not an option of a run")
    if let value { values[key] = value.description }
  }

  /// Forgets a value.
  public mutating func remove(_ key: String) { values[key] = nil }

  /// These options, completed by those of a weaker source. A length given in steps hides one given in epochs, and the other
  /// way round.
  public func over(_ weaker: RunOptions) -> RunOptions {
    var result = weaker
    for keys in Self.lengths where keys.contains(where: { values[$0] != nil }) {
      for key in keys { result.values[key] = nil }
    }
    result.values.merge(values) { $1 }
    return result
  }

  /// Options given by environment variables.
  public static func fromEnvironment(_ environment: [String: String] = ProcessInfo.processInfo.environment)
    -> RunOptions
  {
    var result = RunOptions()
    for key in keys {
      let name = "TRAINER_" + key.uppercased().replacingOccurrences(of: "-", with: "_")
      if let value = environment[name], !value.isEmpty { result.values[key] = value }
    }
    return result
  }

  /// Options given by a JSON file: one object of flags' names and values; a list of strings is a value too.
  public static func fromFile(_ path: String) throws(Failure) -> RunOptions {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(.badData, "cannot read the configuration file \(path)")
    }
    let object: [String: ConfigurationValue]
    do {
      object = try JSONDecoder().decode([String: ConfigurationValue].self, from: data)
    } catch {
      throw Failure(.usage, "\(path) is not one JSON object of option names and plain values: \(error)")
    }
    var result = RunOptions()
    for (key, value) in object.sorted(by: { $0.key < $1.key }) where !derived.contains(key) {
      guard keys.contains(key) else {
        throw Failure(.usage, "\(path): there is no option '\(key)'; the options are \(keys.joined(separator: ", "))")
      }
      result.values[key] = value.text
    }
    return result
  }

  /// As flags of a command line.
  public var arguments: [String] {
    Self.keys.flatMap { key in values[key].map { ["--\(key)", $0] } ?? [] }
  }

  func text(_ key: String) -> String? { values[key] }

  func number<Value: LosslessStringConvertible>(_ key: String, _: Value.Type = Value.self) throws(Failure) -> Value? {
    guard let text = values[key] else { return nil }
    guard let value = Value(text) else {
      throw Failure(.usage, "--\(key): '\(text)' is not a number of the kind it needs")
    }
    return value
  }

  func flag(_ key: String) throws(Failure) -> Bool? {
    switch values[key] {
    case nil: return nil
    case "on", "true": return true
    case "off", "false": return false
    case .some(let text): throw Failure(.usage, "--\(key): '\(text)' is neither on nor off")
    }
  }

  /// A number that may be taken back with the word `none`: the outer nil where it was not given.
  func numberOrNone(_ key: String) throws(Failure) -> Double?? {
    text(key) == "none" ? .some(nil) : try number(key, Double.self).map { .some($0) }
  }

  /// Words between commas.
  func list(_ key: String) -> [String]? {
    values[key].map { $0.split(separator: ",").map(String.init) }
  }

  func choice<Value: RawRepresentable & CaseIterable>(_ key: String) throws(Failure) -> Value?
  where Value.RawValue == String {
    guard let text = values[key] else { return nil }
    guard let value = Value(rawValue: text) else {
      let choices = Value.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure(.usage, "--\(key): '\(text)' is not one of \(choices)")
    }
    return value
  }
}

/// A value of a configuration file.
private struct ConfigurationValue: Decodable {
  let text: String

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Bool.self) {
      text = value ? "on" : "off"
    } else if let value = try? container.decode(Int.self) {
      text = String(value)
    } else if let value = try? container.decode(UInt64.self) {
      text = String(value)
    } else if let value = try? container.decode(Double.self) {
      text = String(value)
    } else if let value = try? container.decode([String].self) {
      text = value.joined(separator: ",")
    } else {
      text = try container.decode(String.self)
    }
  }
}
