import Testing

@testable import Compute

@Suite("Winograd")
struct WinogradTests {
  /// All passes of one convolution on the same numbers.
  struct Run: Equatable {
    var y, dx, accumulated: ReferenceTensor
    var dw: [Double]
    var mean, variance: [[Double]]
  }

  struct Numbers {
    var x, dy, before: ReferenceTensor
    var weights, bias: [Double]

    init(_ test: ConvolutionCase) {
      var numbers = TestNumbers(test.channels.0 + test.size.1)
      let geometry = test.geometry
      x = numbers.tensor(test.batch, test.channels.0, test.size.0, test.size.1)
      dy = numbers.tensor(
        test.batch, test.channels.1, geometry.outputHeight(test.size.0), geometry.outputWidth(test.size.1))
      before = numbers.tensor(test.batch, test.channels.0, test.size.0, test.size.1)
      weights = numbers.values(geometry.weightCount)
      bias = numbers.values(test.channels.1)
    }
  }

  static func winograd(_ test: ConvolutionCase) -> Winograd {
    Winograd(test.geometry, inputHeight: test.size.0, inputWidth: test.size.1)
  }

  static func run(
    _ test: ConvolutionCase, _ numbers: Numbers, threads: Int, room: Int = 0, normalization: Normalization? = nil
  ) -> Run {
    let pool = ThreadPool(threads: threads), winograd = winograd(test), batch = numbers.x.batch
    let packed = FloatStorage(count: winograd.packedCount)
    let transposed = FloatStorage(count: winograd.packedTransposedCount)
    let filters = numbers.weights.map { Float($0) }
    winograd.pack(filters, into: packed.pointer, pool: pool)
    winograd.packTransposed(filters, into: transposed.pointer, pool: pool)
    // Scratch is exactly as large as promised and full of what must not matter.
    let scratch = FloatStorage(count: winograd.scratchCount(batch: batch, threads: threads) + 64)
    for index in 0..<scratch.count { scratch.pointer[index] = index < scratch.count - 64 ? .nan : 3.5 }
    let input = Panels(numbers.x, room: room), gradient = Panels(numbers.dy, room: room)
    let y = Panels(resultLike: numbers.dy, room: room), dx = Panels(resultLike: numbers.x, room: room)
    let accumulated = Panels(numbers.before, room: room)
    let blocks = winograd.momentBlocks(batch), panels = y.tensor.panels
    let records = FloatStorage(count: Moments.floatCount(panels: panels, blocks: blocks))
    let moments = Moments(records: records.pointer, panels: panels, blocks: blocks)
    let x = Activation(input.tensor, normalization: normalization)
    winograd.forward(
      x, weights: .packed(packed.pointer), bias: padded(numbers.bias), into: y.tensor, moments: moments,
      scratch: scratch.pointer, pool: pool)
    var dw = [Float](repeating: .nan, count: numbers.weights.count), again = dw
    winograd.backward(
      x, gradient.tensor, weights: .packed(transposed.pointer), into: &dw, dx: dx.tensor, accumulate: false,
      scratch: scratch.pointer, pool: pool)
    winograd.backward(
      x, gradient.tensor, weights: .packed(transposed.pointer), into: &again, dx: accumulated.tensor, accumulate: true,
      scratch: scratch.pointer, pool: pool)
    #expect(again == dw)
    winograd.backward(
      x, gradient.tensor, weights: nil, into: &again, dx: nil, accumulate: false, scratch: scratch.pointer, pool: pool)
    #expect(again == dw)
    #expect((scratch.count - 64..<scratch.count).allSatisfy { scratch.pointer[$0] == 3.5 }, "scratch was overrun")
    #expect(y.spareLanesAreZero && dx.spareLanesAreZero && accumulated.spareLanesAreZero)
    let combined = (0..<panels).map { moments.combined(panel: $0) }
    return Run(
      y: y.values, dx: dx.values, accumulated: accumulated.values, dw: dw.map { Double($0) },
      mean: combined.map { row in (0..<16).map { row.mean[$0] } },
      variance: combined.map { row in (0..<16).map { row.variance[$0] } })
  }

