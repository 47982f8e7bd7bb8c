import Testing

@testable import Compute

/// The backward pass of batch norms that normalise with running statistics.
@Suite("Fixed batch norm")
struct FixedBatchNormTests {
  /// dy = dz · scale where the ReLU, if there is one, lets it pass.
  @Test("The gradient is scaled where it passes", arguments: [(1, 3, 4, 5), (2, 24, 30, 31), (3, 40, 20, 13)], [1, 3])
  func scalesTheGradient(_ shape: (Int, Int, Int, Int), _ threads: Int) {
    var numbers = TestNumbers(shape.1)
    let y = numbers.tensor(shape.0, shape.1, shape.2, shape.3), dz = numbers.tensor(shape.0, shape.1, shape.2, shape.3)
    let normalization = TestNormalization(channels: shape.1, seed: shape.2)
    let input = Panels(y), gradient = Panels(dz)
    BatchNorm(channels: shape.1, epsilon: 1e-3).backward(
      input.tensor, dz: gradient.tensor, fixed: normalization.normalization, pool: ThreadPool(threads: threads))

    // What is made of a tensor is linear where it is not cut, so that its slope is a difference.
    var moved = y
    for index in moved.values.indices { moved.values[index] += 1e-7 }
    let (before, after) = (normalization.applied(to: y), normalization.applied(to: moved))
    let expected = dz.values.indices.map { dz.values[$0] * (after.values[$0] - before.values[$0]) / 1e-7 }
    #expect(relativeError(gradient.values.values, expected) < 1e-6)
    #expect(gradient.spareLanesAreZero)
  }

  /// γ / √(running variance + ε) by hand: 2 / √(0.25 + 0) and 3 / √(4 + 0) of channels that are cut below 0.
  @Test("Running statistics by hand")
  func byHand() {
    let norm = BatchNorm(channels: 2, epsilon: 1e-30)
    let y = ReferenceTensor(batch: 1, channels: 2, height: 1, width: 3, values: [0, 1, 2, 5, 7, 9])
    let dz = ReferenceTensor(batch: 1, channels: 2, height: 1, width: 3, values: [1, 10, 100, 1, 10, 100])
    let vectors = FloatStorage(count: Normalization.floatCount(panels: 1))
    let normalization = Normalization(vectors: vectors.pointer, panels: 1)
    norm.finishEvaluation(
      runningMean: padded([1, 7]), runningVariance: padded([0.25, 4]), gamma: padded([2, 3]), beta: padded([1, 0]),
      relu: true, into: normalization)
    let input = Panels(y), gradient = Panels(dz)
    norm.backward(input.tensor, dz: gradient.tensor, fixed: normalization, pool: ThreadPool(threads: 1))
    // z = 4 (y − 1) + 1 = −3, 1, 5 and 1.5 (y − 7) = −3, 0, 3.
    #expect(gradient.values.values == [0, 40, 400, 0, 0, 150])
  }
}
