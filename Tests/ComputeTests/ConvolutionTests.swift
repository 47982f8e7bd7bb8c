import Testing

@testable import Compute

@Suite("Convolution")
struct ConvolutionTests {
  /// All kernels of one convolution on the same numbers.
  struct Run {
    var y, dx: ReferenceTensor
    var accumulated: ReferenceTensor
    var dw, db: [Double]
    var spareLanesAreZero: Bool
    /// Mean and variance of each of the output's channels.
    var moments: [[Double]]
  }

  static func numbers(
    _ test: ConvolutionCase
  ) -> (x: ReferenceTensor, weights: [Double], bias: [Double], dy: ReferenceTensor, before: ReferenceTensor) {
    var numbers = TestNumbers(test.channels.0 + test.size.1)
    let (geometry, batch, size) = (test.geometry, test.batch, test.size)
    return (
      numbers.tensor(batch, test.channels.0, size.0, size.1), numbers.values(geometry.weightCount),
      numbers.values(test.channels.1),
      numbers.tensor(batch, test.channels.1, geometry.outputHeight(size.0), geometry.outputWidth(size.1)),
      numbers.tensor(batch, test.channels.0, size.0, size.1)
    )
  }

  /// - Parameter inPassing: gives the passes the weights as they are.
  static func run(
    _ test: ConvolutionCase, threads: Int, room: Int = 0, normalized: Bool = false, inPassing: Bool = false
  ) -> Run {
    let (x, weights, bias, dy, before) = numbers(test)
    let pool = ThreadPool(threads: threads), convolution = test.convolution
    let packed = FloatStorage(count: convolution.packedCount)
    let transposed = FloatStorage(count: convolution.packedTransposedCount)
    let filters = weights.map { Float($0) }
    convolution.pack(filters, into: packed.pointer, pool: pool)
    convolution.packTransposed(filters, into: transposed.pointer, pool: pool)
    let raw = FloatStorage(count: filters.count)
    raw.pointer.update(from: filters, count: filters.count)
    let forwardWeights = inPassing ? raw.pointer : packed.pointer
    let backwardWeights = inPassing ? raw.pointer : transposed.pointer
    // Scratch is exactly as large as promised and full of what must not matter.
    let scratch = FloatStorage(count: convolution.scratchCount(batch: test.batch, threads: threads) + 64)
    for index in 0..<scratch.count { scratch.pointer[index] = index < scratch.count - 64 ? .nan : 3.5 }
    let input = Panels(x, room: room), gradient = Panels(dy, room: room)
    let y = Panels(resultLike: dy, room: room), dx = Panels(resultLike: x, room: room)
    let accumulated = Panels(before, room: room)
    let vectors = TestNormalization(channels: test.channels.0, seed: 3)
    let activation = Activation(input.tensor, normalization: normalized ? vectors.normalization : nil)
    let blocks = convolution.momentBlocks(batch: test.batch)
    let records = FloatStorage(count: Moments.floatCount(panels: y.tensor.panels, blocks: blocks))
    let moments = Moments(records: records.pointer, panels: y.tensor.panels, blocks: blocks)
    convolution.forward(
      activation, weights: forwardWeights, arePacked: !inPassing, bias: padded(bias), into: y.tensor, moments: moments,
      scratch: scratch.pointer, pool: pool)
    var dw = [Float](repeating: .nan, count: weights.count), db = [Float](repeating: .nan, count: bias.count)
    convolution.backward(
      activation, gradient.tensor, weights: backwardWeights, arePacked: !inPassing, into: &dw, dx: dx.tensor,
      accumulate: false,
      scratch: scratch.pointer, pool: pool)
    let first = dw
    convolution.backward(
      activation, gradient.tensor, weights: backwardWeights, arePacked: !inPassing, into: &dw, dx: accumulated.tensor,
      accumulate: true,
      scratch: scratch.pointer, pool: pool)
    #expect(dw == first)
    let summed = FloatStorage(count: bias.count), sumsBias = convolution.sumsBiasGradient
    convolution.backward(
      activation, gradient.tensor, weights: nil, into: &dw, bias: sumsBias ? summed.pointer : nil, dx: nil,
      accumulate: false, scratch: scratch.pointer, pool: pool)
    #expect(dw == first)
    biasGradient(gradient.tensor, into: &db, pool: pool)
    #expect(!sumsBias || summed.values.prefix(db.count) == db[...])
    #expect((scratch.count - 64..<scratch.count).allSatisfy { scratch.pointer[$0] == 3.5 }, "scratch was overrun")
    defer { withExtendedLifetime((input, gradient, vectors, records, packed, transposed, raw)) {} }
    return Run(
      y: y.values, dx: dx.values, accumulated: accumulated.values, dw: dw.map { Double($0) }, db: db.map { Double($0) },
      spareLanesAreZero: y.spareLanesAreZero && dx.spareLanesAreZero && accumulated.spareLanesAreZero,
      moments: (0..<y.tensor.panels).map { moments.combined(panel: $0) }.flatMap { panel in
        (0..<16).map { [panel.mean[$0], panel.variance[$0]] }
      })
  }

