/// Batch normalisation as its definition says it.
struct BatchNormReference {
  let epsilon: Double
  let relu: Bool

  /// Mean and biased variance of a channel.
  func moments(_ y: ReferenceTensor, _ channel: Int) -> (mean: Double, variance: Double) {
    let values = channelValues(y, channel), count = Double(values.count)
    let mean = values.reduce(0, +) / count
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count)
  }

  func forward(_ y: ReferenceTensor, gamma: [Double], beta: [Double]) -> ReferenceTensor {
    var z = y
    for c in 0..<y.channels {
      let (mean, variance) = moments(y, c)
      forEach(y, c) { index in
        let value = gamma[c] * (y.values[index] - mean) / (variance + epsilon).squareRoot() + beta[c]
        z.values[index] = relu && value < 0 ? 0 : value
      }
    }
    return z
  }

  func backward(
    _ y: ReferenceTensor, _ dz: ReferenceTensor, gamma: [Double], beta: [Double]
  ) -> (dy: ReferenceTensor, dgamma: [Double], dbeta: [Double]) {
    let z = forward(y, gamma: gamma, beta: beta)
    var dy = y.zeros
    var dgamma = gamma.map { _ in 0.0 }, dbeta = dgamma
    for c in 0..<y.channels {
      let (mean, variance) = moments(y, c), inverse = 1 / (variance + epsilon).squareRoot()
      var count = 0.0, sum = 0.0, products = 0.0
      func gradient(_ index: Int) -> Double { relu && z.values[index] <= 0 ? 0 : dz.values[index] }
      forEach(y, c) { index in
        count += 1
        sum += gradient(index)
        products += gradient(index) * (y.values[index] - mean)
      }
      (dgamma[c], dbeta[c]) = (products * inverse, sum)
      forEach(y, c) { index in
        let deviation = y.values[index] - mean
        dy.values[index] =
          gamma[c] * inverse * (gradient(index) - sum / count - deviation * inverse * inverse * products / count)
      }
    }
    return (dy, dgamma, dbeta)
  }

  private func channelValues(_ y: ReferenceTensor, _ channel: Int) -> [Double] {
    var values: [Double] = []
    forEach(y, channel) { values.append(y.values[$0]) }
    return values
  }

  private func forEach(_ y: ReferenceTensor, _ channel: Int, _ body: (Int) -> Void) {
    let area = y.height * y.width
    for n in 0..<y.batch {
      for pixel in 0..<area { body((n * y.channels + channel) * area + pixel) }
    }
  }
}