  /// The errors' root mean square and the largest error, relative to the expected values' root mean square.
  static func errors(_ actual: [Double], _ expected: [Double]) -> (rms: Double, largest: Double) {
    guard actual.count == expected.count, !actual.contains(where: \.isNaN) else { return (.infinity, .infinity) }
    let scale = (dot(expected, expected) / Double(expected.count)).squareRoot()
    let differences = zip(actual, expected).map { $0 - $1 }
    let rms = (dot(differences, differences) / Double(differences.count)).squareRoot()
    return (rms / scale, (differences.map { abs($0) }.max() ?? 0) / scale)
  }

  static func expectAccurate(_ test: ConvolutionCase, _ result: Run, _ numbers: Numbers, _ seen: ReferenceTensor) {
    let reference = ConvolutionReference(geometry: test.geometry)
    let y = reference.forward(seen, weights: numbers.weights, bias: numbers.bias)
    let dx = reference.backwardData(numbers.dy, weights: numbers.weights, like: seen)
    let dw = reference.backwardWeights(seen, numbers.dy)
    let sums = zip(dx.values, numbers.before.values).map { $0 + $1 }
    let pairs = [
      ("y", result.y.values, y.values), ("dx", result.dx.values, dx.values),
      ("dx + before", result.accumulated.values, sums), ("dw", result.dw, dw),
    ]
    for (name, actual, expected) in pairs {
      let (rms, largest) = errors(actual, expected)
      #expect(rms <= 2e-6 && largest <= 3e-5, "\(name): rms \(rms), largest \(largest)")
    }
  }

  @Test("Every pass agrees with its definition in double precision", arguments: ConvolutionCase.winograd)
  func agreesWithReference(_ test: ConvolutionCase) {
    let numbers = Numbers(test)
    Self.expectAccurate(test, Self.run(test, numbers, threads: 2), numbers, numbers.x)
  }

  @Test("Every pass agrees with its definition for the layers of networks", arguments: ConvolutionCase.winogradLayers)
  func agreesForLayers(_ test: ConvolutionCase) {
    let numbers = Numbers(test)
    Self.expectAccurate(test, Self.run(test, numbers, threads: 2), numbers, numbers.x)
  }

  @Test(
    "Threads and a larger plan change no bit",
    arguments: ConvolutionCase.winograd + [ConvolutionCase.winogradLayers[1], ConvolutionCase.winogradLayers[11]])
  func isDeterministic(_ test: ConvolutionCase) {
    let numbers = Numbers(test), expected = Self.run(test, numbers, threads: 1)
    for (threads, room) in [(2, 0), (3, 2), (7, 1)] {
      #expect(Self.run(test, numbers, threads: threads, room: room) == expected, "\(threads) threads")
    }
  }

  @Test("The input is seen normalised, and zero beyond the image", arguments: ConvolutionCase.winograd)
  func normalizes(_ test: ConvolutionCase) {
    let numbers = Numbers(test)
    var random = TestNumbers(3), seen = numbers.x
    let panels = dividedUp(test.channels.0, 16)
    let vectors = FloatStorage(count: Normalization.floatCount(panels: panels))
    let normalization = Normalization(vectors: vectors.pointer, panels: panels)
    normalization.setIdentity(panels: 0..<panels)
    for channel in 0..<test.channels.0 {
      for vector in 0..<4 { vectors.pointer[vector * 16 * panels + channel] = Float(random.values(1)[0]) }
    }
    seen.forEachPlane { n, c in
      let normalize = normalization.panel(c / 16)
      for h in 0..<seen.height {
        for w in 0..<seen.width {
          let row = Row(repeating: Float(numbers.x[n, c, h, w]))
          seen[n, c, h, w] = Double(normalize(row)[c % 16])
        }
      }
    }
    let result = Self.run(test, numbers, threads: 2, normalization: normalization)
    Self.expectAccurate(test, result, numbers, seen)
    // The same bits as if the normalised tensor had been stored.
    var stored = numbers
    stored.x = seen
    #expect(Self.run(test, stored, threads: 1) == result)
  }

