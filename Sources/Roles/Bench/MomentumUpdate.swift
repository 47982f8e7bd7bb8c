import Compute
import Training

/// SGD with momentum and weight decay on a flat vector that stays in its place, threaded.
///
/// A run keeps two versions, so that a step can be thrown away; here the optimizer writes each chunk beside the vector and
/// it is copied back while it is in cache.
final class MomentumUpdate {
  let parameters: FloatStorage
  let gradient: FloatStorage

  private static let learningRate: Float = 0.01
  /// Elements of a chunk: with both of its results it fits into the second-level cache.
  private static let chunk = 16_384

  private let momentum: FloatStorage
  private let results: FloatStorage
  private let optimizer = SGD(momentum: 0.9, weightDecay: 1e-4)
  private let pool: ThreadPool

  init(_ parameters: FloatStorage, pool: ThreadPool) {
    (self.parameters, self.pool) = (parameters, pool)
    gradient = FloatStorage(count: parameters.count)
    momentum = FloatStorage(count: parameters.count)
    results = FloatStorage(count: pool.threads * 2 * Self.chunk)
  }

  /// What it is in a step: three vectors are read and two of them written.
  var part: StepPart {
    StepPart(name: "parameters", operation: "SGD", bytes: 5 * parameters.count * MemoryLayout<Float>.stride)
  }

  /// Updates all parameters from the gradient of the sum of the samples' losses.
  func apply(samples: Int) {
    let count = parameters.count, chunk = Self.chunk
    pool.forEach((count + chunk - 1) / chunk) { item, thread in
      let start = item * chunk, length = min(chunk, count - start)
      let newParameters = results.pointer + thread * 2 * chunk, newMomentum = newParameters + chunk
      let parameters = parameters.pointer + start, momentum = momentum.pointer + start
      optimizer.update(
        ParameterUpdate(
          count: length, decays: true, gradientSum: UnsafePointer(gradient.pointer) + start, sampleCount: samples,
          learningRate: Self.learningRate, parameters: UnsafePointer(parameters), newParameters: newParameters,
          state: [UnsafePointer(momentum)], newState: [newMomentum]))
      parameters.update(from: newParameters, count: length)
      momentum.update(from: newMomentum, count: length)
    }
  }
}