  /// A sum of n products in single precision may err by a few units in the last place of Σ|a b|, and by √n of them.
  static func tolerance(_ terms: Int) -> Double { (4 + Double(terms).squareRoot()) * 0x1p-24 }

  /// Winograd's errors are of the size of the whole tile's products: limits relative to the output's rms over all elements.
  static func isWinogradExact(_ actual: [Double], _ expected: [Double]) -> Bool {
    let scale = (dot(expected, expected) / Double(expected.count)).squareRoot()
    let differences = zip(actual, expected).map { ($0 - $1) / scale }
    let rms = (dot(differences, differences) / Double(expected.count)).squareRoot()
    return rms <= 2e-6 && differences.allSatisfy { abs($0) <= 3e-5 }
  }

  static func magnitudes(_ tensor: ReferenceTensor) -> ReferenceTensor {
    ReferenceTensor(
      batch: tensor.batch, channels: tensor.channels, height: tensor.height, width: tensor.width,
      values: tensor.values.map { abs($0) })
  }

  @Test("Weights that are packed in passing give the same bits", arguments: [1, 2, 3])
  func packsInPassing(threads: Int) {
    let cases = ConvolutionCase.all.filter { $0.convolution.packsInPassing(batch: $0.batch) }
    #expect(cases.count > 1)
    for test in cases {
      let packed = Self.run(test, threads: 1, normalized: true)
      let inPassing = Self.run(test, threads: threads, room: 32, normalized: true, inPassing: true)
      #expect(inPassing.y.values == packed.y.values && inPassing.dx.values == packed.dx.values)
      #expect(inPassing.accumulated.values == packed.accumulated.values && inPassing.dw == packed.dw)
      #expect(inPassing.moments == packed.moments && inPassing.spareLanesAreZero)
    }
  }

  @Test("Every kernel agrees with its definition in double precision", arguments: ConvolutionCase.all, [false, true])
  func agreesWithReference(_ test: ConvolutionCase, normalized: Bool) {
    var (x, weights, bias, dy, before) = Self.numbers(test)
    if normalized { x = TestNormalization(channels: test.channels.0, seed: 3).applied(to: x) }
    let result = Self.run(test, threads: 2, normalized: normalized)
    let reference = ConvolutionReference(geometry: test.geometry)
    let weightSizes = weights.map { abs($0) }, taps = test.kernel.0 * test.kernel.1
    let isWinograd = test.convolution.winograd != nil
    func isClose(_ actual: [Double], _ expected: [Double], _ allowance: (Int) -> Double) -> Bool {
      isWinograd ? Self.isWinogradExact(actual, expected) : excess(actual, expected, allowing: allowance) < 1
    }

    let y = reference.forward(x, weights: weights, bias: bias)
    let ySizes = reference.forward(Self.magnitudes(x), weights: weightSizes, bias: bias.map { abs($0) })
    let forwardTolerance = Self.tolerance(taps * test.channels.0)
    #expect(isClose(result.y.values, y.values) { forwardTolerance * ySizes.values[$0] + 1e-30 })

    let dx = reference.backwardData(dy, weights: weights, like: x)
    let dxSizes = reference.backwardData(Self.magnitudes(dy), weights: weightSizes, like: x)
    let dataTolerance = Self.tolerance(taps * test.channels.1)
    func allowance(_ index: Int) -> Double {
      dataTolerance * (dxSizes.values[index] + abs(before.values[index])) + 1e-30
    }
    #expect(isClose(result.dx.values, dx.values, allowance))
    let sums = zip(dx.values, before.values).map { $0 + $1 }
    #expect(isClose(result.accumulated.values, sums, allowance))

    let dw = reference.backwardWeights(x, dy)
    let dwSizes = reference.backwardWeights(Self.magnitudes(x), Self.magnitudes(dy))
    let weightTolerance = Self.tolerance(dy.height * dy.width * test.batch)
    #expect(isClose(result.dw, dw) { weightTolerance * dwSizes[$0] + 1e-30 })

    let db = reference.backwardBias(dy), dbSizes = reference.backwardBias(Self.magnitudes(dy))
    #expect(excess(result.db, db) { weightTolerance * dbSizes[$0] } < 1)
    #expect(result.spareLanesAreZero)
  }

