import Foundation

extension RunConfiguration {
  /// What a key decides.
  public enum KeyKind: Sendable {
    /// The bits of every step.
    case trajectory
    /// Where and how the run is carried out; never a bit of it.
    case placement
    /// How long the run is; bits too where the schedule runs to its end.
    case length
  }

  /// What each key of a configuration decides.
  public static let kinds: [String: KeyKind] = [
    "model": .trajectory, "classes": .trajectory, "image-size": .trajectory, "width": .trajectory,
    "data": .placement, "validation": .placement, "samples": .trajectory, "validation-samples": .placement,
    "fingerprint": .trajectory, "validation-fingerprint": .placement, "normalization": .trajectory,
    "augment": .trajectory, "shuffle": .trajectory, "steps": .length, "global-batch": .trajectory,
    "microbatch": .trajectory, "seed": .trajectory, "initial-state": .trajectory, "init-from": .placement,
    "learning-rate": .trajectory, "momentum": .trajectory, "nesterov": .trajectory, "weight-decay": .trajectory,
    "decay": .trajectory, "schedule": .trajectory, "schedule-step-size": .trajectory, "schedule-gamma": .trajectory,
    "schedule-power": .trajectory, "warmup-steps": .trajectory, "label-smoothing": .trajectory,
    "aux-weight": .trajectory,
    "dropout": .trajectory, "output": .placement, "checkpoint-every": .placement, "keep": .placement,
    "transform-input": .trajectory, "freeze": .trajectory, "optimizer": .trajectory,
    "trunk-learning-rate-factor": .trajectory, "rmsprop-decay": .trajectory, "epsilon": .trajectory,
    "lars-trust": .trajectory, "clip-norm": .trajectory, "average": .trajectory, "average-decay": .trajectory,
    "average-start": .trajectory, "labels": .placement,
  ]

  /// Whether the learning rate of a step depends on the run's length.
  public var scheduleDependsOnLength: Bool { schedule == .polynomial || schedule == .cosine }

  /// The digest of the trajectory keys (and of the length, where the schedule depends on it).
  public var trajectoryDigest: Digest {
    Digest(of: Array(trajectory.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined().utf8))
  }

  /// The keys in which two configurations lead to different bits.
  public func trajectoryDifferences(from other: RunConfiguration) -> [String] {
    let mine = trajectory, theirs = other.trajectory
    return Set(mine.keys).union(theirs.keys).filter { mine[$0] != theirs[$0] }.sorted()
  }

  /// The plan of its samples.
  public var trainingPlan: TrainingPlan {
    TrainingPlan(sampleCount: samples, globalBatch: globalBatch, microbatch: microbatch, shuffle: shuffle, seed: seed)
  }

  /// The leaves of one pass over the validation samples, in dataset order; nil where there are none.
  public var validationPlan: LeafPlan? {
    validationSamples > 0 ? LeafPlan(sampleCount: validationSamples, microbatch: microbatch) : nil
  }

  /// The trajectory keys and their values as canonical JSON fragments.
  private var trajectory: [String: String] {
    var result: [String: String] = [:]
    for (key, value) in fragments {
      switch Self.kinds[key] {
      case .trajectory: result[key] = value
      case .length where scheduleDependsOnLength: result[key] = value
      default: break
      }
    }
    return result
  }

  /// Every key that is set, with its value's canonical JSON.
  var fragments: [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Encoding a struct of strings, numbers and enums cannot fail.
    guard let data = try? encoder.encode(self),
      let object = try? JSONDecoder().decode([String: JSONFragment].self, from: data)
    else { preconditionFailure("a configuration is plain data") }
    return object.mapValues(\.text)
  }
}

/// A JSON scalar, or a list of strings, as text that reads back exactly.
private struct JSONFragment: Decodable {
  let text: String

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Bool.self) {
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
