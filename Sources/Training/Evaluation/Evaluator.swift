import Compute
import Datasets
import Lockstep
import Models

/// Runs a trained model over pictures: for `evaluate` and `predict`.
///
/// Belongs to one thread; pictures are decoded ahead on threads of the loader.
public final class Evaluator {
  /// The model and what its file says.
  public let trained: TrainedModel
  /// How pictures become the model's input.
  public let preprocessing: Preprocessing
  /// Crops of pictures that are computed at once.
  public let batch: Int

  /// Called after each batch with the crops that are done, of how many; what it throws ends the work.
  public typealias Progress = (_ done: Int, _ of: Int) throws -> Void

  private let executor: Executor

  /// Lays memory out and loads the parameters.
  public init(_ trained: TrainedModel, preprocessing: Preprocessing, batch: Int, pool: ThreadPool) {
    precondition(batch >= 1, "a batch has pictures")
    precondition(preprocessing.imageSize == trained.model.imageSize, "pictures of the size of the model's input")
    (self.trained, self.preprocessing, self.batch) = (trained, preprocessing, batch)
    executor = Executor(model: trained.model, mode: .evaluation, maxBatch: batch, pool: pool)
    executor.load(parameters: trained.state.parameters, buffers: trained.state.buffers)
  }

  /// Losses, right answers and confusions on a whole dataset.
  ///
  /// With the centre crop, losses are summed over batches in the canonical tree, as a run's validation with the same
  /// microbatch sums them: the result is the same to the last bit. With several crops, the probabilities of a picture are
  /// the means over its crops, and its loss is −log of the label's mean probability.
  ///
  /// - Throws: `CheckpointError.mismatch` where the data have another number of classes; the dataset's errors.
  public func evaluate(
    _ dataset: any Dataset, crops: CropScheme = .center, loaderThreads: Int = 1,
    progress: Progress = { _, _ in }
  ) throws -> EvaluationResult {
    let classes = trained.model.classes
    guard dataset.classNames.count == classes else {
      throw CheckpointError.mismatch(
        path: dataset.spec, key: "classes", expected: "\(classes)", found: "\(dataset.classNames.count)")
    }
    guard crops != .center else { return try evaluateCentres(dataset, loaderThreads, progress) }
    let layout = trained.model.statistics
    var statistics = [Double](repeating: 0, count: StatisticsLayout.evaluationCount)
    var confusion = ConfusionTable(classes: classes)
    try forEachPicture(dataset, crops, loaderThreads, progress) { label, probabilities in
      let rank = rank(of: label, in: probabilities)
      statistics[layout.sampleCount] += 1
      statistics[layout.mainLoss] -= Elementary.log(probabilities[label])
      if rank < 1 { statistics[layout.top1] += 1 }
      if rank < 5 { statistics[layout.top5] += 1 }
      confusion.add(label: label, scores: probabilities)
    }
    return result(statistics, confusion)
  }

  /// The classes of some pictures, most probable first; equally probable ones in their own order.
  ///
  /// - Parameter top: how many classes of each picture; all if nil.
  /// - Throws: the source's error for a picture that it cannot give or that cannot be decoded.
  public func predict(
    _ pictures: any SampleSource, crops: CropScheme = .center, top: Int? = nil, progress: Progress = { _, _ in }
  ) throws -> [[Prediction]] {
    let names = trained.metadata.classNames
    var predictions: [[Prediction]] = []
    do {
      try forEachPicture(pictures, crops, 1, progress) { _, probabilities in
        let sorted = Prediction.sorted(probabilities, names: names)
        predictions.append(top.map { Array(sorted.prefix($0)) } ?? sorted)
      }
    } catch let error as SampleError {
      // Pictures that belong to no dataset are known by their names, not by their numbers.
      throw error.underlying
    }
    return predictions
  }

