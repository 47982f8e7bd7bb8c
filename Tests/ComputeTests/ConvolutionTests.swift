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

  static func run(_ test: ConvolutionCase, threads: Int, room: Int = 0) -> Run {
    let (x, weights, bias, dy, before) = numbers(test)
    let pool = ThreadPool(threads: threads), convolution = test.convolution
    let packed = FloatStorage(count: convolution.packedCount)
    let transposed = FloatStorage(count: convolution.packedTransposedCount)
    let filters = weights.map { Float($0) }
    convolution.pack(filters, into: packed.pointer, pool: pool)
    convolution.packTransposed(filters, into: transposed.pointer, pool: pool)
    // Scratch is exactly as large as promised and full of what must not matter.
    let scratch = FloatStorage(count: convolution.scratchCount(batch: test.batch, threads: threads) + 64)
    for index in 0..<scratch.count { scratch.pointer[index] = index < scratch.count - 64 ? .nan : 3.5 }
    let input = Panels(x, room: room), gradient = Panels(dy, room: room)
    let y = Panels(resultLike: dy, room: room), dx = Panels(resultLike: x, room: room)
    let accumulated = Panels(before, room: room)
    convolution.forward(
      input.tensor, weights: packed.pointer, bias: padded(bias), into: y.tensor, scratch: scratch.pointer, pool: pool)
    convolution.backwardData(
      gradient.tensor, weights: transposed.pointer, into: dx.tensor, accumulate: false, scratch: scratch.pointer,
      pool: pool)
    convolution.backwardData(
      gradient.tensor, weights: transposed.pointer, into: accumulated.tensor, accumulate: true,
      scratch: scratch.pointer, pool: pool)
    var dw = [Float](repeating: .nan, count: weights.count), db = [Float](repeating: .nan, count: bias.count)
    convolution.backwardWeights(input.tensor, gradient.tensor, into: &dw, scratch: scratch.pointer, pool: pool)
    convolution.backwardBias(gradient.tensor, into: &db, pool: pool)
    #expect((scratch.count - 64..<scratch.count).allSatisfy { scratch.pointer[$0] == 3.5 }, "scratch was overrun")
    return Run(
      y: y.values, dx: dx.values, accumulated: accumulated.values, dw: dw.map { Double($0) }, db: db.map { Double($0) },
      spareLanesAreZero: y.spareLanesAreZero && dx.spareLanesAreZero && accumulated.spareLanesAreZero)
  }

  /// A sum of n products in single precision may err by a few units in the last place of Σ|a b|, and by √n of them.
  static func tolerance(_ terms: Int) -> Double { (4 + Double(terms).squareRoot()) * 0x1p-24 }

  @Test("Every kernel agrees with its definition in double precision", arguments: ConvolutionCase.all)
  func agreesWithReference(_ test: ConvolutionCase) {
    let (x, weights, bias, dy, before) = Self.numbers(test)
    let result = Self.run(test, threads: 2), reference = ConvolutionReference(geometry: test.geometry)
    func magnitudes(_ tensor: ReferenceTensor) -> ReferenceTensor {
      ReferenceTensor(
        batch: tensor.batch, channels: tensor.channels, height: tensor.height, width: tensor.width,
        values: tensor.values.map { abs($0) })
    }
    let weightSizes = weights.map { abs($0) }, taps = test.kernel.0 * test.kernel.1

    let y = reference.forward(x, weights: weights, bias: bias)
    let ySizes = reference.forward(magnitudes(x), weights: weightSizes, bias: bias.map { abs($0) })
    let forwardTolerance = Self.tolerance(taps * test.channels.0)
    #expect(excess(result.y.values, y.values) { forwardTolerance * ySizes.values[$0] } < 1)

    let dx = reference.backwardData(dy, weights: weights, like: x)
    let dxSizes = reference.backwardData(magnitudes(dy), weights: weightSizes, like: x)
    let dataTolerance = Self.tolerance(taps * test.channels.1)
    func allowance(_ index: Int) -> Double {
      dataTolerance * (dxSizes.values[index] + abs(before.values[index])) + 1e-30
    }
    #expect(excess(result.dx.values, dx.values, allowing: allowance) < 1)
    let sums = zip(dx.values, before.values).map { $0 + $1 }
    #expect(excess(result.accumulated.values, sums, allowing: allowance) < 1)

    let dw = reference.backwardWeights(x, dy), dwSizes = reference.backwardWeights(magnitudes(x), magnitudes(dy))
    let weightTolerance = Self.tolerance(dy.height * dy.width * test.batch)
    #expect(excess(result.dw, dw) { weightTolerance * dwSizes[$0] + 1e-30 } < 1)

    let db = reference.backwardBias(dy), dbSizes = reference.backwardBias(magnitudes(dy))
    #expect(excess(result.db, db) { weightTolerance * dbSizes[$0] } < 1)
    #expect(result.spareLanesAreZero)
  }

  @Test("Threads and a larger plan change no bit", arguments: ConvolutionCase.all)
  func isDeterministic(_ test: ConvolutionCase) {
    let expected = Self.run(test, threads: 1)
    for (threads, room) in [(2, 0), (3, 2), (7, 1)] {
      let result = Self.run(test, threads: threads, room: room)
      #expect(result.y == expected.y && result.dx == expected.dx && result.accumulated == expected.accumulated)
      #expect(result.dw == expected.dw && result.db == expected.db)
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
        input.tensor, weights: packed.pointer, bias: padded(bias), into: y.tensor, scratch: scratch.pointer,
        pool: pool)
      convolution.backwardData(
        gradient.tensor, weights: transposed.pointer, into: dx.tensor, accumulate: false, scratch: scratch.pointer,
        pool: pool)
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
      input.tensor, weights: packed.pointer, bias: nil, into: y.tensor, scratch: scratch.pointer, pool: pool)
    let expected = ConvolutionReference(geometry: test.geometry).forward(x, weights: weights)
    #expect(relativeError(y.values.values, expected.values) < 1e-6)
  }

  @Test("NaN reaches exactly the outputs whose windows cover it")
  func nan() {
    let test = ConvolutionCase(
      name: "NaN", channels: (16, 16), kernel: (3, 3), padding: (1, 1), size: (6, 7))
    var (x, weights, _, dy, _) = Self.numbers(test)
    x[0, 5, 2, 3] = .nan
    let pool = ThreadPool(threads: 1), convolution = test.convolution
    let packed = FloatStorage(count: convolution.packedCount)
    convolution.pack(weights.map { Float($0) }, into: packed.pointer, pool: pool)
    let scratch = FloatStorage(count: convolution.scratchCount(batch: 1, threads: 1))
    let y = Panels(resultLike: dy), input = Panels(x)
    convolution.forward(
      input.tensor, weights: packed.pointer, bias: nil, into: y.tensor, scratch: scratch.pointer, pool: pool)
    let result = y.values
    for h in 0..<6 {
      for w in 0..<7 {
        let isCovered = abs(h - 2) <= 1 && abs(w - 3) <= 1
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
