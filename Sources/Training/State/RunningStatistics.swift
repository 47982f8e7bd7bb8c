import Models

/// Brings running means and variances up to date with a step: the mean over the step's samples, in Double, rounded once;
/// then running += momentum · (value − running). Those of frozen batch norms stay as they are.
///
/// - Parameters:
///   - old: the running statistics before the step, `model.bufferCount` floats.
///   - new: where those after it go; it may be the same place.
///   - statistics: the sum over the step's leaves, `StatisticsLayout.count` numbers.
public func updateRunningStatistics(
  of model: Model, from old: UnsafePointer<Float>, into new: UnsafeMutablePointer<Float>,
  statistics: UnsafeBufferPointer<Double>
) {
  let n = statistics[model.statistics.sampleCount]
  for (index, norm) in model.batchNorms.enumerated() {
    if norm.isFrozen {
      for start in [norm.meanOffset, norm.varianceOffset] where old != UnsafePointer(new) {
        (new + start).update(from: old + start, count: norm.channels)
      }
      continue
    }
    let means = model.statistics.means(ofBatchNorm: index).lowerBound
    let variances = model.statistics.variances(ofBatchNorm: index).lowerBound
    let momentum = Float(norm.momentum)
    for channel in 0..<norm.channels {
      for (offset, sum) in [
        (norm.meanOffset + channel, statistics[means + channel]),
        (norm.varianceOffset + channel, statistics[variances + channel]),
      ] {
        new[offset] = old[offset].addingProduct(momentum, Float(sum / n) - old[offset])
      }
    }
  }
}
