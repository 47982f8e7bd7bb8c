import Foundation
import Glibc
import Lockstep

/// The run's log, `metrics.jsonl`: one JSON object a line, each written whole.
///
/// When a run is resumed from a checkpoint, lines of later steps are moved to `metrics.superseded.jsonl`; their hashes are
/// kept, for the replay must give the same bits.
public final class MetricsLog {
  /// A line of kind "step".
  public struct Step: Codable, Sendable {
    var kind = "step"
    /// The update, from 1.
    public var step: Int
    /// From 0.
    public var epoch: Int
    /// Main loss + weight · Σ auxiliary losses.
    public var loss: Double
    /// The main loss.
    public var mainLoss: Double
    /// The auxiliary losses, unweighted.
    public var auxLosses: [Double]
    /// Share of right answers.
    public var top1: Double
    /// The rate of this update.
    public var learningRate: Float
    /// The L2 norm of the mean gradient before clipping, where it is clipped.
    public var gradientNorm: Double?
    /// Samples of this step.
    public var samples: Int
    /// From the commit before to this one.
    public var seconds: Double
    /// Samples ÷ seconds.
    public var imagesPerSecond: Double
    /// The digest of the state after this step.
    public var stateHash: Digest
    /// How many workers' sums entered.
    public var workers: Int
    /// Whether the update was left out because something was not finite.
    public var skipped: Bool?

    enum CodingKeys: String, CodingKey {
      case kind, step, epoch, loss, top1, samples, seconds, workers, skipped
      case mainLoss = "main_loss", auxLosses = "aux_losses", learningRate = "learning_rate", gradientNorm =
        "gradient_norm"
      case imagesPerSecond = "images_per_second", stateHash = "state_hash"
    }
  }

  /// A line of kind "epoch".
  public struct Epoch: Codable, Sendable {
    /// What the validation samples gave.
    public struct Validation: Codable, Sendable {
      /// The mean main loss.
      public var loss: Double
      /// Share of right answers.
      public var top1: Double
      /// Share of right answers among the first five.
      public var top5: Double
    }
    var kind = "epoch"
    /// From 0.
    public var epoch: Int
    /// The last step that counts.
    public var step: Int
    /// Samples used since the run began.
    public var samplesSeen: Int
    /// Only where there is a validation set.
    public var validation: Validation?

    enum CodingKeys: String, CodingKey {
      case kind, epoch, step, validation
      case samplesSeen = "samples_seen"
    }
  }

  /// A line of kind "event".
  public struct Event: Codable, Sendable {
    var kind = "event"
    /// What happened, in one word.
    public var event: String
    /// Whom it concerns.
    public var worker: String?
    /// The step that was being computed.
    public var step: Int
    /// A sentence.
    public var detail: String
  }

  private let path: String
  private let file: FileHandle
  private let encoder = JSONEncoder()
  /// Hashes of steps that were logged before the run was resumed from an earlier one.
  public private(set) var superseded: [Int: Digest] = [:]
  /// Steps that have a line of kind "epoch".
  public private(set) var epochs: Set<Int> = []
  /// Steps that have one with a validation result.
  public private(set) var evaluated: Set<Int> = []

  /// Opens the log of a run at a step: of a new run, or of one resumed from that step's checkpoint.
  public init(directory: RunDirectory, resumedAt step: Int) throws(Failure) {
    path = directory.file("metrics.jsonl")
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let old = FileManager.default.contents(atPath: path) ?? Data()
    var kept = Data(), moved = Data()
    for line in old.split(separator: UInt8(ascii: "\n")) {
      // A torn last line is what a crash leaves; it is dropped.
      guard let record = try? JSONDecoder().decode(Position.self, from: line) else { continue }
      if (record.step ?? 0) > step {
        moved += line + [UInt8(ascii: "\n")]
        if let hash = record.hash, let step = record.step { superseded[step] = hash }
      } else {
        kept += line + [UInt8(ascii: "\n")]
        if record.kind == "epoch", let step = record.step {
          epochs.insert(step)
          if record.validation != nil { evaluated.insert(step) }
        }
      }
    }
    if !moved.isEmpty { try Self.append(moved, to: directory.file("metrics.superseded.jsonl")) }
    if kept != old || old.isEmpty { try replaceFile(path, with: kept) }
    guard let file = FileHandle(forWritingAtPath: path) else {
      throw Failure(.cannotWrite, "cannot write \(path): \(String(cString: strerror(errno)))")
    }
    self.file = file
    file.seekToEndOfFile()
  }

  private struct Position: Decodable {
    var kind: String?
    var step: Int?
    var validation: Epoch.Validation?
    var hash: Digest?
    enum CodingKeys: String, CodingKey {
      case kind, step, validation
      case hash = "state_hash"
    }
  }

  /// Appends one line.
  public func write(_ record: some Encodable) throws(Failure) {
    do {
      try file.write(contentsOf: try encoder.encode(record) + [UInt8(ascii: "\n")])
    } catch {
      throw Failure(.cannotWrite, "cannot write \(path): \(error.localizedDescription)")
    }
  }

  private static func append(_ data: Data, to path: String) throws(Failure) {
    let old = FileManager.default.contents(atPath: path) ?? Data()
    try replaceFile(path, with: old + data)
  }
}
