import Foundation
import Lockstep
import Models

/// What a user asked to run: a new run or an old one continued, and where its files are.
public struct RunStart: Sendable {
  /// The run's directory.
  public let output: String
  /// Whether a run that stands in `output` is continued.
  public let isResuming: Bool
  /// The user's options, completed by those of the continued run.
  let options: RunOptions
  /// The configuration of the continued run.
  let stored: RunConfiguration?

  /// Decides from the options and `--resume` (a folder, or "auto") whether the run is new.
  ///
  /// - Parameter flags: those of the options that were given on the command line: each must be of use.
  public init(options: RunOptions, resume: String?, flags: RunOptions = RunOptions()) throws(Failure) {
    switch resume {
    case nil:
      let model = options.text("model") ?? RunStart.defaultModel
      output = options.text("output") ?? RunDirectory.unusedPath(model: model)
      isResuming = false
    case "auto":
      guard let folder = options.text("output") else {
        throw Failure(.usage, "--resume auto needs --output, the folder that may hold the run")
      }
      (output, isResuming) = (folder, RunDirectory.holdsRun(folder))
    case .some(let folder):
      guard RunDirectory.holdsRun(folder) else {
        throw Failure(.badData, "\(folder) holds no run; leave out --resume to start one, or name another folder")
      }
      if let given = options.text("output"), given != folder {
        throw Failure(.usage, "--resume \(folder) continues in its own folder; leave out --output \(given)")
      }
      (output, isResuming) = (folder, true)
    }
    guard isResuming else {
      if RunDirectory.holdsRun(output) {
        throw Failure(
          .cannotWrite, "\(output) already holds a run; continue it with --resume \(output), or choose another --output"
        )
      }
      (self.options, stored) = (options, nil)
      try options.refuseUnread(flags)
      return
    }
    let path = output + "/config.json"
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(.badData, "cannot read \(path), the configuration of the run to continue")
    }
    do {
      stored = try JSONDecoder().decode(RunConfiguration.self, from: data)
    } catch {
      throw Failure(.badData, "\(path) is damaged (\(error)); restore it, or start a new run elsewhere")
    }
    self.options = options.over(try RunOptions.fromFile(path))
    try self.options.refuseUnread(flags)
  }

  static let defaultModel = "googlenet-seed"

  /// The resolved configuration as JSON, for `--dry-run`.
  public func describe() throws(Failure) -> String {
    try PreparedRun(self).configuration.json
  }
}

extension RunConfiguration {
  /// As in `config.json`.
  var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { preconditionFailure("a configuration is plain data") }
    return String(decoding: data, as: UTF8.self)
  }
}
