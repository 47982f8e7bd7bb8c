import Lockstep

/// The average of the parameters over a run's updates, kept beside them, for validation and for use after training.
///
/// With w the parameters after an update and n the number of updates that the average holds with this one, the average
/// becomes
///
///     e' = e + (1 − min(decay, (1 + n) / (10 + n)))·(w − e)     exponential moving average, from the run's start
///     e' = e + (w − e) / n                                      plain average (Polyak), of the updates after a given one
///
/// The factor is computed in Double and rounded to Float once; then e' = fma(factor, w − e, e). Until the first update
/// that it holds, the average is the parameters themselves. Updates that were skipped do not count.
///
/// Running means and variances of batch norm are averaged in the same way, so that they belong to the averaged weights;
/// `num_batches_tracked` is that of the parameters.
///
/// - Source: `tf.train.ExponentialMovingAverage` with `num_updates`, as TensorFlow's Inception v3 used it, running
///   statistics included (tensorflow/models, `inception_train.py`: "a double-average of the BatchNormalization global
///   statistics"); Polyak and Juditsky 1992 for the plain average. Differs from `torch.optim.swa_utils`, which makes
///   running statistics anew with a pass over the data unless `use_buffers` is set.
struct WeightAverage {
  private let kind: AverageKind
  private let decay: Double
  private let start: Int

  /// The average of a run; nil where it keeps none.
  init?(_ configuration: RunConfiguration) {
    guard configuration.average != .none else { return nil }
    (kind, decay, start) = (configuration.average, configuration.averageDecay, configuration.averageStart)
  }

  /// The number of updates that the average holds after a step that was not skipped.
  func updates(after step: Int, before: Int) -> Int { kind == .polyak && step <= start ? 0 : before + 1 }

  /// The weight of new parameters in the average; 1: the average becomes the parameters.
  ///
  /// - Parameter updates: how many updates the average holds with this one.
  func share(updates: Int) -> Float {
    guard updates > 0 else { return 1 }
    let n = Double(updates)
    return kind == .polyak ? Float(1 / n) : Float(1 - min(decay, (1 + n) / (10 + n)))
  }

  /// Writes the new average of some elements.
  func update(
    _ old: UnsafePointer<Float>, with values: UnsafePointer<Float>, share: Float,
    into new: UnsafeMutablePointer<Float>, count: Int
  ) {
    if share == 1 { return new.update(from: values, count: count) }
    for i in 0..<count { new[i] = old[i].addingProduct(share, values[i] - old[i]) }
  }
}
