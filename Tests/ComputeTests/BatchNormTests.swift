import Testing

@testable import Compute

@Suite("Batch norm")
struct BatchNormTests {
  struct Result: Equatable {
    var z, dy: ReferenceTensor
    var mean, variance: [Double]
    var dgamma, dbeta: [Float]
  }

  static func run(
    _ y: ReferenceTensor, _ dz: ReferenceTensor, gamma: [Double], beta: [Double], relu: Bool, epsilon: Double = 1e-3,
    threads: Int = 2, room: Int = 0
  ) -> Result {
    let norm = BatchNorm(channels: y.channels, epsilon: epsilon), pool = ThreadPool(threads: threads)
    let input = Panels(y, room: room), gradient = Panels(dz, room: room), z = Panels(resultLike: y, room: room)
    let scale = padded(gamma), shift = padded(beta), panels = scale.count / 16
    let vectors = FloatStorage(count: Normalization.floatCount(panels: panels))
    let normalization = Normalization(vectors: vectors.pointer, panels: panels)
    let scratch = FloatStorage(count: norm.scratchCount(pixels: input.tensor.pixels))
    var inverse = scale
    var mean = gamma, variance = gamma
    var dgamma = gamma.map { _ in Float.nan }, dbeta = dgamma
    norm.forward(
      input.tensor, gamma: scale, beta: shift, relu: relu, into: z.tensor, normalization: normalization,
      inverse: &inverse, mean: &mean, variance: &variance, scratch: scratch.pointer, pool: pool)
    norm.backward(
      input.tensor, dz: gradient.tensor, normalization: normalization, inverse: inverse, dgamma: &dgamma,
      dbeta: &dbeta, scratch: scratch.pointer, pool: pool)
    for channel in y.channels..<panels * 16 {
      let expected: [Float] = [0, 0, 0, relu ? 0 : -.infinity]
      #expect((0..<4).map { vectors.pointer[$0 * panels * 16 + channel] } == expected)
    }
    #expect(z.spareLanesAreZero && gradient.spareLanesAreZero)
    return Result(z: z.values, dy: gradient.values, mean: mean, variance: variance, dgamma: dgamma, dbeta: dbeta)
  }

  /// spec/golden_ops.json, "bn": computed by PyTorch in double precision.
  @Test("PyTorch's numbers on a small tensor")
  func golden() {
    let y = ReferenceTensor(batch: 1, channels: 2, height: 2, width: 2, values: [1, 2, 3, 4, 0, 0, 2, -2])
    let dz = ReferenceTensor(batch: 1, channels: 2, height: 2, width: 2, values: [1, 0, 0, 0, 0, 1, 1, 0])
    let result = Self.run(y, dz, gamma: [1, 1], beta: [0, 0], relu: false)
    let expectedZ = [
      -1.3411044519645503, -0.44703481732151684, 0.44703481732151673, 1.3411044519645503, 0, 0, 1.4138601415098047,
      -1.4138601415098047,
    ]
    let expectedDy = [
      0.26854249817515574, -0.35752065126313154, -0.08951416605838525, 0.17849231914636104, -0.35346503537745116,
      0.35346503537745116, 0.0001766441955909282, -0.0001766441955909282,
    ]
    #expect(relativeError(result.z.values, expectedZ) < 2e-7)
    #expect(relativeError(result.dy.values, expectedDy) < 3e-7)
    // Running statistics after one step from 0 and 1 with momentum 0.1.
    let runningMean = result.mean.map { 0.1 * $0 }, runningVariance = result.variance.map { 0.9 + 0.1 * $0 }
    #expect(relativeError(runningMean, [0.25, 0]) < 1e-12)
    #expect(relativeError(runningVariance, [1.0666666666666667, 1.1666666666666667]) < 1e-7)
  }

  @Test(
    "Forward and backward agree with the definition",
    arguments: [(1, 3, 4, 5), (5, 16, 3, 3), (2, 24, 7, 7), (3, 40, 20, 13), (2, 16, 1, 1), (2, 24, 30, 31)],
    [false, true])
  func agreesWithReference(_ shape: (Int, Int, Int, Int), _ relu: Bool) {
    var numbers = TestNumbers(shape.1)
    let y = numbers.tensor(shape.0, shape.1, shape.2, shape.3), dz = numbers.tensor(shape.0, shape.1, shape.2, shape.3)
    let gamma = numbers.values(shape.1), beta = numbers.values(shape.1)
    let result = Self.run(y, dz, gamma: gamma, beta: beta, relu: relu)
    let reference = BatchNormReference(epsilon: 1e-3, relu: relu)
    let count = Double(shape.0 * shape.2 * shape.3)
    let moments = (0..<shape.1).map { reference.moments(y, $0) }
    let expected = reference.backward(y, dz, gamma: gamma, beta: beta)
    // Two samples of one pixel leave nothing but cancellation: the gradient is far smaller than its terms.
    let scale = count > 2 ? 1.0 : 1e4
    #expect(relativeError(result.z.values, reference.forward(y, gamma: gamma, beta: beta).values) < 1e-6)
    // Relative to the standard deviation: the means themselves may be as small as chance makes them.
    #expect(excess(result.mean, moments.map(\.mean)) { 2e-7 * moments[$0].variance.squareRoot() } < 1)
    #expect(relativeError(result.variance, moments.map { $0.variance * count / (count - 1) }) < 1e-6)
    #expect(relativeError(result.dy.values, expected.dy.values) < 2e-6 * scale)
    #expect(relativeError(result.dgamma.map { Double($0) }, expected.dgamma) < 2e-6 * scale)
    #expect(relativeError(result.dbeta.map { Double($0) }, expected.dbeta) < 2e-6)
  }

