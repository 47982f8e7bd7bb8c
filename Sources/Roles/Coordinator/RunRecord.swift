import Coordination
import Datasets
import Foundation
import Lockstep
import Training
import Wire

/// What a coordinator keeps of a run as it goes: metrics, checkpoints, status, and what a person sees of it.
final class RunRecord {
  private let directory: RunDirectory
  private let prepared: PreparedRun
  private var configuration: RunConfiguration { prepared.configuration }
  private let plan: TrainingPlan
  private let metrics: MetricsLog
  private let checkpoints: CheckpointWriter
  private let line: StatusLine
  private var status: RunStatus
  private var lastCommit = ContinuousClock.now
  private var isTiming = false
  private var rate = 0.0
  private var skippedInRow = 0
  private var failure: Failure?

  /// Updates that may be skipped one after the other before the run is called diverged.
  private static let skipLimit = 10

  init(_ directory: RunDirectory, _ prepared: PreparedRun, _ training: TrainingState, _ line: StatusLine, isNew: Bool)
    throws(Failure)
  {
    (self.directory, self.prepared, self.line) = (directory, prepared, line)
    plan = prepared.configuration.trainingPlan
    try replaceFile(directory.file("config.json"), with: Data((prepared.configuration.json + "\n").utf8))
    metrics = try MetricsLog(directory: directory, resumedAt: training.step)
    checkpoints = CheckpointWriter(
      directory, prepared.model, prepared.configuration, classNames: prepared.classNames,
      newestStep: isNew ? nil : training.step)
    status = RunStatus(
      state: "running", step: training.step, steps: prepared.configuration.steps, stateHash: training.stateHash())
    // Version 0 is kept too, so that a run can always be continued from something.
    if isNew {
      try checkpoints.save(training.snapshot())
      try checkpoints.finish()
    }
    try writeStatus()
    if endsEpoch(training.step), prepared.configuration.validationPlan == nil { try writeEpoch(training.step, nil) }
  }

  /// Whether a version's evaluation is in the log already.
  func isEvaluated(_ step: Int) -> Bool { metrics.evaluated.contains(step) }

  /// Throws if something went wrong aside.
  func check() throws(Failure) {
    if let failure { throw failure }
    try checkpoints.check()
  }

  /// An update was committed, or skipped.
  func commit(_ outcome: TrainingState.Outcome, _ training: TrainingState, learningRate: Float, workers: Int)
    throws(Failure)
  {
    let now = ContinuousClock.now
    let seconds = Self.seconds(now - lastCommit)
    lastCommit = now
    let hash = training.stateHash(), step = outcome.step
    if let old = metrics.superseded[step], old != hash {
      throw Failure(
        .diverged,
        "step \(step) was computed again after resuming and gave other bits (\(hash) instead of \(old)): some host computes "
          + "wrongly; look at events in \(directory.file("metrics.jsonl"))")
    }
    let m = outcome.metrics
    let speed = seconds > 0 ? Double(m.samples) / seconds : 0
    rate = rate == 0 ? speed : 0.9 * rate + 0.1 * speed
    try metrics.write(
      MetricsLog.Step(
        step: step, epoch: plan.epoch(ofStep: step), loss: m.loss, mainLoss: m.mainLoss, auxLosses: m.auxLosses,
        top1: m.top1,
        learningRate: learningRate, gradientNorm: outcome.gradientNorm, samples: m.samples, seconds: seconds,
        imagesPerSecond: speed, stateHash: hash,
        workers: workers, skipped: outcome.skipped == nil ? nil : true))
    (status.step, status.stateHash) = (step, hash)
    try skip(outcome)
    let isLast = step == configuration.steps
    if step % configuration.checkpointEvery == 0 || plan.endsEpoch(step) || isLast {
      try checkpoints.save(training.snapshot())
      try writeStatus()
    }
    if endsEpoch(step), configuration.validationPlan == nil { try writeEpoch(step, nil) }
    line.progress(progress(m, workers: workers), isLast: isLast)
  }

  private func skip(_ outcome: TrainingState.Outcome) throws(Failure) {
    guard let what = outcome.skipped else {
      skippedInRow = 0
      return
    }
    skippedInRow += 1
    try event(
      "skipped", worker: nil, step: outcome.step,
      "step \(outcome.step) was skipped: its \(what.rawValue) was not finite")
    guard skippedInRow < Self.skipLimit else {
      throw Failure(
        .diverged,
        "training diverged: \(skippedInRow) updates in a row were not finite, the last at step \(outcome.step); "
          + "start again with a lower --learning-rate or a longer --warmup-steps")
    }
  }

  /// A version was evaluated.
  func evaluated(_ step: Int, _ statistics: [Double]) throws(Failure) {
    let m = statistics.withUnsafeBufferPointer { EvaluationMetrics(statistics: $0, model: prepared.model) }
    let validation = MetricsLog.Epoch.Validation(loss: m.loss, top1: m.top1, top5: m.top5)
    try writeEpoch(step, validation)
    status.validation = validation
    try writeStatus()
    line.say(
      "epoch \(plan.epoch(ofStep: step) + 1): validation top-1 \(Self.percent(m.top1)), top-5 \(Self.percent(m.top5)), "
        + "loss \(StatusLine.number(m.loss, decimals: 4)) on \(m.samples) samples")
    lastCommit = ContinuousClock.now
  }

