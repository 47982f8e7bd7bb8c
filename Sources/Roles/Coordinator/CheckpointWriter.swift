import Foundation
import Lockstep
import Models
import Training
import Wire

/// Writes checkpoints aside while training goes on: one at a time, on a thread of its own.
final class CheckpointWriter {
  private let store: CheckpointStore
  private let model: Model
  private let configuration: RunConfiguration
  private let classNames: [String]
  private let directory: RunDirectory
  private let outcome = Outcome()
  /// The newest version that was given to it.
  private(set) var newestStep: Int?

  /// What the writing thread leaves behind.
  private final class Outcome: @unchecked Sendable {
    // Guarded by the condition's lock.
    let condition = NSCondition()
    var isWriting = false
    var failure: Failure?
    var written: Int?
  }

  init(
    _ directory: RunDirectory, _ model: Model, _ configuration: RunConfiguration, classNames: [String], newestStep: Int?
  ) {
    (self.directory, self.model, self.configuration) = (directory, model, configuration)
    (self.classNames, self.newestStep) = (classNames, newestStep)
    store = CheckpointStore(directory: directory.checkpoints, keep: configuration.keep)
    outcome.written = newestStep
  }

  /// Begins to write a version, once the one before is written.
  func save(_ state: StateSnapshot) throws(Failure) {
    try finish()
    newestStep = state.step
    let (store, model, configuration, classNames) = (store, model, configuration, classNames)
    let (directory, outcome) = (directory, outcome)
    outcome.isWriting = true
    Thread.detachNewThread {
      var failure: Failure?
      if directory.isStillOurs {
        do throws(CheckpointError) {
          try store.save(
            state, of: model, configuration: configuration, classNames: classNames, runID: directory.runID.bits)
        } catch {
          failure = Failure(error)
        }
      } else {
        failure = Failure(.cannotWrite, "a later coordinator has taken over \(directory.path); this one stops")
      }
      outcome.condition.lock()
      (outcome.isWriting, outcome.failure) = (false, failure)
      if failure == nil { outcome.written = state.step }
      outcome.condition.broadcast()
      outcome.condition.unlock()
    }
  }

  /// Waits until nothing is being written.
  func finish() throws(Failure) {
    outcome.condition.lock()
    while outcome.isWriting { outcome.condition.wait() }
    outcome.condition.unlock()
    try check()
  }

  /// Throws if the last writing failed.
  func check() throws(Failure) {
    outcome.condition.lock()
    defer { outcome.condition.unlock() }
    if let failure = outcome.failure { throw failure }
  }

  /// The newest version that is on disk.
  var writtenStep: Int? {
    outcome.condition.lock()
    defer { outcome.condition.unlock() }
    return outcome.written
  }
}
