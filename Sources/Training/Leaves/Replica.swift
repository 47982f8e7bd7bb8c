import Compute
import Datasets
import Lockstep
import Models

/// One copy of the network: computes leaves of a run, one at a time, with the version that was last loaded.
///
/// Belongs to one thread; the pool's threads work inside its calls.
public final class Replica {
  /// The network.
  public let model: Model
  /// The gradient of the last leaf that was trained: the sum over its samples, flat.
  public let gradient: FloatStorage
  /// The statistics of the last leaf: `model.statistics.count` numbers after training, the first
  /// `StatisticsLayout.evaluationCount` of them after evaluation.
  public var statistics: UnsafeBufferPointer<Double> { UnsafeBufferPointer(start: sums, count: model.statistics.count) }

  private let configuration: RunConfiguration
  private let pool: ThreadPool
  private let sums: UnsafeMutablePointer<Double>
  private var training: Executor?
  private var evaluation: Executor?

  /// A replica for a run's leaves. Memory for training and for evaluation is laid out when each is first loaded.
  public init(model: Model, configuration: RunConfiguration, pool: ThreadPool) {
    (self.model, self.configuration, self.pool) = (model, configuration, pool)
    gradient = FloatStorage(count: model.flat.count)
    sums = .allocate(capacity: model.statistics.count)
    sums.initialize(repeating: 0, count: model.statistics.count)
  }

  deinit { sums.deallocate() }

  /// Takes a version's parameters and running statistics, for training or for evaluation.
  ///
  /// For training the parameters are kept, not copied: they must stay as they are until others are loaded.
  public func load(parameters: FloatStorage, buffers: FloatStorage, for mode: Executor.Mode) {
    executor(mode).load(parameters: parameters, buffers: buffers)
  }

  /// Computes the gradient of a leaf's summed losses, and its statistics.
  ///
  /// - Parameter bucketFinished: called for every bucket of the flat vector, in order, as soon as `gradient` has its final
  ///   values; from the calling thread, while backward is under way.
  public func train(_ leaf: LoadedLeaf, epoch: Int, bucketFinished: (_ bucket: Int) -> Void = { _ in }) {
    train(
      images: UnsafePointer(leaf.images.pointer), labels: leaf.labels, samples: leaf.samples, epoch: epoch,
      bucketFinished: bucketFinished)
  }

  /// Computes a leaf's losses and right answers, with running statistics and without dropout.
  public func evaluate(_ leaf: LoadedLeaf) {
    evaluate(images: UnsafePointer(leaf.images.pointer), labels: leaf.labels)
  }

  /// The same for images in NCHW order that no loader prepared.
  func train(
    images: UnsafePointer<Float>, labels: [Int32], samples: [Int], epoch: Int,
    bucketFinished: (_ bucket: Int) -> Void = { _ in }
  ) {
    let buckets = model.flat.buckets
    var next = 0
    let settings = LeafSettings(
      labelSmoothing: configuration.labelSmoothing, auxWeight: configuration.auxWeight, dropout: configuration.dropout,
      seed: configuration.seed, epoch: epoch)
    labels.withUnsafeBufferPointer { labels in
      executor(.training).trainingStep(
        images: images, labels: labels, samples: samples, settings: settings, gradient: gradient.pointer,
        statistics: sums
      ) { prefix in
        while next < buckets.count, buckets[next].upperBound <= prefix {
          bucketFinished(next)
          next += 1
        }
      }
    }
    precondition(next == buckets.count, "backward finishes the whole gradient")
  }

  /// The same for images in NCHW order that no loader prepared.
  func evaluate(images: UnsafePointer<Float>, labels: [Int32]) {
    labels.withUnsafeBufferPointer { labels in
      executor(.evaluation).evaluationStep(images: images, labels: labels, statistics: sums)
    }
  }

  private func executor(_ mode: Executor.Mode) -> Executor {
    switch mode {
    case .training:
      let executor = training ?? Executor(model: model, mode: mode, maxBatch: configuration.microbatch, pool: pool)
      training = executor
      return executor
    case .evaluation:
      let executor = evaluation ?? Executor(model: model, mode: mode, maxBatch: configuration.microbatch, pool: pool)
      evaluation = executor
      return executor
    }
  }
}