  /// Something happened to a worker.
  func note(_ event: CoordinatorState.Event, step: Int) {
    do throws(Failure) {
      switch event {
      case .joined(let name, _, let threads):
        // The first step's time counts from when there was somebody to compute it.
        if !isTiming { (isTiming, lastCommit) = (true, ContinuousClock.now) }
        try self.event("joined", worker: name, step: step, "worker \(name) joined, \(threads) threads")
      case .returned(let name): try self.event("returned", worker: name, step: step, "worker \(name) is back")
      case .left(let name): try self.event("left", worker: name, step: step, "worker \(name) left")
      case .lost(let name, let cause):
        let how = cause == .silent ? "has been silent for too long" : "closed its connection"
        try self.event("lost", worker: name, step: step, "worker \(name) \(how); others take over its work")
      case .stalled(let name):
        try self.event(
          "stalled", worker: name, step: step, "worker \(name) finishes nothing; others take over its work")
      case .refused(let name, let code, let reason):
        try self.event("refused", worker: name, step: step, "worker \(name) was refused (\(code)): \(reason)")
      case .waitingForWorkers: try self.event("waiting", worker: nil, step: step, "waiting for workers")
      case .reassigned(let pass, let leaves, let name):
        // Helping out at the end of a step is nothing that people need to see.
        try metrics.write(
          MetricsLog.Event(
            event: "reassigned", worker: name, step: step,
            detail: "\(leaves.count) leaves of \(pass) also go to \(name)"))
      case .planned, .finishedShare: break
      }
    } catch {
      failure = failure ?? error
    }
  }

  /// The run ends: saves what is committed and says how it went.
  func end(_ code: ExitCode, _ reason: String, _ training: TrainingState) throws(Failure) {
    var ending: (code: ExitCode, reason: String) = (code, reason)
    do throws(Failure) {
      if checkpoints.newestStep != training.step, code != .cannotWrite { try checkpoints.save(training.snapshot()) }
      try checkpoints.finish()
    } catch {
      if code == .done || code == .interrupted || code == .terminated { ending = (error.code, error.description) }
    }
    status.state =
      switch ending.code {
      case .done: "done"
      case .interrupted, .terminated: "interrupted"
      default: "failed"
      }
    (status.exitCode, status.reason) = (ending.code.rawValue, ending.reason)
    // What went wrong matters more than that this cannot be written too.
    do throws(Failure) { try writeStatus() } catch { line.warn(error.description) }
    if ending.code != code { throw Failure(ending.code, ending.reason) }
    switch code {
    case .done: line.say("done: \(training.step) steps; newest checkpoint \(newestPath)")
    case .interrupted, .terminated:
      line.say("stopped at step \(training.step), saved as \(newestPath); continue with --resume \(directory.path)")
    default: break
    }
  }

  // MARK: - Writing

  private var newestPath: String {
    checkpoints.writtenStep.map { directory.checkpoints + "/" + Checkpoint.fileName(step: $0) } ?? directory.checkpoints
  }

  private func endsEpoch(_ step: Int) -> Bool {
    step > 0 && (plan.endsEpoch(step) || step == configuration.steps) && !metrics.epochs.contains(step)
  }

  private func writeEpoch(_ step: Int, _ validation: MetricsLog.Epoch.Validation?) throws(Failure) {
    let full = step / plan.stepsPerEpoch
    let seen = full * plan.sampleCount + step % plan.stepsPerEpoch * plan.globalBatch
    try metrics.write(
      MetricsLog.Epoch(epoch: plan.epoch(ofStep: step), step: step, samplesSeen: seen, validation: validation))
  }

  private func writeStatus() throws(Failure) {
    status.checkpoint = checkpoints.writtenStep
    try status.write(to: directory)
  }

  private func event(_ name: String, worker: String?, step: Int, _ detail: String) throws(Failure) {
    line.say(detail)
    try metrics.write(MetricsLog.Event(event: name, worker: worker, step: step, detail: detail))
  }

  private func progress(_ m: StepMetrics, workers: Int) -> String {
    let remaining = Double(configuration.steps - status.step) * Double(configuration.globalBatch)
    let left = rate > 0 ? StatusLine.duration(remaining / rate) : "?"
    return "step \(status.step)/\(configuration.steps), epoch \(plan.epoch(ofStep: status.step) + 1): "
      + "loss \(StatusLine.number(m.loss, decimals: 4)), top-1 \(Self.percent(m.top1)), "
      + "\(StatusLine.number(rate, decimals: 1)) images/s, \(workers) worker\(workers == 1 ? "" : "s"), \(left) left"
  }

  private static func percent(_ share: Double) -> String { StatusLine.number(share * 100, decimals: 1) + " %" }

  private static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