  @Test("Moments are those of the output", arguments: ConvolutionCase.winograd)
  func gathersMoments(_ test: ConvolutionCase) {
    let numbers = Numbers(test), result = Self.run(test, numbers, threads: 3)
    for channel in 0..<test.channels.1 {
      let values = (0..<result.y.batch).flatMap { sample in
        (0..<result.y.height).flatMap { row in
          (0..<result.y.width).map { result.y[sample, channel, row, $0] }
        }
      }
      let mean = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
      #expect(abs(result.mean[channel / 16][channel % 16] - mean) < 1e-5 * (1 + abs(mean)))
      #expect(abs(result.variance[channel / 16][channel % 16] - variance) < 1e-5 * (1 + variance))
    }
  }

  @Test("A sample's output and data gradient do not depend on the batch it is in")
  func samplesAreIndependent() {
    for test in ConvolutionCase.winograd where test.batch > 1 {
      var numbers = Numbers(test)
      let all = Self.run(test, numbers, threads: 1), last = test.batch - 1
      func alone(_ tensor: ReferenceTensor) -> ReferenceTensor {
        let size = tensor.values.count / tensor.batch
        return ReferenceTensor(
          batch: 1, channels: tensor.channels, height: tensor.height, width: tensor.width,
          values: Array(tensor.values[last * size..<(last + 1) * size]))
      }
      (numbers.x, numbers.dy, numbers.before) = (alone(numbers.x), alone(numbers.dy), alone(numbers.before))
      let one = Self.run(test, numbers, threads: 2)
      #expect(one.y == alone(all.y) && one.dx == alone(all.dx), "\(test.testDescription)")
    }
  }

  @Test("Windows are chosen by their shape")
  func suits() {
    func suits(
      _ channels: (Int, Int), _ kernel: (Int, Int), stride: (Int, Int) = (1, 1), padding: (Int, Int) = (0, 0)
    ) -> Bool {
      let test = ConvolutionCase(
        name: "", channels: channels, kernel: kernel, stride: stride, padding: padding, size: (20, 20))
      return Winograd.suits(test.geometry)
    }
    for kernel in [(3, 3), (5, 5), (1, 7), (7, 1), (1, 3), (3, 1)] {
      #expect(suits((16, 16), kernel) && suits((24, 40), kernel, padding: (kernel.0 / 2, kernel.1 / 2)))
      #expect(!suits((16, 16), kernel, stride: (2, 2)) && !suits((16, 16), kernel, padding: kernel))
      #expect(!suits((3, 64), kernel) && !suits((64, 3), kernel))
    }
    for kernel in [(1, 1), (2, 2), (7, 7), (3, 7), (7, 5), (4, 3), (4, 4)] { #expect(!suits((16, 16), kernel)) }
  }

  @Test("A block is transposed")
  func transposes() {
    let source = (0..<16 * 19).map { Float($0) }
    var target = [Float](repeating: -1, count: 16 * 21)
    transpose16(source, 19, into: &target, 21)
    for row in 0..<16 {
      for column in 0..<21 { #expect(target[row * 21 + column] == (column < 16 ? source[column * 19 + row] : -1)) }
    }
  }

  /// A plan's memory is that of the largest batch; the last microbatch of an epoch is smaller.
  @Test("Scratch for a batch is enough for a smaller one", arguments: [1, 2, 3, 8, 16, 32])
  func scratchGrowsWithTheBatch(threads: Int) {
    for test in ConvolutionCase.winogradLayers {
      let convolution = test.convolution
      let counts = (1...16).map { convolution.scratchCount(batch: $0, threads: threads) }
      #expect(zip(counts, counts.dropFirst()).allSatisfy { $0 <= $1 }, "\(test.testDescription)")
    }
  }
}
