import Foundation
import Lockstep

/// `status.json`: how a run stands, or how and why it ended.
public struct RunStatus: Codable, Sendable {
  /// "running", "done", "interrupted" or "failed".
  public var state: String
  /// The last committed step.
  public var step: Int
  /// Steps of the whole run.
  public var steps: Int
  /// The digest of the state after that step.
  public var stateHash: Digest?
  /// The newest checkpoint's step, if there is one.
  public var checkpoint: Int?
  /// The exit code, once it ended.
  public var exitCode: Int32?
  /// Why it ended.
  public var reason: String?
  /// The newest validation result.
  public var validation: MetricsLog.Epoch.Validation?

  enum CodingKeys: String, CodingKey {
    case state, step, steps, checkpoint, reason, validation
    case stateHash = "state_hash", exitCode = "exit_code"
  }

  /// Writes it into a run's directory.
  public func write(to directory: RunDirectory) throws(Failure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      try replaceFile(directory.file("status.json"), with: try encoder.encode(self) + [UInt8(ascii: "\n")])
    } catch let failure as Failure {
      throw failure
    } catch {
      throw Failure(.cannotWrite, "cannot write \(directory.file("status.json")): \(error)")
    }
  }
}
