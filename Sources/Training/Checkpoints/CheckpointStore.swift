import Foundation
import Interchange
import Lockstep
import Models

/// The checkpoints of a run: writes versions, keeps the newest few, finds the newest whole one.
///
/// One process writes to a directory at a time; the run's lock sees to that.
public struct CheckpointStore: Sendable {
  /// Where the files are, usually `checkpoints` in the run's directory.
  public let directory: String
  /// How many versions are kept.
  public let keep: Int

  /// Names a directory, which need not be there yet.
  public init(directory: String, keep: Int) {
    precondition(keep >= 1, "a run keeps a checkpoint")
    (self.directory, self.keep) = (directory, keep)
  }

  /// The newest whole checkpoint, and the newer ones that were passed over.
  public struct Newest: Sendable {
    /// What was found.
    public var checkpoint: Checkpoint
    /// What is damaged, newest first.
    public var skipped: [SkippedCheckpoint]
  }

  /// Writes a version, names it in `latest` and removes versions beyond those that are kept.
  ///
  /// The files of the optimizer and of the average are written first, so that a file of parameters always has its
  /// companions.
  ///
  /// - Returns: the path of the file of parameters.
  /// - Throws: `.cannotWrite`; every older version is then still there.
  @discardableResult
  public func save(
    _ state: StateSnapshot, of model: Model, configuration: RunConfiguration, classNames: [String], runID: Digest
  ) throws(CheckpointError) -> String {
    let metadata = CheckpointMetadata(
      configuration: configuration, classNames: classNames, runID: runID, step: state.step)
    let optimizer = OptimizerCatalog.optimizer(for: configuration)
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      let reason = "cannot create '\(directory)': \(error.localizedDescription); choose another place"
      throw .cannotWrite(path: directory, reason: reason)
    }
    let path = path(Checkpoint.fileName(step: state.step))
    try Checkpoint.writeOptimizerState(
      state, of: model, optimizer: optimizer, metadata: metadata,
      to: self.path(Checkpoint.optimizerFileName(step: state.step)))
    if let average = state.average {
      try Checkpoint.writeAverage(
        average, of: state, model, kind: configuration.average, metadata: metadata,
        to: self.path(Checkpoint.averagedFileName(step: state.step)))
    }
    try Checkpoint.writeParameters(state, of: model, metadata: metadata, to: path)
    do throws(InterchangeError) {
      let latest = Checkpoint.fileName(step: state.step) + "\n"
      try AtomicFile.write(Array(latest.utf8), to: self.path("latest"))
    } catch {
      throw CheckpointError(error, path: self.path("latest"))
    }
    prune(newest: state.step)
    return path
  }

  /// The versions whose file of parameters is there, newest first; whether they are whole, reading tells.
  public func steps() -> [Int] {
    files().compactMap(Checkpoint.step(ofFileName:)).sorted(by: >)
  }

  /// Reads the newest version that is whole, passing over damaged ones.
  ///
  /// - Throws: `.noCheckpoint` where there is no whole one; `.mismatch` where one is whole but of another model,
  ///   `.otherTrajectory` where it is of a run with other bits.
  public func newest(model: Model, configuration: RunConfiguration) throws(CheckpointError) -> Newest {
    var skipped: [SkippedCheckpoint] = []
    for step in steps() {
      do throws(CheckpointError) {
        let checkpoint = try Checkpoint.read(
          directory: directory, step: step, model: model, configuration: configuration)
        return Newest(checkpoint: checkpoint, skipped: skipped)
      } catch {
        guard case .damaged(_, let reason) = error else { throw error }
        skipped.append(SkippedCheckpoint(step: step, reason: reason))
      }
    }
    throw .noCheckpoint(directory: directory, skipped: skipped)
  }

  private func path(_ name: String) -> String { directory + "/" + name }

  private func files() -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
  }

  /// Removes old versions and what interrupted writes left. A file that cannot be removed does no harm and is tried again
  /// at the next checkpoint.
  private func prune(newest: Int) {
    let kept = Set(steps().prefix(keep) + [newest])
    for name in files().sorted(by: >) {
      let isOld = Checkpoint.step(ofAnyFileName: name).map { !kept.contains($0) } ?? false
      let isPartial = name.hasPrefix(".step-") && name.hasSuffix(".partial")
      // In descending order "step-N.safetensors" goes before its companions: none is ever without them.
      if isOld || isPartial { unlink(path(name)) }
    }
  }
}
