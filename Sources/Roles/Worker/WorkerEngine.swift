import Compute
import Coordination
import Datasets
import Foundation
import Lockstep
import Models
import Synchronization
import Training
import Transport
import Wire

/// The thread of a worker that computes: one leaf at a time, reporting bucket by bucket.
final class WorkerEngine: @unchecked Sendable {
  /// A leaf, and all the memory that its computing touches.
  struct Job: @unchecked Sendable {
    let task: LeafTask
    let arena: VersionArena
    let result: SumBuffer
    let siblings: [SumBuffer]
    let loader: LeafLoader
    let request: Int
    let epoch: Int
    let set: SampleSet
  }

  /// What it has done.
  enum Report: Sendable {
    case loading
    case bucket(Pass, leaf: Int, Int)
    case finished(Pass, leaf: Int, seconds: Double)
    case failed(Fault)
  }

  private let configuration: RunConfiguration
  private let model: Model
  private let threads: Int
  private let wakeup: Wakeup

  // Guarded by the condition's lock.
  private let condition = NSCondition()
  private var jobs: [Job] = []
  private var reports: [Report] = []
  private var isStopped = false

  /// Starts the thread.
  ///
  /// - Parameter wakeup: signalled when there is something to report.
  init(model: Model, configuration: RunConfiguration, threads: Int, wakeup: Wakeup) {
    (self.model, self.configuration, self.threads, self.wakeup) = (model, configuration, threads, wakeup)
    let thread = Thread { [self] in work() }
    thread.name = "engine"
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Computes a leaf after those that were given before.
  func start(_ job: Job) {
    condition.lock()
    jobs.append(job)
    condition.signal()
    condition.unlock()
  }

  /// What has been reported since it was last asked.
  func takeReports() -> [Report] {
    condition.lock()
    defer { condition.unlock() }
    defer { reports = [] }
    return reports
  }

  /// Lets the thread end after its present leaf.
  func stop() {
    condition.lock()
    isStopped = true
    condition.broadcast()
    condition.unlock()
  }

  private func report(_ report: Report) {
    condition.lock()
    reports.append(report)
    condition.unlock()
    wakeup.signal()
  }

  private func nextJob() -> Job? {
    condition.lock()
    defer { condition.unlock() }
    while jobs.isEmpty && !isStopped { condition.wait() }
    return isStopped ? nil : jobs.removeFirst()
  }

  private func work() {
    let replica = Replica(model: model, configuration: configuration, pool: ThreadPool(threads: threads))
    var loaded: [Pass.Kind: VersionArena] = [:]
    while let job = nextJob() {
      do {
        let begin = ContinuousClock.now
        report(.loading)
        let leaf = try job.loader.next(id: job.request)
        let kind = job.task.pass.kind
        if loaded[kind] !== job.arena {
          replica.load(
            parameters: job.arena.parameters, buffers: job.arena.buffers,
            for: kind == .training ? .training : .evaluation)
          // Held until another is loaded, so that its memory is not given to another version of the same number.
          loaded[kind] = job.arena
        }
        compute(job, leaf, replica)
        job.loader.recycle(leaf)
        let seconds = (ContinuousClock.now - begin).components
        report(
          .finished(
            job.task.pass, leaf: job.task.leaf, seconds: Double(seconds.seconds) + Double(seconds.attoseconds) * 1e-18))
      } catch let error as SampleError where error.underlying is RemoteSamples.Closed {
        // The run is over.
        return
      } catch let error as SampleError {
        let sample = SampleReference(set: job.set, index: error.index)
        report(.failed(Fault(code: Int(ExitCode.badData.rawValue), sample: sample, reason: "\(error.underlying)")))
      } catch DatasetError.cancelled {
        return
      } catch {
        report(.failed(Fault(code: Int(ExitCode.badData.rawValue), sample: nil, reason: "\(error)")))
      }
    }
  }

  private func compute(_ job: Job, _ leaf: LoadedLeaf, _ replica: Replica) {
    let task = job.task, buckets = model.flat.buckets
    let count = task.pass.kind == .training ? model.statistics.count : StatisticsLayout.evaluationCount
    if task.pass.kind == .training {
      replica.train(leaf, epoch: job.epoch) { bucket in
        sum(job, buckets[bucket], replica.gradient.pointer)
        report(.bucket(task.pass, leaf: task.leaf, bucket))
      }
    } else {
      replica.evaluate(leaf)
    }
    var statistics = Array(replica.statistics.prefix(count))
    for (step, sibling) in zip(task.climb, job.siblings) {
      // In the tree's order; addition of numbers is the same either way round, of NaNs perhaps not.
      statistics = zip(statistics, sibling.statistics).map { step.siblingIsLeft ? $1 + $0 : $0 + $1 }
    }
    job.result.statistics = statistics
    report(.bucket(task.pass, leaf: task.leaf, buckets.count))
  }

  /// Adds a bucket of the leaf to those of the sums that waited for it, in the tree's order.
  private func sum(_ job: Job, _ range: Range<Int>, _ gradient: UnsafeMutablePointer<Float>) {
    let result = job.result.gradient.pointer + range.lowerBound
    var value = UnsafePointer(gradient + range.lowerBound)
    for (step, sibling) in zip(job.task.climb, job.siblings) {
      let other = UnsafePointer(sibling.gradient.pointer + range.lowerBound)
      Compute.add(
        step.siblingIsLeft ? other : value, step.siblingIsLeft ? value : other, into: result, count: range.count)
      value = UnsafePointer(result)
    }
    if job.task.climb.isEmpty { result.update(from: value, count: range.count) }
  }
}
