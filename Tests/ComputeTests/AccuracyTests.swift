import Testing

@testable import Compute

/// How far the direct methods are from the exact result, against a plain kernel in single precision: one product and one sum
/// after the other, each rounded. (Winograd's limits are absolute: see `WinogradTests`.)
@Suite("Accuracy of the direct methods")
struct AccuracyTests {
  /// Shapes of the catalog's layers, each over enough elements for its errors to be typical.
  static let cases: [ConvolutionCase] = [
    ConvolutionCase(
      name: "stem", channels: (3, 64), kernel: (7, 7), stride: (2, 2), padding: (3, 3), size: (48, 48)),
    ConvolutionCase(name: "strided", channels: (96, 96), kernel: (3, 3), stride: (2, 2), size: (17, 17)),
    ConvolutionCase(name: "linear over pixels", batch: 8, channels: (64, 128), kernel: (4, 4), size: (4, 4)),
    ConvolutionCase(name: "pointwise", batch: 2, channels: (256, 96), kernel: (1, 1), size: (14, 14)),
    ConvolutionCase(name: "linear", batch: 16, channels: (512, 160), kernel: (1, 1), size: (1, 1)),
  ]

  /// What a plain kernel makes of the case, in double precision or rounding every operation to single precision.
  private static func plain(
    _ test: ConvolutionCase, _ x: ReferenceTensor, _ weights: [Double], _ dy: ReferenceTensor, rounds: Bool
  ) -> (y: [Double], dx: [Double], dw: [Double]) {
    var y = dy.zeros, dx = x.zeros, dw = [Double](repeating: 0, count: weights.count)
    func add(_ sum: inout Double, _ a: Double, _ b: Double) {
      sum = rounds ? Double(Float(sum) + Float(a) * Float(b)) : sum + a * b
    }
    ConvolutionReference(geometry: test.geometry).forEachProduct(x, y) { n, o, c, out, input, weight in
      add(&y[n, o, out.h, out.w], x[n, c, input.h, input.w], weights[weight])
      add(&dx[n, c, input.h, input.w], dy[n, o, out.h, out.w], weights[weight])
      add(&dw[weight], x[n, c, input.h, input.w], dy[n, o, out.h, out.w])
    }
    return (y.values, dx.values, dw)
  }

  private static func errors(_ actual: [Double], _ exact: [Double]) -> (rms: Double, largest: Double) {
    let differences = zip(actual, exact).map { abs($0 - $1) }
    return ((dot(differences, differences) / Double(exact.count)).squareRoot(), differences.max() ?? 0)
  }

  @Test(arguments: cases)
  func errorsAreAtMostTwiceAPlainKernels(_ test: ConvolutionCase) {
    let (x, weights, _, dy, _) = ConvolutionTests.numbers(test)
    let exact = Self.plain(test, x, weights, dy, rounds: false)
    let plain = Self.plain(test, x, weights, dy, rounds: true)
    let fast = test.geometry.isPointwise ? Self.product(test, x, weights, dy) : Self.convolution(test, x, weights, dy)
    for (fast, (plain, exact)) in zip(
      [fast.y, fast.dx, fast.dw], zip([plain.y, plain.dx, plain.dw], [exact.y, exact.dx, exact.dw]))
    {
      let own = Self.errors(fast, exact), allowed = Self.errors(plain, exact)
      #expect(own.rms <= 2 * allowed.rms && own.largest <= 2 * allowed.largest)
    }
  }

  private static func convolution(
    _ test: ConvolutionCase, _ x: ReferenceTensor, _ weights: [Double], _ dy: ReferenceTensor
  ) -> (y: [Double], dx: [Double], dw: [Double]) {
    #expect(test.convolution.winograd == nil)
    let convolution = test.convolution, pool = ThreadPool(threads: 2), filters = weights.map { Float($0) }
    let packed = FloatStorage(count: convolution.packedCount)
    let transposed = FloatStorage(count: convolution.packedTransposedCount)
    convolution.pack(filters, into: packed.pointer, pool: pool)
    convolution.packTransposed(filters, into: transposed.pointer, pool: pool)
    let scratch = FloatStorage(count: convolution.scratchCount(batch: test.batch, threads: 2))
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy), dx = Panels(resultLike: x)
    var dw = [Float](repeating: 0, count: weights.count)
    convolution.forward(
      Activation(input.tensor), weights: packed.pointer, bias: nil, into: y.tensor, scratch: scratch.pointer,
      pool: pool)
    convolution.backward(
      Activation(input.tensor), gradient.tensor, weights: transposed.pointer, into: &dw, dx: dx.tensor,
      accumulate: false, scratch: scratch.pointer, pool: pool)
    return withExtendedLifetime((packed, transposed, scratch, input, gradient)) {
      (y.values.values, dx.values.values, dw.map { Double($0) })
    }
  }

  private static func product(
    _ test: ConvolutionCase, _ x: ReferenceTensor, _ weights: [Double], _ dy: ReferenceTensor
  ) -> (y: [Double], dx: [Double], dw: [Double]) {
    let product = PointwiseConvolution(
      inputChannels: test.channels.0, outputChannels: [test.channels.1], height: test.size.0, width: test.size.1)
    let pool = ThreadPool(threads: 2), filters = weights.map { Float($0) }
    let packed = FloatStorage(count: product.packedCount), transposed = FloatStorage(count: product.packedCount)
    product.pack(filters, part: 0, into: packed.pointer, pool: pool)
    product.packTransposed(filters, part: 0, into: transposed.pointer, pool: pool)
    let scratch = FloatStorage(count: product.scratchCount(batch: test.batch, threads: 2))
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy), dx = Panels(resultLike: x)
    var dw = [Float](repeating: 0, count: weights.count)
    product.forward(
      Activation(input.tensor), weights: packed.pointer, bias: nil, into: PanelTable([y.tensor]),
      scratch: scratch.pointer, pool: pool)
    product.backward(
      Activation(input.tensor), PanelTable([gradient.tensor]), weights: transposed.pointer, into: &dw, at: [0],
      dx: dx.tensor, accumulate: false, scratch: scratch.pointer, pool: pool)
    return withExtendedLifetime((packed, transposed, scratch, input, gradient)) {
      (y.values.values, dx.values.values, dw.map { Double($0) })
    }
  }
}