  /// Those of the very values that were written.
  @Test("The moments are those of the output", arguments: ConvolutionCase.all)
  func moments(_ test: ConvolutionCase) {
    let result = Self.run(test, threads: 3), y = result.y
    for channel in 0..<y.channels {
      let values = (0..<y.batch).flatMap { n in
        (0..<y.height * y.width).map { y.values[(n * y.channels + channel) * y.height * y.width + $0] }
      }
      let mean = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
      #expect(abs(result.moments[channel][0] - mean) <= 1e-6 * (abs(mean) + variance.squareRoot()))
      #expect(abs(result.moments[channel][1] - variance) <= 1e-6 * (variance + 1e-6 * mean * mean))
    }
  }

  @Test("Threads and a larger plan change no bit", arguments: ConvolutionCase.all)
  func isDeterministic(_ test: ConvolutionCase) {
    let expected = Self.run(test, threads: 1)
    for (threads, room) in [(2, 0), (3, 2), (7, 1)] {
      let result = Self.run(test, threads: threads, room: room)
      #expect(result.y == expected.y && result.dx == expected.dx && result.accumulated == expected.accumulated)
      #expect(result.dw == expected.dw && result.db == expected.db && result.moments == expected.moments)
    }
  }

  @Test("A sample's output and data gradient do not depend on the batch it is in")
  func samplesAreIndependent() {
    for test in ConvolutionCase.all where test.batch > 1 {
      var (x, weights, bias, dy, _) = Self.numbers(test)
      let all = Self.run(test, threads: 1)
      let pool = ThreadPool(threads: 1), convolution = test.convolution
      let packed = FloatStorage(count: convolution.packedCount)
      let transposed = FloatStorage(count: convolution.packedTransposedCount)
      let filters = weights.map { Float($0) }
      convolution.pack(filters, into: packed.pointer, pool: pool)
      convolution.packTransposed(filters, into: transposed.pointer, pool: pool)
      let scratch = FloatStorage(count: convolution.scratchCount(batch: 1, threads: 1))
      let last = test.batch - 1
      func alone(_ tensor: ReferenceTensor) -> ReferenceTensor {
        let size = tensor.values.count / tensor.batch
        return ReferenceTensor(
          batch: 1, channels: tensor.channels, height: tensor.height, width: tensor.width,
          values: Array(tensor.values[last * size..<(last + 1) * size]))
      }
      (x, dy) = (alone(x), alone(dy))
      let y = Panels(resultLike: dy), dx = Panels(resultLike: x), input = Panels(x), gradient = Panels(dy)
      convolution.forward(
        Activation(input.tensor), weights: packed.pointer, bias: padded(bias), into: y.tensor,
        scratch: scratch.pointer, pool: pool)
      var dw = [Float](repeating: 0, count: weights.count)
      convolution.backward(
        Activation(input.tensor), gradient.tensor, weights: transposed.pointer, into: &dw, dx: dx.tensor,
        accumulate: false, scratch: scratch.pointer, pool: pool)
      #expect(y.values == alone(all.y) && dx.values == alone(all.dx), "\(test.testDescription)")
    }
  }

  @Test("Without a bias sums start from zero")
  func withoutBias() {
    let test = ConvolutionCase.all[8]
    let (x, weights, _, dy, _) = Self.numbers(test)
    let pool = ThreadPool(threads: 2), convolution = test.convolution
    let packed = FloatStorage(count: convolution.packedCount)
    convolution.pack(weights.map { Float($0) }, into: packed.pointer, pool: pool)
    let scratch = FloatStorage(count: convolution.scratchCount(batch: test.batch, threads: 2))
    let y = Panels(resultLike: dy), input = Panels(x)
    convolution.forward(
      Activation(input.tensor), weights: packed.pointer, bias: nil, into: y.tensor, scratch: scratch.pointer, pool: pool
    )
    let expected = ConvolutionReference(geometry: test.geometry).forward(x, weights: weights)
    #expect(relativeError(y.values.values, expected.values) < 1e-6)
  }

