import Testing

@testable import Compute

extension ConvolutionCase {
  private static func window(
    _ name: String, batch: Int = 1, _ channels: (Int, Int), _ kernel: (Int, Int), _ size: (Int, Int),
    padding: (Int, Int)? = nil
  ) -> ConvolutionCase {
    ConvolutionCase(
      name: name, batch: batch, channels: channels, kernel: kernel, stride: (2, 2),
      padding: padding ?? (kernel.0 / 2, kernel.1 / 2), size: size)
  }

  /// All remainders of the tiles, paddings that are even and odd, blocks and parts of every kind.
  static let stridedWinograd: [ConvolutionCase] =
    (1...18).map { window("7×7/2, height \($0)", batch: 2, (3, 16), (7, 7), ($0, 19 - $0)) }
    + (1...9).map { window("5×5/2, height \($0)", batch: 2, (3, 16), (5, 5), ($0, 10 - $0)) }
    + (0...3).map { window("7×7/2, paddings \($0) and \(3 - $0)", (3, 24), (7, 7), (15, 16), padding: ($0, 3 - $0)) }
    + (0...3).map { window("8×8/2, paddings \($0) and \(3 - $0)", (3, 24), (8, 8), (17, 18), padding: ($0, 3 - $0)) }
    + [
      window("7×7/2, four channels", batch: 3, (4, 40), (7, 7), (14, 17)),
      window("7×7/2, few outputs", (3, 13), (7, 7), (12, 11)),
      window("7×7/2, a wide row", (3, 16), (7, 7), (9, 500)),
      window("7×7/2, a tall column", (3, 16), (7, 7), (300, 9)),
      window("7×7/2, blocks of several samples", batch: 30, (3, 16), (7, 7), (16, 15)),
      window("7×7/2, several parts", batch: 5, (3, 16), (7, 7), (70, 66)),
      window("6×6/2", batch: 2, (3, 16), (6, 6), (14, 13)),
      window("9×9/2", batch: 2, (3, 16), (9, 9), (14, 13)),
      window("10×10/2", batch: 2, (3, 16), (10, 10), (14, 13)),
      window("5×7/2", batch: 2, (3, 16), (5, 7), (14, 13)),
      window("7×6/2", batch: 2, (4, 16), (7, 6), (13, 14)),
      window("7×7/2 of googlenet", (3, 64), (7, 7), (224, 224)),
    ]
}

@Suite("Winograd with stride 2, on images")
struct StridedWinogradTests {
  /// All passes of one convolution on the same numbers.
  struct Run: Equatable {
    var y: ReferenceTensor
    var dw: [Double]
    var mean, variance: [[Double]]
  }

  static func run(_ test: ConvolutionCase, _ numbers: WinogradTests.Numbers, threads: Int, room: Int = 0) -> Run {
    let pool = ThreadPool(threads: threads), batch = numbers.x.batch
    let strided = StridedWinograd(test.geometry, inputHeight: test.size.0, inputWidth: test.size.1)
    let packed = FloatStorage(count: strided.packedCount)
    strided.pack(numbers.weights.map { Float($0) }, into: packed.pointer, pool: pool)
    // Memory is exactly as large as promised and full of what must not matter.
    let layout = ImageLayout.phases(strided.phases)
    let imageCount = Images.floatCount(
      batch: batch, height: test.size.0, width: test.size.1, channels: test.channels.0, layout: layout)
    let pixels = FloatStorage(count: imageCount + 64)
    let scratch = FloatStorage(count: strided.scratchCount(batch: batch, threads: threads) + 64)
    for storage in [pixels, scratch] {
      for index in 0..<storage.count { storage.pointer[index] = index < storage.count - 64 ? .nan : 3.5 }
    }
    let images = Images(
      pointer: pixels.pointer, batch: batch, height: test.size.0, width: test.size.1, channels: test.channels.0,
      layout: layout)
    loadImages(nchw: numbers.x.values.map { Float($0) }, into: images, pool: pool)
    let gradient = Panels(numbers.dy, room: room), y = Panels(resultLike: numbers.dy, room: room)
    let blocks = strided.momentBlocks(batch), panels = y.tensor.panels
    let records = FloatStorage(count: Moments.floatCount(panels: panels, blocks: blocks))
    let moments = Moments(records: records.pointer, panels: panels, blocks: blocks)
    strided.forward(
      images, weights: packed.pointer, bias: padded(numbers.bias), into: y.tensor, moments: moments,
      scratch: scratch.pointer, pool: pool)
    var dw = [Float](repeating: .nan, count: numbers.weights.count)
    strided.backward(images, gradient.tensor, into: &dw, scratch: scratch.pointer, pool: pool)
    for storage in [pixels, scratch] {
      #expect((storage.count - 64..<storage.count).allSatisfy { storage.pointer[$0] == 3.5 }, "memory was overrun")
    }
    #expect(y.spareLanesAreZero)
    let combined = (0..<panels).map { moments.combined(panel: $0) }
    withExtendedLifetime((packed, gradient, records)) {}
    return Run(
      y: y.values, dw: dw.map { Double($0) }, mean: combined.map { row in (0..<16).map { row.mean[$0] } },
      variance: combined.map { row in (0..<16).map { row.variance[$0] } })
  }

