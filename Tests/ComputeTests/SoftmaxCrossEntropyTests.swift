import Testing

@testable import Compute

@Suite("Softmax cross-entropy")
struct SoftmaxCrossEntropyTests {
  static func logits(_ rows: [[Double]]) -> ReferenceTensor {
    ReferenceTensor(batch: rows.count, channels: rows[0].count, height: 1, width: 1, values: rows.flatMap { $0 })
  }

  /// spec/golden_ops.json, "ce_ls": computed by PyTorch in double precision; means over two samples.
  @Test("PyTorch's loss and gradient with label smoothing")
  func golden() {
    let z = Panels(Self.logits([[1, 2, 3, 4], [0, 0, 1, -1]])), gradient = Panels(resultLike: z.values)
    let sums = softmaxCrossEntropy(
      logits: z.tensor, labels: [2, 0], smoothing: 0.1, weight: 1, gradient: gradient.tensor)
    let expected = [
      0.0035293016400424933, 0.031072159371016286, -0.34405859095504493, 0.30945712994398616, -0.3641940333792591,
      0.08580596662074093, 0.2547233226942615, 0.023664744064256633,
    ]
    #expect(abs(sums.lossSum / 2 - 1.5583565367988206) < 2e-7)
    #expect(relativeError(gradient.values.values.map { $0 / 2 }, expected) < 2e-7)
    #expect(gradient.spareLanesAreZero)
  }

  @Test("Loss, gradient and probabilities agree with the definition", arguments: [2, 10, 16, 100, 1000])
  func agreesWithReference(_ classes: Int) {
    var numbers = TestNumbers(classes)
    let values = Self.logits((0..<5).map { _ in numbers.values(classes).map { $0 * 20 } })
    let labels = (0..<5).map { Int32($0 * 37 % classes) }
    let z = Panels(values), gradient = Panels(resultLike: values)
    let reference = SoftmaxCrossEntropyReference(smoothing: 0.1)
    let sums = softmaxCrossEntropy(
      logits: z.tensor, labels: labels, smoothing: 0.1, weight: 0.3, gradient: gradient.tensor)
    let loss = reference.loss(values, labels)
    #expect(abs(sums.lossSum - loss) < 2e-7 * abs(loss))
    #expect(
      relativeError(gradient.values.values, reference.gradient(values, labels, weight: 0.3).values) < 3e-7)
    var probabilities = [Float](repeating: 0, count: 5 * classes)
    softmax(z.tensor, into: &probabilities)
    let plain = SoftmaxCrossEntropyReference(smoothing: 0)
    // Without smoothing, the gradient is the probability minus the label's one.
    var expected = plain.gradient(values, labels, weight: 1)
    for (n, label) in labels.enumerated() { expected[n, Int(label), 0, 0] += 1 }
    // The distance to the largest logit, up to 40 here, is rounded to single precision before it is an exponent.
    #expect(relativeError(probabilities.map { Double($0) }, expected.values) < 40 * 0x1p-24)
    let pool = ThreadPool(threads: 3), other = Panels(resultLike: values)
    #expect(
      softmaxCrossEntropy(
        logits: z.tensor, labels: labels, smoothing: 0.1, weight: 0.3, gradient: other.tensor, pool: pool) == sums)
    #expect(other.bits == gradient.bits)
    // In place.
    softmaxCrossEntropy(logits: z.tensor, labels: labels, smoothing: 0.1, weight: 0.3, gradient: z.tensor)
    #expect(z.bits == gradient.bits)
  }

  @Test("A tie counts for the label, and a NaN against it")
  func ranks() {
    func ranks(_ row: [Double], _ label: Int32) -> [Int] {
      let z = Panels(Self.logits([row]))
      let sums = softmaxCrossEntropy(logits: z.tensor, labels: [label], smoothing: 0, weight: 1)
      return [sums.top1, sums.top5]
    }
    #expect(ranks([1, 2, 3, 4, 5, 6, 7], 6) == [1, 1])
    #expect(ranks([1, 2, 3, 4, 5, 6, 7], 2) == [0, 1])
    #expect(ranks([1, 2, 3, 4, 5, 6, 7], 1) == [0, 0])
    #expect(ranks([7, 7, 7, 7, 7, 7, 7], 3) == [1, 1])
    #expect(ranks([.nan, 2, 3], 2) == [0, 1])
    #expect(ranks([1, 2, .nan], 2) == [0, 0])
  }

  @Test("Ranks and NaN count alike in whole rows of classes and in one that is not", arguments: [3, 17, 31, 32, 39])
  func ranksInRows(at index: Int) {
    func sums(_ row: [Double], _ label: Int) -> ClassificationSums {
      let z = Panels(Self.logits([row]))
      return withExtendedLifetime(z) {
        softmaxCrossEntropy(logits: z.tensor, labels: [Int32(label)], smoothing: 0, weight: 1)
      }
    }
    // All below zero, as no lane beyond the classes is.
    var row = [Double](repeating: -3, count: 40)
    row[index] = -1
    #expect(sums(row, index).top1 == 1)
    let other = (index + 20) % 40
    #expect(sums(row, other).top1 == 0 && sums(row, other).top5 == 1)
    for step in 1...4 { row[(index + step) % 40] = -2 }
    #expect(sums(row, other).top5 == 0)
    row[index] = .nan
    #expect(sums(row, index).top5 == 0 && sums(row, other).lossSum.isNaN)
    #expect(sums(row, (index + 1) % 40).top1 == 0 && sums(row, (index + 1) % 40).top5 == 1)
  }

  @Test("Extreme logits neither overflow nor vanish into NaN")
  func extremes() {
    let z = Panels(Self.logits([[1e30, 0, -1e30], [-2e38, -2e38, -2e38]]))
    let gradient = Panels(resultLike: z.values)
    let sums = softmaxCrossEntropy(
      logits: z.tensor, labels: [0, 1], smoothing: 0, weight: 1, gradient: gradient.tensor)
    #expect(abs(sums.lossSum - Elementary.log(3)) < 1e-6)
    #expect(gradient.values.values.allSatisfy { $0.isFinite })
  }

  @Test("The reference's gradient is that of finite differences")
  func referenceGradient() {
    var numbers = TestNumbers(30)
    let z = Self.logits([numbers.values(6), numbers.values(6)]), labels: [Int32] = [1, 4]
    let reference = SoftmaxCrossEntropyReference(smoothing: 0.2), gradient = reference.gradient(z, labels, weight: 1)
    for index in z.values.indices {
      let expected = slope(z.values, index) { values in
        var moved = z
        moved.values = values
        return reference.loss(moved, labels)
      }
      #expect(abs(gradient.values[index] - expected) < 1e-8)
    }
  }
}