  @Test("With the direct method, NaN reaches exactly the outputs whose windows cover it")
  func nan() {
    let test = ConvolutionCase(
      name: "NaN", channels: (16, 16), kernel: (3, 3), stride: (1, 2), padding: (1, 1), size: (6, 7))
    var (x, weights, _, dy, _) = Self.numbers(test)
    x[0, 5, 2, 3] = .nan
    let pool = ThreadPool(threads: 1), convolution = test.convolution
    let packed = FloatStorage(count: convolution.packedCount)
    convolution.pack(weights.map { Float($0) }, into: packed.pointer, pool: pool)
    let scratch = FloatStorage(count: convolution.scratchCount(batch: 1, threads: 1))
    let y = Panels(resultLike: dy), input = Panels(x)
    convolution.forward(
      Activation(input.tensor), weights: packed.pointer, bias: nil, into: y.tensor, scratch: scratch.pointer, pool: pool
    )
    let result = y.values
    for h in 0..<6 {
      for w in 0..<4 {
        let isCovered = abs(h - 2) <= 1 && abs(2 * w - 3) <= 1
        #expect((0..<16).allSatisfy { result[0, $0, h, w].isNaN == isCovered })
      }
    }
  }

  @Test("The references' gradients are those of finite differences")
  func referenceGradients() {
    for test in ConvolutionCase.all where test.channels.0 * test.size.0 * test.size.1 < 1000 && test.kernel != (1, 1) {
      let (x, weights, bias, dy, _) = Self.numbers(test)
      let reference = ConvolutionReference(geometry: test.geometry)
      func loss(_ x: ReferenceTensor, _ weights: [Double], _ bias: [Double]) -> Double {
        dot(reference.forward(x, weights: weights, bias: bias).values, dy.values)
      }
      let dx = reference.backwardData(dy, weights: weights, like: x), dw = reference.backwardWeights(x, dy)
      let db = reference.backwardBias(dy)
      var numbers = TestNumbers(1)
      for _ in 0..<3 {
        let i = numbers.integer(below: x.values.count), j = numbers.integer(below: weights.count)
        let k = numbers.integer(below: bias.count)
        let xSlope = slope(x.values, i) { values in
          var moved = x
          moved.values = values
          return loss(moved, weights, bias)
        }
        #expect(abs(xSlope - dx.values[i]) < 1e-7)
        #expect(abs(slope(weights, j) { loss(x, $0, bias) } - dw[j]) < 1e-7)
        #expect(abs(slope(bias, k) { loss(x, weights, $0) } - db[k]) < 1e-7)
      }
    }
  }
}

extension ConvolutionTests {
  /// The first layer's input in its own layout instead of panels: the same bits, if it is computed by the same method.
  @Test("Images are read as panels are", arguments: ConvolutionCase.all.filter { $0.imageLayout != nil })
  func images(_ test: ConvolutionCase) throws {
    let (x, weights, bias, dy, _) = Self.numbers(test), layout = try #require(test.imageLayout)
    let expected = Self.run(test, threads: 1)
    let convolution = Convolution(
      test.geometry, inputHeight: test.size.0, inputWidth: test.size.1, readsImages: true)
    #expect(convolution.imageLayout == layout)
    let pool = ThreadPool(threads: 2), nchw = x.values.map { Float($0) }, filters = weights.map { Float($0) }
    let storage = FloatStorage(
      count: Images.floatCount(
        batch: x.batch, height: x.height, width: x.width, channels: x.channels, layout: layout))
    let images = Images(
      pointer: storage.pointer, batch: x.batch, height: x.height, width: x.width, channels: x.channels, layout: layout)
    loadImages(nchw: nchw, into: images, pool: pool)
    let packed = FloatStorage(count: convolution.packedCount)
    convolution.pack(filters, into: packed.pointer, pool: pool)
    let scratch = FloatStorage(count: convolution.scratchCount(batch: test.batch, threads: 2))
    let y = Panels(resultLike: dy), gradient = Panels(dy)
    convolution.forward(
      images, weights: packed.pointer, bias: padded(bias), into: y.tensor, scratch: scratch.pointer, pool: pool)
    var dw = [Float](repeating: .nan, count: weights.count)
    convolution.backward(images, gradient.tensor, into: &dw, scratch: scratch.pointer, pool: pool)
    withExtendedLifetime((storage, packed, gradient)) {}
    if convolution.method == test.convolution.method {
      #expect(y.values == expected.y && dw.map { Double($0) } == expected.dw)
    } else {
      #expect(convolution.method == "Winograd" && convolution.packedTransposedCount == 0)
      #expect(Self.isWinogradExact(y.values.values, expected.y.values))
      #expect(Self.isWinogradExact(dw.map { Double($0) }, expected.dw))
    }
  }
}
