import Foundation
import Glibc
import Interchange
import Lockstep
import Synchronization
import Wire

/// The directory of a run: where its files are, who may write them, and which term it is in.
///
/// `run.json` holds the run id and the term, which counts the coordinator's starts: raised and synced to disk before the
/// first bind, so that a coordinator that was thought dead can tell that it has been replaced. A new run's is written when
/// everything else is there that a run is continued from: a folder without it is free for another attempt.
public final class RunDirectory: Sendable {
  /// The directory.
  public let path: String
  /// The run, made once and kept over resumes.
  public let runID: RunID
  /// This coordinator's start.
  public let term: Int
  private let lock: Int32
  /// Whether `run.json` is there.
  private let hasBegun = Atomic<Bool>(false)

  private struct Record: Codable {
    var run: Digest
    var term: Int
  }

  /// Opens the directory for a new run (which must not hold one yet) or an old one and locks it; raises the term of an old
  /// one. A new one is to `begin`.
  public init(path: String, resuming: Bool) throws(Failure) {
    self.path = path
    do {
      try FileManager.default.createDirectory(atPath: path + "/checkpoints", withIntermediateDirectories: true)
    } catch {
      throw Failure(.cannotWrite, "cannot make the run's directory \(path): \(error.localizedDescription)")
    }
    lock = open(path + "/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    guard lock >= 0 else {
      throw Failure(.cannotWrite, "cannot write \(path)/lock: \(String(cString: strerror(errno)))")
    }
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      close(lock)
      throw Failure(.cannotWrite, "another coordinator is writing to \(path); stop it, or choose another --output")
    }
    let previous: Record?
    do throws(Failure) {
      previous = try Self.record(in: path)
      if !resuming, previous != nil {
        throw Failure(
          .cannotWrite, "\(path) already holds a run; continue it with --resume \(path), or choose another --output")
      }
      let random = { UInt64.random(in: 1...UInt64.max) }
      runID = RunID(bits: previous?.run ?? Digest(high: random(), low: random()))
      term = (previous?.term ?? 0) + 1
    } catch {
      close(lock)
      throw error
    }
    if resuming { try begin() }
  }

  /// Makes it a run's: from now on it can be continued, and only that.
  func begin() throws(Failure) {
    do {
      try replaceFile(file("run.json"), with: try JSONEncoder().encode(Record(run: runID.bits, term: term)))
    } catch {
      throw error as? Failure ?? Failure(.cannotWrite, "cannot write \(file("run.json")): \(error)")
    }
    hasBegun.store(true, ordering: .sequentiallyConsistent)
  }

  deinit { close(lock) }

  /// Whether a directory holds a run.
  public static func holdsRun(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path + "/run.json") }

  /// Removes what a run that never began has written.
  func discard() {
    for name in ["run.json", "config.json", "status.json", "metrics.jsonl", "lock", "checkpoints"] {
      try? FileManager.default.removeItem(atPath: file(name))
    }
    // Only if nothing of somebody else's is in it.
    rmdir(path)
  }

  /// Whether no later coordinator has taken this directory over; asked before every rename.
  public var isStillOurs: Bool {
    !hasBegun.load(ordering: .sequentiallyConsistent) || (try? Self.record(in: path))?.term == term
  }

  /// A file of the run.
  public func file(_ name: String) -> String { path + "/" + name }

  /// Where the checkpoints are.
  public var checkpoints: String { path + "/checkpoints" }

  /// The first of MODEL-1, MODEL-2, … under `runs` that does not exist yet.
  public static func unusedPath(model: String) -> String {
    var number = 1
    while FileManager.default.fileExists(atPath: "runs/\(model)-\(number)") { number += 1 }
    return "runs/\(model)-\(number)"
  }

  private static func record(in path: String) throws(Failure) -> Record? {
    guard let data = FileManager.default.contents(atPath: path + "/run.json") else { return nil }
    do {
      return try JSONDecoder().decode(Record.self, from: data)
    } catch {
      throw Failure(.badData, "\(path)/run.json is damaged (\(error)); restore it or start a new run elsewhere")
    }
  }
}

/// Replaces a file as a whole: readers see the old contents or the new, never a part.
func replaceFile(_ path: String, with data: Data) throws(Failure) {
  try failing { try AtomicFile.write(Array(data), to: path) }
}
