import Compute
import Datasets
import Foundation
import Lockstep
import Models
import Training

/// What `trainer evaluate` prints.
public struct EvaluationReport {
  private let checkpoint: String
  private let metrics: EvaluationMetrics

  init(checkpoint: String, metrics: EvaluationMetrics) { (self.checkpoint, self.metrics) = (checkpoint, metrics) }

  /// For people.
  public var text: String {
    let percent = { (share: Double) in StatusLine.number(share * 100, decimals: 2) + " %" }
    return "\(checkpoint): top-1 \(percent(metrics.top1)), top-5 \(percent(metrics.top5)), "
      + "loss \(StatusLine.number(metrics.loss, decimals: 5)) on \(metrics.samples) samples"
  }

  /// `{"loss":…, "samples":…, "top1":…, "top5":…}`.
  public var json: String {
    struct Fields: Encodable {
      let top1: Double, top5: Double, loss: Double, samples: Int
    }
    return jsonLine(Fields(top1: metrics.top1, top5: metrics.top5, loss: metrics.loss, samples: metrics.samples))
  }
}

/// `trainer evaluate`: runs a checkpoint over a dataset, on this host.
///
/// - Parameters:
///   - path: a checkpoint, or a run's folder.
///   - spec: the dataset.
///   - batch: samples that are computed together; sums have the shape of a run with this microbatch.
public func evaluateCheckpoint(_ path: String, data spec: String, batch: Int, threads: Int) throws(Failure)
  -> EvaluationReport
{
  try failing {
    let trained = try TrainedModel(path: path)
    let dataset = try DatasetCatalog.open(spec, role: .validation, imageSize: trained.model.imageSize)
    let evaluator = Evaluator(trained, batch: batch, pool: ThreadPool(threads: threads))
    let signals = SignalWatch.start()
    defer { withExtendedLifetime(signals) {} }
    let line = StatusLine()
    let begin = ContinuousClock.now
    let metrics = try evaluator.evaluate(dataset) { done, count in
      if SignalWatch.arrivals.count > 0 { throw Failure(SignalWatch.arrivals.exitCode, "evaluation was interrupted") }
      let seconds = Double((ContinuousClock.now - begin).components.seconds) + 1e-9
      let left = StatusLine.duration(seconds / Double(done) * Double(count - done))
      line.progress("evaluating: \(done) of \(count) samples, \(left) left", isLast: done == count)
    }
    return EvaluationReport(checkpoint: path, metrics: metrics)
  }
}
