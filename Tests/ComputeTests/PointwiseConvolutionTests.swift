import Testing

@testable import Compute

/// Convolutions that are one matrix product, and their input.
struct ProductCase: CustomTestStringConvertible, Sendable {
  var batch = 1
  var inputs: Int
  var outputs: [Int]
  var size = (1, 1)

  var testDescription: String { "\(batch)×\(inputs)→\(outputs), \(size)" }

  static let all: [ProductCase] = [
    // One pixel to thirteen, full panels and not.
    ProductCase(inputs: 16, outputs: [16]), ProductCase(inputs: 3, outputs: [5], size: (1, 2)),
    ProductCase(inputs: 24, outputs: [40], size: (5, 1)), ProductCase(inputs: 16, outputs: [24], size: (1, 7)),
    ProductCase(inputs: 40, outputs: [16], size: (2, 4)), ProductCase(inputs: 16, outputs: [16, 24], size: (13, 1)),
    // Several of them, whose panels are not full; several blocks and chunks of pixels; several runs of panels.
    ProductCase(batch: 5, inputs: 40, outputs: [24, 8, 16], size: (7, 6)),
    ProductCase(batch: 2, inputs: 600, outputs: [24], size: (3, 4)),
    ProductCase(batch: 3, inputs: 136, outputs: [40, 16, 8], size: (8, 9)),
    // Few blocks and many pixels: the gradient is summed in parts.
    ProductCase(batch: 2, inputs: 16, outputs: [16, 16], size: (50, 52)),
    // A linear layer.
    ProductCase(batch: 5, inputs: 40, outputs: [10]),
  ]
}

@Suite("Pointwise convolution")
struct PointwiseConvolutionTests {
  struct Run: Equatable {
    var ys: [ReferenceTensor]
    var dx, accumulated: ReferenceTensor
    var dws: [[Double]]
    var spareLanesAreZero: Bool
    var means, variances: [[Double]]
  }

  static func numbers(_ test: ProductCase) -> (
    x: ReferenceTensor, weights: [[Double]], biases: [[Double]], dys: [ReferenceTensor]
  ) {
    var numbers = TestNumbers(test.inputs + test.size.0)
    return (
      numbers.tensor(test.batch, test.inputs, test.size.0, test.size.1),
      test.outputs.map { numbers.values($0 * test.inputs) }, test.outputs.map { numbers.values($0) },
      test.outputs.map { numbers.tensor(test.batch, $0, test.size.0, test.size.1) }
    )
  }

  static func run(_ test: ProductCase, threads: Int, normalized: Bool) -> Run {
    let (x, weights, biases, dys) = numbers(test)
    let pool = ThreadPool(threads: threads)
    let product = PointwiseConvolution(
      inputChannels: test.inputs, outputChannels: test.outputs, height: test.size.0, width: test.size.1)
    let packed = FloatStorage(count: product.packedCount), transposed = FloatStorage(count: product.packedCount)
    for (part, values) in weights.enumerated() {
      product.pack(values.map { Float($0) }, part: part, into: packed.pointer, pool: pool)
      product.packTransposed(values.map { Float($0) }, part: part, into: transposed.pointer, pool: pool)
    }
    let scratch = FloatStorage(count: product.scratchCount(batch: test.batch, threads: threads) + 64)
    for index in 0..<scratch.count { scratch.pointer[index] = index < scratch.count - 64 ? .nan : 3.5 }
    let input = Panels(x), gradients = dys.map { Panels($0) }
    let ys = dys.map { Panels(resultLike: $0) }, dx = Panels(resultLike: x), accumulated = Panels(x)
    let vectors = TestNormalization(channels: test.inputs, seed: 5)
    let activation = Activation(input.tensor, normalization: normalized ? vectors.normalization : nil)
    let blocks = product.momentBlocks(batch: test.batch)
    let records = FloatStorage(count: Moments.floatCount(panels: product.outputPanels, blocks: blocks))
    let moments = Moments(records: records.pointer, panels: product.outputPanels, blocks: blocks)
    product.forward(
      activation, weights: packed.pointer, bias: biases.flatMap(padded), into: PanelTable(ys.map(\.tensor)),
      moments: moments, scratch: scratch.pointer, pool: pool)
    let offsets = weights.indices.map { index in weights[..<index].reduce(3) { $0 + $1.count } }
    var flat = [Float](repeating: 7.75, count: weights.reduce(6) { $0 + $1.count })
    let table = PanelTable(gradients.map(\.tensor))
    product.backward(
      activation, table, weights: transposed.pointer, into: &flat, at: offsets, dx: dx.tensor, accumulate: false,
      scratch: scratch.pointer, pool: pool)
    let first = flat
    product.backward(
      activation, table, weights: transposed.pointer, into: &flat, at: offsets, dx: accumulated.tensor,
      accumulate: true, scratch: scratch.pointer, pool: pool)
    #expect(flat == first && flat.prefix(3) == [7.75, 7.75, 7.75] && flat.suffix(3) == [7.75, 7.75, 7.75])
    #expect((scratch.count - 64..<scratch.count).allSatisfy { scratch.pointer[$0] == 3.5 }, "scratch was overrun")
    let combined = (0..<product.outputPanels).map { moments.combined(panel: $0) }
    withExtendedLifetime((input, gradients, vectors, records)) {}
    return Run(
      ys: ys.map(\.values), dx: dx.values, accumulated: accumulated.values,
      dws: zip(offsets, weights).map { offset, values in flat[offset..<offset + values.count].map { Double($0) } },
      spareLanesAreZero: (ys + [dx, accumulated]).allSatisfy(\.spareLanesAreZero),
      means: combined.map { panel in (0..<16).map { panel.mean[$0] } },
      variances: combined.map { panel in (0..<16).map { panel.variance[$0] } })
  }

