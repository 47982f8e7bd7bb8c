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
    ]
  }

  struct Result: Equatable {
    var y, dx, accumulated: ReferenceTensor
  }

  static func numbers(_ test: Case) -> (x: ReferenceTensor, dy: ReferenceTensor) {
    var numbers = TestNumbers(test.shape.1)
    var x = numbers.tensor(test.shape.0, test.shape.1, test.shape.2, test.shape.3)
    // Many ties, as after a ReLU.
    x.values = x.values.map { max(0, ($0 * 4).rounded()) }
    let y = PoolReference(geometry: test.geometry).output(x)
    return (x, numbers.tensor(y.batch, y.channels, y.height, y.width))
  }

  static func maximum(_ x: ReferenceTensor, _ dy: ReferenceTensor, _ geometry: PoolGeometry, threads: Int) -> Result {
    let pool = ThreadPool(threads: threads)
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy), dx = Panels(resultLike: x)
    let accumulated = Panels(x)
    maxPoolForward(input.tensor, into: y.tensor, geometry: geometry, pool: pool)
    for (target, accumulate) in [(dx, false), (accumulated, true)] {
      maxPoolBackward(
        input.tensor, y.tensor, gradient.tensor, into: target.tensor, accumulate: accumulate, geometry: geometry,
        pool: pool)
    }
    #expect(y.spareLanesAreZero && dx.spareLanesAreZero && accumulated.spareLanesAreZero)
    return Result(y: y.values, dx: dx.values, accumulated: accumulated.values)
  }

  static func average(
    _ x: ReferenceTensor, _ dy: ReferenceTensor, _ geometry: PoolGeometry, countsPadding: Bool, threads: Int
  ) -> Result {
    let pool = ThreadPool(threads: threads)
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy), dx = Panels(resultLike: x)
    let accumulated = Panels(x)
    averagePoolForward(input.tensor, into: y.tensor, geometry: geometry, countsPadding: countsPadding, pool: pool)
    for (target, accumulate) in [(dx, false), (accumulated, true)] {
      averagePoolBackward(
        gradient.tensor, into: target.tensor, accumulate: accumulate, geometry: geometry, countsPadding: countsPadding,
        pool: pool)
    }
    #expect(y.spareLanesAreZero && dx.spareLanesAreZero && accumulated.spareLanesAreZero)
    return Result(y: y.values, dx: dx.values, accumulated: accumulated.values)
  }

  @Test("Maxima and their gradients agree with the definition", arguments: Case.all)
  func maximumAgrees(_ test: Case) {
    let (x, dy) = Self.numbers(test), reference = PoolReference(geometry: test.geometry)
    let result = Self.maximum(x, dy, test.geometry, threads: 2)
    let dx = reference.maximumBackward(x, dy)
    #expect(result.y == reference.maximum(x).y)
    #expect(excess(result.dx.values, dx.values) { _ in 1e-6 } < 1)
    #expect(excess(result.accumulated.values, zip(dx.values, x.values).map { $0 + $1 }) { _ in 1e-5 } < 1)
    for threads in [1, 3, 7] { #expect(Self.maximum(x, dy, test.geometry, threads: threads) == result) }
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
    arguments: [(7, 7, 1, 1), (14, 14, 4, 4), (16, 16, 4, 4), (2, 2, 4, 4), (5, 8, 3, 2)])
  func adaptiveAgrees(_ shape: (Int, Int, Int, Int)) {
    var numbers = TestNumbers(3)
    let x = numbers.tensor(2, 24, shape.0, shape.1), dy = numbers.tensor(2, 24, shape.2, shape.3)
    let reference = AdaptivePoolReference(height: shape.2, width: shape.3), pool = ThreadPool(threads: 2)
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy), dx = Panels(resultLike: x)
    let accumulated = Panels(x)
    adaptiveAveragePoolForward(input.tensor, into: y.tensor, pool: pool)
    adaptiveAveragePoolBackward(gradient.tensor, into: dx.tensor, accumulate: false, pool: pool)
    adaptiveAveragePoolBackward(gradient.tensor, into: accumulated.tensor, accumulate: true, pool: pool)
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