  @Test("Every pass agrees with its definition in double precision", arguments: ConvolutionCase.stridedWinograd)
  func agreesWithReference(_ test: ConvolutionCase) {
    let numbers = WinogradTests.Numbers(test), result = Self.run(test, numbers, threads: 2)
    let reference = ConvolutionReference(geometry: test.geometry)
    let y = reference.forward(numbers.x, weights: numbers.weights, bias: numbers.bias)
    let dw = reference.backwardWeights(numbers.x, numbers.dy)
    for (name, actual, expected) in [("y", result.y.values, y.values), ("dw", result.dw, dw)] {
      let (rms, largest) = WinogradTests.errors(actual, expected)
      #expect(rms <= 2e-6 && largest <= 3e-5, "\(name): rms \(rms), largest \(largest)")
    }
    for channel in 0..<test.channels.1 {
      let values = (0..<y.batch).flatMap { sample in
        (0..<y.height).flatMap { row in (0..<y.width).map { result.y[sample, channel, row, $0] } }
      }
      let mean = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
      #expect(abs(result.mean[channel / 16][channel % 16] - mean) < 1e-5 * (1 + abs(mean)))
      #expect(abs(result.variance[channel / 16][channel % 16] - variance) < 1e-5 * (1 + variance))
    }
  }

  @Test("Threads and a larger plan change no bit", arguments: ConvolutionCase.stridedWinograd)
  func isDeterministic(_ test: ConvolutionCase) {
    let numbers = WinogradTests.Numbers(test), expected = Self.run(test, numbers, threads: 1)
    for (threads, room) in [(2, 0), (3, 2), (7, 1)] {
      #expect(Self.run(test, numbers, threads: threads, room: room) == expected, "\(threads) threads")
    }
  }

  @Test("A sample's output does not depend on the batch it is in")
  func samplesAreIndependent() {
    for test in ConvolutionCase.stridedWinograd where test.batch > 1 {
      var numbers = WinogradTests.Numbers(test)
      let all = Self.run(test, numbers, threads: 1), last = test.batch - 1
      func alone(_ tensor: ReferenceTensor) -> ReferenceTensor {
        let size = tensor.values.count / tensor.batch
        return ReferenceTensor(
          batch: 1, channels: tensor.channels, height: tensor.height, width: tensor.width,
          values: Array(tensor.values[last * size..<(last + 1) * size]))
      }
      (numbers.x, numbers.dy) = (alone(numbers.x), alone(numbers.dy))
      #expect(Self.run(test, numbers, threads: 2).y == alone(all.y), "\(test.testDescription)")
    }
  }

  @Test("Windows are chosen by their shape, and where few outputs are wasted")
  func suits() {
    func suits(
      _ channels: (Int, Int), _ kernel: (Int, Int), stride: (Int, Int) = (2, 2), size: (Int, Int) = (224, 224)
    ) -> Bool {
      let test = ConvolutionCase(
        name: "", channels: channels, kernel: kernel, stride: stride, padding: (kernel.0 / 2, kernel.1 / 2), size: size)
      return StridedWinograd.suits(test.geometry, inputHeight: size.0, inputWidth: size.1)
    }
    #expect(suits((3, 64), (7, 7)) && suits((4, 16), (8, 8)) && suits((3, 32), (5, 5)))
    #expect(suits((3, 64), (7, 7), size: (64, 64)) && !suits((3, 64), (7, 7), size: (9, 9)))
    #expect(!suits((1, 64), (7, 7)) && !suits((5, 64), (7, 7)) && !suits((3, 8), (7, 7)))
    #expect(!suits((3, 32), (3, 3)) && !suits((3, 32), (7, 1)) && !suits((3, 64), (11, 11)))
    #expect(!suits((3, 64), (13, 5)) && !suits((3, 64), (5, 13)))
    #expect(!suits((3, 64), (7, 7), stride: (1, 1)) && !suits((3, 64), (7, 7), stride: (2, 1)))
  }

  @Test(
    "Each pixel of an image is in its phase",
    arguments: [(1, 1), (2, 5), (7, 31), (8, 32), (9, 33), (3, 34), (4, 67), (400, 401)],
    [(0, 0), (1, 2), (2, 1), (3, 3)])
  func loads(_ size: (Int, Int), _ padding: (Int, Int)) {
    let (height, width) = size
    for channels in [3, 4] {
      let phases = ImagePhases(
        imageHeight: height, imageWidth: width, paddingHeight: padding.0, paddingWidth: padding.1)
      let layout = ImageLayout.phases(phases)
      let count = Images.floatCount(batch: 2, height: height, width: width, channels: channels, layout: layout)
      let storage = FloatStorage(count: count)
      for index in 0..<count { storage.pointer[index] = .nan }
      let nchw = (1...2 * channels * height * width).map { Float($0) }
      loadImages(
        nchw: nchw,
        into: Images(
          pointer: storage.pointer, batch: 2, height: height, width: width, channels: channels, layout: layout),
        pool: ThreadPool(threads: 2))
      // Where each value is to be found, and zeros everywhere else.
      var expected = [Float](repeating: 0, count: count)
      for (index, value) in nchw.enumerated() {
        let column = index % width + padding.1 % 2, row = index / width % height + padding.0 % 2
        let channel = index / (height * width) % channels, sample = index / (height * width * channels)
        let phase = [[1, 2], [0, 3]][row % 2][column % 2]
        let pixel = (sample * phases.height + row / 2) * phases.width + column / 2
        expected[pixel * 16 + phase * channels + channel] = value
      }
      #expect(storage.values == expected)
    }
  }
}