  @Test("A large mean does not spoil the statistics", arguments: [0.0, 1, 30, 1000, -1000])
  func largeMean(_ offset: Double) {
    var numbers = TestNumbers(5)
    let count = 2 * 60 * 60
    // Values that are exact in single precision, so that the input is not what errs.
    let values = numbers.values(count * 16).map { Double(Float($0 + offset)) }
    let y = ReferenceTensor(batch: 2, channels: 16, height: 60, width: 60, values: values)
    let ones = [Double](repeating: 1, count: 16), zeros = [Double](repeating: 0, count: 16)
    let result = Self.run(y, y.zeros, gamma: ones, beta: zeros, relu: false)
    let reference = BatchNormReference(epsilon: 1e-3, relu: false)
    for channel in 0..<16 {
      let (mean, variance) = reference.moments(y, channel)
      let unbiased = variance * Double(count) / Double(count - 1)
      #expect(abs(result.mean[channel] - mean) <= 2e-7 * max(1, abs(mean)))
      #expect(abs(result.variance[channel] - unbiased) <= 2e-6 * unbiased)
    }
  }

  @Test("A constant channel has no variance")
  func constant() {
    let y = ReferenceTensor(
      batch: 1, channels: 16, height: 9, width: 9, values: [Double](repeating: 3.3, count: 16 * 81))
    let result = Self.run(
      y, y, gamma: [Double](repeating: 1, count: 16), beta: [Double](repeating: 0.5, count: 16), relu: false)
    #expect(result.variance.allSatisfy { $0 >= 0 && $0 < 1e-10 })
    #expect(result.z.values.allSatisfy { abs($0 - 0.5) < 1e-4 })
  }

  @Test("Evaluation uses the running statistics", arguments: [false, true])
  func evaluation(_ relu: Bool) {
    var numbers = TestNumbers(6)
    let y = numbers.tensor(3, 24, 5, 4)
    let gamma = numbers.values(24), beta = numbers.values(24), mean = numbers.values(24)
    let variance = numbers.values(24).map { $0 + 1.5 }
    let input = Panels(y), z = Panels(resultLike: y), norm = BatchNorm(channels: 24, epsilon: 1e-5)
    let vectors = FloatStorage(count: Normalization.floatCount(panels: 2))
    let normalization = Normalization(vectors: vectors.pointer, panels: 2)
    norm.finishEvaluation(
      runningMean: padded(mean), runningVariance: padded(variance), gamma: padded(gamma), beta: padded(beta),
      relu: relu, into: normalization)
    norm.evaluate(input.tensor, normalization: normalization, into: z.tensor, pool: ThreadPool(threads: 2))
    var expected = y
    y.forEachPlane { n, c in
      for h in 0..<5 {
        for w in 0..<4 {
          let value = gamma[c] * (y[n, c, h, w] - mean[c]) / (variance[c] + 1e-5).squareRoot() + beta[c]
          expected[n, c, h, w] = relu ? max(value, 0) : value
        }
      }
    }
    #expect(relativeError(z.values.values, expected.values) < 1e-6)
    #expect(z.spareLanesAreZero)
  }

  @Test("Threads and a larger plan change no bit")
  func isDeterministic() {
    var numbers = TestNumbers(7)
    // Several blocks of rows; and panels that threads have to themselves, share, and share one after the other.
    for (channels, height, width) in [(40, 11, 9), (112, 23, 31), (24, 210, 160)] {
      let y = numbers.tensor(2, channels, height, width), dz = numbers.tensor(2, channels, height, width)
      let gamma = numbers.values(channels), beta = numbers.values(channels)
      let expected = Self.run(y, dz, gamma: gamma, beta: beta, relu: true, threads: 1)
      for threads in [2, 3, 7] {
        #expect(Self.run(y, dz, gamma: gamma, beta: beta, relu: true, threads: threads, room: threads % 3) == expected)
      }
    }
  }

  @Test("NaN stays in its channel")
  func nan() {
    var numbers = TestNumbers(8)
    var y = numbers.tensor(2, 16, 3, 3)
    y[1, 4, 2, 2] = .nan
    let ones = [Double](repeating: 1, count: 16)
    let result = Self.run(y, y, gamma: ones, beta: ones, relu: true)
    for c in 0..<16 { #expect(result.z[0, c, 0, 0].isNaN == (c == 4) && result.mean[c].isNaN == (c == 4)) }
  }

  @Test("The reference's gradients are those of finite differences", arguments: [false, true])
  func referenceGradients(_ relu: Bool) {
    var numbers = TestNumbers(9)
    let y = numbers.tensor(2, 3, 3, 2), dz = numbers.tensor(2, 3, 3, 2)
    let gamma = numbers.values(3), beta = numbers.values(3)
    let reference = BatchNormReference(epsilon: 1e-3, relu: relu)
    let gradient = reference.backward(y, dz, gamma: gamma, beta: beta)
    for index in y.values.indices {
      let expected = slope(y.values, index) { values in
        var moved = y
        moved.values = values
        return dot(reference.forward(moved, gamma: gamma, beta: beta).values, dz.values)
      }
      #expect(abs(gradient.dy.values[index] - expected) < 1e-7)
    }
    for c in 0..<3 {
      let byGamma = slope(gamma, c) { dot(reference.forward(y, gamma: $0, beta: beta).values, dz.values) }
      let byBeta = slope(beta, c) { dot(reference.forward(y, gamma: gamma, beta: $0).values, dz.values) }
      #expect(abs(gradient.dgamma[c] - byGamma) < 1e-7 && abs(gradient.dbeta[c] - byBeta) < 1e-7)
    }
  }
}