  @Test("It is the convolutions that it is made of", arguments: ProductCase.all, [false, true])
  func agreesWithReference(_ test: ProductCase, normalized: Bool) {
    let (raw, weights, biases, dys) = Self.numbers(test)
    let x = normalized ? TestNormalization(channels: test.inputs, seed: 5).applied(to: raw) : raw
    let result = Self.run(test, threads: 2, normalized: normalized)
    var dx = raw.zeros, dxSizes = raw.zeros
    for (part, outputs) in test.outputs.enumerated() {
      let reference = ConvolutionReference(
        geometry: ConvolutionGeometry(
          inputChannels: test.inputs, outputChannels: outputs, kernelHeight: 1, kernelWidth: 1, strideHeight: 1,
          strideWidth: 1, paddingHeight: 0, paddingWidth: 0))
      let sizes = weights[part].map { abs($0) }, dySizes = ConvolutionTests.magnitudes(dys[part])
      let y = reference.forward(x, weights: weights[part], bias: biases[part])
      let ySizes = reference.forward(
        ConvolutionTests.magnitudes(x), weights: sizes, bias: biases[part].map { abs($0) })
      let tolerance = ConvolutionTests.tolerance(test.inputs)
      #expect(excess(result.ys[part].values, y.values) { tolerance * ySizes.values[$0] } < 1)

      let dw = reference.backwardWeights(x, dys[part])
      let dwSizes = reference.backwardWeights(ConvolutionTests.magnitudes(x), dySizes)
      let weightTolerance = ConvolutionTests.tolerance(test.size.0 * test.size.1 * test.batch)
      #expect(excess(result.dws[part], dw) { weightTolerance * dwSizes[$0] + 1e-30 } < 1)

      let own = reference.backwardData(dys[part], weights: weights[part], like: x)
      let ownSizes = reference.backwardData(dySizes, weights: sizes, like: x)
      for index in dx.values.indices {
        dx.values[index] += own.values[index]
        dxSizes.values[index] += ownSizes.values[index]
      }
    }
    let tolerance = ConvolutionTests.tolerance(test.outputs.reduce(0, +))
    func allowance(_ index: Int) -> Double { tolerance * (dxSizes.values[index] + abs(raw.values[index])) }
    #expect(excess(result.dx.values, dx.values, allowing: allowance) < 1)
    let sums = zip(dx.values, raw.values).map { $0 + $1 }
    #expect(excess(result.accumulated.values, sums, allowing: allowance) < 1)
    #expect(result.spareLanesAreZero)
  }

  @Test("Threads change no bit", arguments: ProductCase.all, [false, true])
  func isDeterministic(_ test: ProductCase, normalized: Bool) {
    let expected = Self.run(test, threads: 1, normalized: normalized)
    for threads in [2, 3, 7] {
      let isEqual = Self.run(test, threads: threads, normalized: normalized) == expected
      #expect(isEqual)
    }
  }

  /// Values of one channel of a small case, by hand.
  @Test("The moments are those of each output")
  func moments() {
    let test = ProductCase.all[6], result = Self.run(test, threads: 2, normalized: true)
    var panel = 0
    for y in result.ys {
      let values = (0..<y.batch).flatMap { n in (0..<42).map { y[n, 1, $0 / 6, $0 % 6] } }
      let mean = values.reduce(0, +) / 210
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 210
      #expect(abs(result.means[panel][1] - mean) < 1e-6 && abs(result.variances[panel][1] - variance) < 1e-6 * variance)
      panel += (y.channels + 15) / 16
    }
  }
}
