import Testing

@testable import Compute

@Suite("Pools")
struct PoolTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var geometry: PoolGeometry
    var shape: (Int, Int, Int, Int)

    init(_ kernel: Int, _ stride: Int, _ padding: Int, _ ceilMode: Bool, _ shape: (Int, Int, Int, Int)) {
      geometry = PoolGeometry(kernel: kernel, stride: stride, padding: padding, ceilMode: ceilMode)
      self.shape = shape
    }

    var testDescription: String {
      "\(geometry.kernel)/\(geometry.stride)/\(geometry.padding) ceil \(geometry.ceilMode) of \(shape)"
    }

    static let all: [Case] = [
      Case(3, 2, 0, true, (2, 24, 8, 7)), Case(3, 1, 1, false, (5, 16, 7, 5)), Case(3, 2, 1, false, (1, 40, 9, 8)),
      Case(3, 2, 1, true, (1, 3, 4, 4)), Case(2, 2, 0, true, (2, 16, 7, 6)), Case(5, 3, 0, false, (1, 24, 14, 11)),
      Case(7, 1, 0, false, (2, 16, 8, 8)), Case(3, 1, 1, true, (1, 16, 1, 1)), Case(3, 3, 0, false, (1, 16, 9, 10)),
      Case(3, 1, 0, false, (1, 16, 3, 4)), Case(1, 1, 0, false, (1, 3, 3, 2)), Case(3, 2, 0, true, (1, 16, 2, 3)),
      // Several blocks of rows, which begin and end within samples.
      Case(3, 1, 1, false, (3, 24, 41, 33)), Case(3, 2, 0, true, (2, 16, 83, 65)),
      Case(2, 2, 0, false, (2, 16, 90, 41)), Case(5, 2, 2, false, (2, 16, 60, 37)),
      Case(1, 2, 0, false, (1, 16, 9, 9)), Case(2, 3, 1, true, (1, 16, 9, 8)),
      // So large that outputs or gradients are written past the caches.
      Case(3, 1, 1, false, (1, 16, 260, 260)), Case(3, 2, 0, true, (1, 16, 258, 255)),
      Case(2, 2, 0, true, (1, 16, 257, 256)),
    ]
  }

  struct Result: Equatable {
    var y, dx, accumulated: ReferenceTensor
    var winners: [Int32] = []
  }

  static func numbers(_ test: Case) -> (x: ReferenceTensor, dy: ReferenceTensor) {
    var numbers = TestNumbers(test.shape.1)
    var x = numbers.tensor(test.shape.0, test.shape.1, test.shape.2, test.shape.3)
    // Many ties, as after a ReLU.
    x.values = x.values.map { max(0, ($0 * 4).rounded()) }
    let y = PoolReference(geometry: test.geometry).output(x)
    return (x, numbers.tensor(y.batch, y.channels, y.height, y.width))
  }

  static func maximum(
    _ x: ReferenceTensor, _ dy: ReferenceTensor, _ geometry: PoolGeometry, threads: Int,
    normalization: Normalization? = nil, keepsStored: Bool = false
  ) -> Result {
    let pool = ThreadPool(threads: threads)
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy), dx = Panels(resultLike: x)
    let accumulated = Panels(x), evaluated = Panels(resultLike: dy)
    let scratch = FloatStorage(count: geometry.scratchCount(width: x.width, threads: threads))
    var words = [Int32](
      repeating: 99,
      count: Winners.count(geometry, batch: x.batch, height: x.height, width: x.width, channels: x.channels))
    let activation = Activation(input.tensor, normalization: normalization)
    words.withUnsafeMutableBufferPointer { words in
      guard let first = words.baseAddress else { return }
      let winners = Winners(first, geometry, batch: x.batch, height: x.height, width: x.width)
      maxPoolForward(
        activation, into: y.tensor, keepsStored: keepsStored, winners: winners, geometry: geometry,
        scratch: scratch.pointer, pool: pool)
      maxPoolForward(
        activation, into: evaluated.tensor, keepsStored: keepsStored, winners: nil, geometry: geometry,
        scratch: scratch.pointer, pool: pool)
      for (target, accumulate) in [(dx, false), (accumulated, true)] {
        maxPoolBackward(
          winners: winners, gradient.tensor, into: target.tensor, accumulate: accumulate, geometry: geometry,
          scratch: scratch.pointer, pool: pool)
      }
    }
    #expect(y.spareLanesAreZero && dx.spareLanesAreZero && accumulated.spareLanesAreZero)
    #expect(evaluated.bits == y.bits && evaluated.spareLanesAreZero)
    return Result(y: y.values, dx: dx.values, accumulated: accumulated.values, winners: words)
  }

  static func average(
    _ x: ReferenceTensor, _ dy: ReferenceTensor, _ geometry: PoolGeometry, countsPadding: Bool, threads: Int,
    normalization: Normalization? = nil
  ) -> Result {
    let pool = ThreadPool(threads: threads)
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy), dx = Panels(resultLike: x)
    let accumulated = Panels(x)
    let scratch = FloatStorage(count: geometry.scratchCount(width: x.width, threads: threads))
    averagePoolForward(
      Activation(input.tensor, normalization: normalization), into: y.tensor, geometry: geometry,
      countsPadding: countsPadding, scratch: scratch.pointer, pool: pool)
    for (target, accumulate) in [(dx, false), (accumulated, true)] {
      averagePoolBackward(
        gradient.tensor, into: target.tensor, accumulate: accumulate, geometry: geometry, countsPadding: countsPadding,
        scratch: scratch.pointer, pool: pool)
    }
    #expect(y.spareLanesAreZero && dx.spareLanesAreZero && accumulated.spareLanesAreZero)
    return Result(y: y.values, dx: dx.values, accumulated: accumulated.values)
  }

  /// What a normalisation makes of a tensor, in single precision.
  static func normalized(_ x: ReferenceTensor, _ normalization: Normalization) -> ReferenceTensor {
    let input = Panels(x), z = Panels(resultLike: x)
    BatchNorm(channels: x.channels, epsilon: 1).evaluate(
      input.tensor, normalization: normalization, into: z.tensor, pool: ThreadPool(threads: 1))
    return z.values
  }

  @Test("Pools of a normalised tensor are those of what the normalisation makes of it", arguments: Case.all)
  func normalizes(_ test: Case) {
    let (x, dy) = Self.numbers(test)
    let norm = TestNormalization(channels: x.channels, seed: 5), z = Self.normalized(x, norm.normalization)
    for threads in [1, 3] {
      #expect(
        Self.maximum(x, dy, test.geometry, threads: threads, normalization: norm.normalization).winners
          == Self.maximum(z, dy, test.geometry, threads: threads).winners)
      #expect(
        Self.maximum(x, dy, test.geometry, threads: threads, normalization: norm.normalization).y
          == Self.maximum(z, dy, test.geometry, threads: threads).y)
      #expect(
        Self.average(
          x, dy, test.geometry, countsPadding: true, threads: threads, normalization: norm.normalization
        ).y == Self.average(z, dy, test.geometry, countsPadding: true, threads: threads).y)
    }
  }

  @Test("What a pool keeps stored is normalised to the largest values, and is that of its winners", arguments: Case.all)
  func keepsStored(_ test: Case) {
    let (x, dy) = Self.numbers(test), geometry = test.geometry
    let norm = TestNormalization(channels: x.channels, seed: 5)
    let largest = PoolReference(geometry: geometry).maximum(Self.normalized(x, norm.normalization)).y
    for threads in [1, 3] {
      let result = Self.maximum(x, dy, geometry, threads: threads, normalization: norm.normalization, keepsStored: true)
      #expect(Self.normalized(result.y, norm.normalization) == largest)
      #expect(Self.places(result.winners, x, dy, geometry).map { x.values[$0] } == result.y.values)
    }
  }

  /// Where the winners are in an NCHW tensor, in the order of the outputs.
  static func places(
    _ words: [Int32], _ x: ReferenceTensor, _ dy: ReferenceTensor, _ geometry: PoolGeometry
  ) -> [Int] {
    let bits = max(1, geometry.kernel - 1), rowWords = (dy.width + 32 / bits - 1) / (32 / bits)
    /// The last bit that is set of a window's in a row of windows, counted from 1; 0 if none is.
    func winner(_ row: Int, _ window: Int, _ c: Int) -> Int {
      let word = UInt32(bitPattern: words[(row * rowWords + window / (32 / bits)) * 16 + c % 16])
      return (1..<geometry.kernel).last { (word << (window % (32 / bits) * bits + $0 - 1)) >> 31 == 1 } ?? 0
    }
    var places: [Int] = []
    dy.forEachPlane { n, c in
      for row in 0..<dy.height {
        for column in 0..<dy.width {
          // A panel has the rows of the input, and then those of the output.
          let panel = c / 16 * dy.batch * (x.height + dy.height)
          let rowWinner = winner(panel + dy.batch * x.height + n * dy.height + row, column, c)
          let h = row * geometry.stride - geometry.padding + rowWinner
          let columnWinner = winner(panel + n * x.height + h, column, c)
          let w = column * geometry.stride - geometry.padding + columnWinner
          places.append(((n * x.channels + c) * x.height + h) * x.width + w)
        }
      }
    }
    return places
  }

  @Test("Maxima and their gradients agree with the definition", arguments: Case.all)
  func maximumAgrees(_ test: Case) {
    let (x, dy) = Self.numbers(test), reference = PoolReference(geometry: test.geometry)
    let result = Self.maximum(x, dy, test.geometry, threads: 2)
    let dx = reference.maximumBackward(x, dy)
    #expect(result.y == reference.maximum(x).y)
    #expect(Self.places(result.winners, x, dy, test.geometry) == reference.maximum(x).places)
    #expect(excess(result.dx.values, dx.values) { _ in 1e-6 } < 1)
    #expect(excess(result.accumulated.values, zip(dx.values, x.values).map { $0 + $1 }) { _ in 1e-5 } < 1)
    for threads in [1, 3, 7] { #expect(Self.maximum(x, dy, test.geometry, threads: threads) == result) }
  }

  @Test("The first NaN of a window is its maximum, also the one that padding has", arguments: Case.all)
  func maximumOfNaN(_ test: Case) {
    var (x, dy) = Self.numbers(test)
    let reference = PoolReference(geometry: test.geometry)
    for index in stride(from: 3, to: x.values.count, by: 11) { x.values[index] = .nan }
    for index in stride(from: 5, to: x.values.count, by: 7) { x.values[index] = -.infinity }
    let y = reference.maximum(x).y, result = Self.maximum(x, dy, test.geometry, threads: 2)
    #expect(Self.places(result.winners, x, dy, test.geometry) == reference.maximum(x).places)
    #expect(zip(result.y.values, y.values).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
    #expect(excess(result.dx.values, reference.maximumBackward(x, dy).values) { _ in 1e-6 } < 1)
    // The bits that stand for padding.
    let input = Panels(x), output = Panels(resultLike: y)
    for panel in 0..<input.tensor.panels {
      let floats = UnsafeMutableBufferPointer(start: input.tensor.panel(panel), count: input.tensor.pixels * 16)
      for index in floats.indices where floats[index].isNaN { floats[index] = Float(bitPattern: .max) }
    }
    let scratch = FloatStorage(count: test.geometry.scratchCount(width: x.width, threads: 1))
    maxPoolForward(
      Activation(input.tensor), into: output.tensor, winners: nil, geometry: test.geometry, scratch: scratch.pointer,
      pool: ThreadPool(threads: 1))
    #expect(zip(output.values.values, y.values).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
  }

  @Test("Averages and their gradients agree with the definition", arguments: Case.all, [false, true])
  func averageAgrees(_ test: Case, _ countsPadding: Bool) {
    let (x, dy) = Self.numbers(test), reference = PoolReference(geometry: test.geometry)
    let result = Self.average(x, dy, test.geometry, countsPadding: countsPadding, threads: 2)
    let dx = reference.averageBackward(dy, like: x, countsPadding: countsPadding)
    #expect(excess(result.y.values, reference.average(x, countsPadding: countsPadding).values) { _ in 1e-5 } < 1)
    #expect(excess(result.dx.values, dx.values) { _ in 1e-6 } < 1)
    #expect(excess(result.accumulated.values, zip(dx.values, x.values).map { $0 + $1 }) { _ in 1e-5 } < 1)
    for threads in [1, 3, 7] {
      #expect(Self.average(x, dy, test.geometry, countsPadding: countsPadding, threads: threads) == result)
    }
  }

  @Test(
    "Adaptive averages agree with the definition",
    arguments: [(7, 7, 1, 1), (14, 14, 4, 4), (16, 16, 4, 4), (2, 2, 4, 4), (5, 8, 3, 2), (1, 1, 3, 1), (60, 50, 7, 9)])
  func adaptiveAgrees(_ shape: (Int, Int, Int, Int)) {
    var numbers = TestNumbers(3)
    let x = numbers.tensor(2, 24, shape.0, shape.1), dy = numbers.tensor(2, 24, shape.2, shape.3)
    let reference = AdaptivePoolReference(height: shape.2, width: shape.3), pool = ThreadPool(threads: 2)
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy), dx = Panels(resultLike: x)
    let accumulated = Panels(x)
    let scratch = FloatStorage(
      count: adaptiveAveragePoolScratchCount(
        height: shape.0, width: shape.1, outputHeight: shape.2, outputWidth: shape.3, threads: 2))
    adaptiveAveragePoolForward(Activation(input.tensor), into: y.tensor, scratch: scratch.pointer, pool: pool)
    adaptiveAveragePoolBackward(
      gradient.tensor, into: dx.tensor, accumulate: false, scratch: scratch.pointer, pool: pool)
    adaptiveAveragePoolBackward(
      gradient.tensor, into: accumulated.tensor, accumulate: true, scratch: scratch.pointer, pool: pool)
    let expected = reference.backward(dy, like: x)
    #expect(excess(y.values.values, reference.forward(x).values) { _ in 1e-6 } < 1)
    #expect(excess(dx.values.values, expected.values) { _ in 4e-6 } < 1)
    #expect(excess(accumulated.values.values, zip(expected.values, x.values).map { $0 + $1 }) { _ in 4e-6 } < 1)
    #expect(y.spareLanesAreZero && dx.spareLanesAreZero)
  }

  /// spec/golden_ops.json, "maxpool_tie": a 4×4 image of zeros, 3/2/1, computed by PyTorch.
  @Test("The first of equal values takes the gradient")
  func ties() {
    let x = ReferenceTensor(batch: 1, channels: 1, height: 4, width: 4)
    let dy = ReferenceTensor(batch: 1, channels: 1, height: 2, width: 2, values: [1, 1, 1, 1])
    let geometry = PoolGeometry(kernel: 3, stride: 2, padding: 1, ceilMode: false)
    #expect(PoolReference(geometry: geometry).maximum(x).places == [0, 1, 4, 5])
    let result = Self.maximum(x, dy, geometry, threads: 1)
    #expect(result.dx.values == [1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  /// spec/golden_ops.json, "avg": computed by PyTorch.
  @Test("PyTorch's averages with and without counting padding")
  func golden() {
    let three = ReferenceTensor(batch: 1, channels: 1, height: 3, width: 3, values: (1...9).map { Double($0) })
    let same = PoolGeometry(kernel: 3, stride: 1, padding: 1, ceilMode: false)
    let include = [
      1.3333333730697632, 2.3333332538604736, 1.7777777910232544, 3.0, 5.0, 3.6666667461395264, 2.6666667461395264,
      4.333333492279053, 3.1111111640930176,
    ]
    let exclude = [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0]
    let result = Self.average(three, three, same, countsPadding: true, threads: 1)
    #expect(relativeError(result.y.values, include) < 1e-7)
    #expect(
      relativeError(Self.average(three, three, same, countsPadding: false, threads: 1).y.values, exclude) < 1e-7)
    let four = ReferenceTensor(batch: 1, channels: 1, height: 4, width: 4, values: (1...16).map { Double($0) })
    let ceil = PoolGeometry(kernel: 3, stride: 2, padding: 1, ceilMode: true)
    let expected = [1.5555555820465088, 3.3333332538604736, 2.0, 6.333333492279053, 11.0, 6.0, 4.5, 7.5, 4.0]
    let output = PoolReference(geometry: ceil).output(four)
    #expect(
      relativeError(Self.average(four, output, ceil, countsPadding: true, threads: 1).y.values, expected) < 1e-7)
  }

  /// The sizes of the pools of the GoogLeNet family.
  @Test("Output sizes are PyTorch's")
  func sizes() {
    func size(_ kernel: Int, _ stride: Int, _ padding: Int, _ ceilMode: Bool, _ n: Int) -> Int {
      PoolGeometry(kernel: kernel, stride: stride, padding: padding, ceilMode: ceilMode).outputSize(n)
    }
    #expect(size(3, 2, 0, true, 112) == 56 && size(3, 2, 0, false, 112) == 55)
    #expect(size(3, 2, 0, true, 28) == 14 && size(2, 2, 0, true, 14) == 7 && size(3, 1, 1, true, 28) == 28)
    #expect(size(3, 2, 1, false, 32) == 16 && size(5, 3, 0, false, 14) == 4 && size(5, 3, 0, false, 16) == 4)
    #expect(size(3, 2, 1, true, 4) == 3 && size(3, 2, 1, true, 2) == 2 && size(2, 2, 1, true, 2) == 2)
    #expect(size(7, 1, 0, false, 8) == 2 && size(3, 2, 0, true, 2) == 1 && size(3, 2, 0, false, 2) == 0)
  }

  @Test("NaN is larger than every number, and zeros of both signs are equal")
  func specialValues() {
    let geometry = PoolGeometry(kernel: 2, stride: 2, padding: 0, ceilMode: false)
    let values = [1, .nan, -0.0, 0, .infinity, 2, 0, -0.0]
    let x = ReferenceTensor(batch: 1, channels: 1, height: 2, width: 4, values: values)
    let dy = ReferenceTensor(batch: 1, channels: 1, height: 1, width: 2, values: [3, 5])
    let result = Self.maximum(x, dy, geometry, threads: 1)
    #expect(result.y.values[0].isNaN && result.y.values[1] == 0 && result.y.values[1].sign == .minus)
    #expect(result.dx.values == [0, 3, 5, 0, 0, 0, 0, 0])
  }
}
