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
  /// Pictures that are computed at once.
  public let batch: Int

  private let executor: Executor

  /// Lays memory out and loads the parameters.
  public init(_ trained: TrainedModel, batch: Int, pool: ThreadPool) {
    precondition(batch >= 1, "a batch has pictures")
    (self.trained, self.batch) = (trained, batch)
    executor = Executor(model: trained.model, mode: .evaluation, maxBatch: batch, pool: pool)
    executor.load(parameters: trained.state.parameters, buffers: trained.state.buffers)
  }

  /// Losses and right answers on a whole dataset, summed over batches in the canonical tree, as a run's validation with
  /// the same microbatch sums them: the result is the same to the last bit.
  ///
  /// - Parameter progress: called after each batch with the samples that are done, of how many.
  /// - Throws: `CheckpointError.mismatch` where the data have another number of classes; the dataset's errors.
  public func evaluate(
    _ dataset: any Dataset, loaderThreads: Int = 1, progress: (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws -> EvaluationMetrics {
    let model = trained.model
    guard dataset.classNames.count == model.classes else {
      throw CheckpointError.mismatch(
        path: dataset.spec, key: "classes", expected: "\(model.classes)", found: "\(dataset.classNames.count)")
    }
    let plan = LeafPlan(sampleCount: dataset.count, microbatch: batch)
    let loader = LeafLoader(
      source: dataset, preprocessing: preprocessing(for: dataset), microbatch: batch, threads: loaderThreads)
    defer { loader.cancelAll() }
    var sum = TreeSum<[Double]>(plan.tree) { left, right in zip(left, right).map { $0 + $1 } }
    // Enough for the loader to be busy while the engine computes; more would only hold memory.
    let ahead = 3
    var requested = 0, done = 0
    for leaf in 0..<plan.leafCount {
      while requested < min(plan.leafCount, leaf + ahead) {
        let samples = Array(plan.positions(ofLeaf: requested))
        loader.request(LeafRequest(id: requested, samples: samples, epoch: 0, purpose: .evaluation))
        requested += 1
      }
      let loaded = try loader.next(id: leaf)
      var statistics = [Double](repeating: 0, count: StatisticsLayout.evaluationCount)
      loaded.labels.withUnsafeBufferPointer { labels in
        statistics.withUnsafeMutableBufferPointer { target in
          guard let target = target.baseAddress else { return }
          executor.evaluationStep(
            images: UnsafePointer(loaded.images.pointer), labels: labels, statistics: target)
        }
      }
      sum.insert(statistics, at: Subtree(leaf: leaf))
      done += loaded.labels.count
      loader.recycle(loaded)
      try progress(done, dataset.count)
    }
    guard let root = sum.root else { preconditionFailure("every leaf was added") }
    return root.withUnsafeBufferPointer { EvaluationMetrics(statistics: $0, model: model) }
  }

  /// The classes of some pictures, most probable first; equally probable ones in their own order.
  ///
  /// - Throws: the dataset's error for a picture that cannot be decoded.
  public func predict(_ pictures: [EncodedSample]) throws -> [[Prediction]] {
    let size = trained.model.imageSize, classes = trained.model.classes
    let preprocessing = Preprocessing(
      imageSize: size, normalization: trained.metadata.normalization ?? .imagenet, augmentation: .none, seed: 0)
    let images = FloatStorage(count: batch * 3 * size * size)
    var logits = [Float](repeating: 0, count: batch * classes)
    var result: [[Prediction]] = []
    while result.count < pictures.count {
      let part = pictures[result.count..<min(pictures.count, result.count + batch)]
      for (row, picture) in part.enumerated() {
        try preprocessing.write(
          picture, index: result.count + row, epoch: 0, purpose: .evaluation,
          into: images.pointer + row * 3 * size * size)
      }
      logits.withUnsafeMutableBufferPointer { target in
        guard let target = target.baseAddress else { return }
        executor.evaluate(images: UnsafePointer(images.pointer), batch: part.count, logits: target)
      }
      for row in 0..<part.count { result.append(predictions(Array(logits[row * classes..<(row + 1) * classes]))) }
    }
    return result
  }

  private func predictions(_ logits: [Float]) -> [Prediction] {
    let names = trained.metadata.classNames
    return softmaxProbabilities(logits).enumerated()
      .sorted { $0.element != $1.element ? $0.element > $1.element : $0.offset < $1.offset }
      .map { index, probability in
        Prediction(index: index, name: index < names.count ? names[index] : "\(index)", probability: probability)
      }
  }

  private func preprocessing(for dataset: any Dataset) -> Preprocessing {
    Preprocessing(
      imageSize: trained.model.imageSize, normalization: trained.metadata.normalization ?? dataset.defaultNormalization,
      augmentation: .none, seed: 0)
  }
}

/// A class and how probable the model holds it.
public struct Prediction: Hashable, Sendable {
  /// The class.
  public var index: Int
  /// Its name; its number where names are unknown.
  public var name: String
  /// From 0 to 1; the probabilities of all classes add up to 1.
  public var probability: Double
}

/// exp(zᵢ − max z) / Σ exp(zⱼ − max z), in Double.
func softmaxProbabilities(_ logits: [Float]) -> [Double] {
  let largest = Double(logits.max() ?? 0)
  let powers = logits.map { Elementary.exp(Double($0) - largest) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}
