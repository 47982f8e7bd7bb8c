/// Softmax cross-entropy as its definition says it; logits are [batch][classes] as a 1×1 tensor.
struct SoftmaxCrossEntropyReference {
  let smoothing: Double

  private func target(_ label: Int, _ index: Int, _ classes: Int) -> Double {
    (index == label ? 1 - smoothing : 0) + smoothing / Double(classes)
  }

  private func logSoftmax(_ logits: ReferenceTensor, _ n: Int) -> [Double] {
    let z = (0..<logits.channels).map { logits[n, $0, 0, 0] }
    let largest = z.max() ?? 0
    let log = largest + Elementary.log(z.reduce(0) { $0 + Elementary.exp($1 - largest) })
    return z.map { $0 - log }
  }

  func loss(_ logits: ReferenceTensor, _ labels: [Int32]) -> Double {
    (0..<logits.batch).reduce(0) { sum, n in
      logSoftmax(logits, n).enumerated().reduce(sum) {
        $0 - target(Int(labels[n]), $1.offset, logits.channels) * $1.element
      }
    }
  }

  func gradient(_ logits: ReferenceTensor, _ labels: [Int32], weight: Double) -> ReferenceTensor {
    var gradient = logits.zeros
    for n in 0..<logits.batch {
      for (c, value) in logSoftmax(logits, n).enumerated() {
        gradient[n, c, 0, 0] = weight * (Elementary.exp(value) - target(Int(labels[n]), c, logits.channels))
      }
    }
    return gradient
  }
}