  private func evaluateCentres(
    _ dataset: any Dataset, _ loaderThreads: Int, _ progress: Progress
  ) throws -> EvaluationResult {
    let classes = trained.model.classes
    let plan = LeafPlan(sampleCount: dataset.count, microbatch: batch)
    let loader = LeafLoader(source: dataset, preprocessing: preprocessing, microbatch: batch, threads: loaderThreads)
    var sum = TreeSum<[Double]>(plan.tree) { left, right in zip(left, right).map { $0 + $1 } }
    var confusion = ConfusionTable(classes: classes)
    var logits = [Float](repeating: 0, count: batch * classes)
    var done = 0
    try forEachLeaf(of: loader, count: plan.leafCount, samples: { plan.positions(ofLeaf: $0) }) { leaf, loaded in
      var statistics = [Double](repeating: 0, count: StatisticsLayout.evaluationCount)
      loaded.labels.withUnsafeBufferPointer { labels in
        statistics.withUnsafeMutableBufferPointer { target in
          logits.withUnsafeMutableBufferPointer { logits in
            guard let target = target.baseAddress else { return }
            executor.evaluationStep(
              images: UnsafePointer(loaded.images.pointer), labels: labels, statistics: target,
              logits: logits.baseAddress)
          }
        }
      }
      sum.insert(statistics, at: Subtree(leaf: leaf))
      for (row, label) in loaded.labels.enumerated() {
        confusion.add(label: Int(label), scores: logits[row * classes..<(row + 1) * classes])
      }
      done += loaded.labels.count
      try progress(done, dataset.count)
    }
    guard let root = sum.root else { preconditionFailure("every leaf was added") }
    return result(root, confusion)
  }

  /// Gives the label of each picture and the probabilities of the classes, means over the picture's crops.
  private func forEachPicture(
    _ pictures: any SampleSource, _ crops: CropScheme, _ loaderThreads: Int, _ progress: Progress,
    _ body: (_ label: Int, _ probabilities: [Double]) throws -> Void
  ) throws {
    let classes = trained.model.classes, cropCount = pictures.count * crops.count
    let loader = LeafLoader(
      source: pictures, preprocessing: preprocessing, crops: crops, batch: batch, threads: loaderThreads)
    var logits = [Float](repeating: 0, count: batch * classes)
    var sums = [Double](repeating: 0, count: classes)
    var done = 0
    // Batches are full whatever the number of crops: they begin and end within pictures.
    let leafCount = (cropCount + batch - 1) / batch
    try forEachLeaf(of: loader, count: leafCount, samples: { $0 * batch..<min(cropCount, ($0 + 1) * batch) }) {
      _, loaded in
      logits.withUnsafeMutableBufferPointer { target in
        guard let target = target.baseAddress else { return }
        executor.evaluate(images: UnsafePointer(loaded.images.pointer), batch: loaded.labels.count, logits: target)
      }
      for (row, label) in loaded.labels.enumerated() {
        let probabilities = softmaxProbabilities(logits[row * classes..<(row + 1) * classes])
        for index in sums.indices { sums[index] += probabilities[index] }
        done += 1
        guard done % crops.count == 0 else { continue }
        try body(Int(label), sums.map { $0 / Double(crops.count) })
        sums = Array(repeating: 0, count: classes)
      }
      try progress(done, cropCount)
    }
  }

  /// Takes leaves from a loader in their order, a few ahead.
  private func forEachLeaf(
    of loader: LeafLoader, count: Int, samples: (_ leaf: Int) -> Range<Int>,
    _ body: (_ leaf: Int, _ loaded: LoadedLeaf) throws -> Void
  ) throws {
    defer { loader.cancelAll() }
    // Enough for the loader to be busy while the engine computes; more would only hold memory.
    let ahead = 3
    var requested = 0
    for leaf in 0..<count {
      while requested < min(count, leaf + ahead) {
        loader.request(
          LeafRequest(id: requested, samples: Array(samples(requested)), epoch: 0, purpose: .evaluation))
        requested += 1
      }
      let loaded = try loader.next(id: leaf)
      try body(leaf, loaded)
      loader.recycle(loaded)
    }
  }

  private func result(_ statistics: [Double], _ confusion: ConfusionTable) -> EvaluationResult {
    let metrics = statistics.withUnsafeBufferPointer { EvaluationMetrics(statistics: $0, model: trained.model) }
    return EvaluationResult(metrics: metrics, confusion: confusion)
  }
}
