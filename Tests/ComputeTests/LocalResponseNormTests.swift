import Testing

@testable import Compute

@Suite("Local response norm")
struct LocalResponseNormTests {
  struct Constants: Sendable {
    var size = 5
    var alpha = 1e-4
    var beta = 0.75
    var k = 1.0
  }

  static func run(
    _ x: ReferenceTensor, _ dy: ReferenceTensor, _ constants: Constants, threads: Int = 2
  ) -> (y: ReferenceTensor, dx: ReferenceTensor, accumulated: ReferenceTensor) {
    let pool = ThreadPool(threads: threads)
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: x), dx = Panels(resultLike: x)
    let accumulated = Panels(x)
    let scratch = FloatStorage(count: localResponseNormScratchCount(channels: x.channels, threads: threads))
    localResponseNormForward(
      input.tensor, into: y.tensor, size: constants.size, alpha: constants.alpha, beta: constants.beta,
      k: constants.k, scratch: scratch.pointer, pool: pool)
    for (target, accumulate) in [(dx, false), (accumulated, true)] {
      localResponseNormBackward(
        input.tensor, gradient.tensor, into: target.tensor, accumulate: accumulate, size: constants.size,
        alpha: constants.alpha, beta: constants.beta, k: constants.k, scratch: scratch.pointer, pool: pool)
    }
    #expect(y.spareLanesAreZero && dx.spareLanesAreZero && accumulated.spareLanesAreZero)
    return (y.values, dx.values, accumulated.values)
  }

  /// spec/golden_ops.json, "lrn": computed by PyTorch in double precision.
  @Test("PyTorch's numbers on six channels")
  func golden() {
    let x = ReferenceTensor(batch: 1, channels: 6, height: 1, width: 1, values: [1, 2, 3, 4, 5, 6])
    let dy = ReferenceTensor(batch: 1, channels: 6, height: 1, width: 1, values: [1, -1, 0.5, 0, 2, 1])
    let constants = Constants(alpha: 0.5)
    let y = [
      0.5186108144070652, 0.7071067811865476, 0.7369469694403248, 0.7113117640155692, 0.9167830591597848,
      1.184436578078933,
    ]
    let dx = [
      0.5042109085383463, -0.3823532023307118, -0.006323634495666086, -0.12423008351490586, 0.07884309779780385,
      -0.09701864911620528,
    ]
    let result = Self.run(x, dy, constants)
    #expect(relativeError(result.y.values, y) < 3e-7 && relativeError(result.dx.values, dx) < 1e-6)
    let reference = LocalResponseNormReference(size: 5, alpha: 0.5, beta: 0.75, k: 1)
    #expect(relativeError(reference.forward(x).values, y) < 1e-15)
    #expect(relativeError(reference.backward(x, dy).values, dx) < 1e-14)
  }

  @Test(
    "It agrees with the definition across panels",
    arguments: [
      Constants(), Constants(alpha: 2), Constants(size: 3, alpha: 1, beta: 0.5, k: 2),
      Constants(size: 33, alpha: 1, beta: 0.6), Constants(size: 1, alpha: 1),
    ])
  func agreesWithReference(_ constants: Constants) {
    var numbers = TestNumbers(11)
    let x = numbers.tensor(2, 40, 3, 4), dy = numbers.tensor(2, 40, 3, 4)
    let reference = LocalResponseNormReference(
      size: constants.size, alpha: constants.alpha, beta: constants.beta, k: constants.k)
    let result = Self.run(x, dy, constants), dx = reference.backward(x, dy)
    #expect(relativeError(result.y.values, reference.forward(x).values) < 1e-6)
    #expect(relativeError(result.dx.values, dx.values) < 1e-6)
    #expect(relativeError(result.accumulated.values, zip(x.values, dx.values).map { $0 + $1 }) < 1e-6)
    for threads in [1, 3, 7] {
      let again = Self.run(x, dy, constants, threads: threads)
      #expect(again.y == result.y && again.dx == result.dx)
    }
  }

  @Test("The reference's gradient is that of finite differences")
  func referenceGradient() {
    var numbers = TestNumbers(12)
    let x = numbers.tensor(1, 9, 1, 2), dy = numbers.tensor(1, 9, 1, 2)
    let reference = LocalResponseNormReference(size: 5, alpha: 1.5, beta: 0.75, k: 1)
    let gradient = reference.backward(x, dy)
    for index in x.values.indices {
      let expected = slope(x.values, index) { values in
        var moved = x
        moved.values = values
        return dot(reference.forward(moved).values, dy.values)
      }
      #expect(abs(gradient.values[index] - expected) < 1e-8)
    }
  }
}
