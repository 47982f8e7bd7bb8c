import Compute
import Datasets
import Interchange
import Lockstep
import Models
import Training

/// `trainer evaluate`: runs a checkpoint over a dataset, on this host.
///
/// - Parameters:
///   - path: a checkpoint, a run's folder, or a file of PyTorch.
///   - model: the model, where the file does not say it.
///   - spec: the dataset.
///   - batch: crops that are computed together; with the centre crop, sums have the shape of a run with this microbatch.
public func evaluateCheckpoint(
  _ path: String, model: String?, data spec: String, pictures: PictureOptions, batch: Int, threads: Int
) throws(Failure) -> EvaluationReport {
  try failing {
    let trained = try TrainedModel(path: path, model: model, imageSize: pictures.imageSize)
    let line = StatusLine()
    for remark in trained.remarks { line.warn(remark) }
    let dataset = try DatasetCatalog.open(spec, role: .validation, imageSize: trained.model.imageSize)
    let preprocessing = try pictures.preprocessing(
      for: trained, usual: dataset.defaultNormalization, say: { line.warn($0) })
    // Names that were given to the model are meant for people; a dataset's may be codes.
    let known = trained.metadata.classNames
    if let remark = differenceOfNames(known, dataset.classNames) { line.warn(remark) }
    let evaluator = Evaluator(trained, preprocessing: preprocessing, batch: batch, pool: ThreadPool(threads: threads))
    let progress = PictureProgress("evaluating", "samples", crops: pictures.crops, line)
    // Decoding takes less time than computing, but not so little that one thread keeps up with many.
    let result = try evaluator.evaluate(
      dataset, crops: pictures.crops, loaderThreads: max(1, threads / 4), progress: progress.note)
    let names = known.count == trained.model.classes ? known : dataset.classNames
    let report = EvaluationReport(checkpoint: path, crops: pictures.crops, result: result, classNames: names)
    if !report.isTablePrinted {
      line.warn("the confusion table is left out: it is printed for at most \(EvaluationReport.tableLimit) classes")
    }
    return report
  }
}

/// Says where two lists of classes part: the same names in another order would make every answer wrong.
///
/// - Returns: nil where they are the same, or where one is of another length or unknown.
func differenceOfNames(_ known: [String], _ names: [String]) -> String? {
  guard known.count == names.count, let first = known.indices.first(where: { known[$0] != names[$0] })
  else { return nil }
  let (one, other) = (printable(known[first]), printable(names[first]))
  return "class \(first) is '\(one)' in the checkpoint and '\(other)' in the data; "
    + "where these are not the same thing, the figures mean nothing"
}

/// Shows how far the work on some pictures is, and ends it on a signal.
final class PictureProgress {
  private let work: String, things: String
  private let crops: CropScheme
  private let line: StatusLine
  private let isShown: Bool
  private let signals = SignalWatch.start()
  private let begin = ContinuousClock.now

  /// - Parameters:
  ///   - work: what is done: "evaluating".
  ///   - things: what pictures are called: "samples".
  ///   - isShown: false where it is over before anybody asks.
  init(_ work: String, _ things: String, crops: CropScheme, _ line: StatusLine, isShown: Bool = true) {
    (self.work, self.things, self.crops, self.line, self.isShown) = (work, things, crops, line, isShown)
  }

  /// - Parameters:
  ///   - done: crops that are done.
  ///   - count: crops in all.
  func note(done: Int, of count: Int) throws {
    if SignalWatch.arrivals.count > 0 { throw Failure(SignalWatch.arrivals.exitCode, "\(work) was interrupted") }
    guard isShown else { return }
    let left = (ContinuousClock.now - begin) / done * (count - done)
    let seconds = Double(left.components.seconds) + Double(left.components.attoseconds) * 1e-18
    line.progress(
      "\(work): \(done / crops.count) of \(count / crops.count) \(things), \(StatusLine.duration(seconds)) left",
      isLast: done == count)
  }
}
