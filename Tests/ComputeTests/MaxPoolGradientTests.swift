import Testing

@testable import Compute

@Suite("Gradients of a batch norm and the max pool behind it")
struct MaxPoolGradientTests {
  static let cases: [PoolTests.Case] = [
    .init(3, 2, 0, true, (2, 40, 83, 65)), .init(3, 1, 1, false, (3, 24, 41, 33)),
    .init(2, 2, 0, false, (2, 16, 90, 41)),
    // A panel that threads share, rows longer than a block, and less than a block.
    .init(3, 2, 0, true, (2, 24, 200, 180)), .init(3, 2, 1, false, (1, 16, 5, 600)),
    .init(5, 3, 1, false, (1, 16, 9, 7)),
  ]

  private struct Gradients: Equatable {
    let dx: ReferenceTensor
    let dgamma, dbeta: [Float]
  }

  /// The gradients of a batch norm behind which a pool kept what is stored: made together, or of the pool's gradient.
  private func gradients(_ test: PoolTests.Case, together: Bool, threads: Int) -> Gradients {
    let (x, dy) = PoolTests.numbers(test), geometry = test.geometry, pool = ThreadPool(threads: threads)
    let norm = BatchNorm(channels: x.channels, epsilon: 1e-3)
    let vectors = TestNormalization(channels: x.channels, seed: 9)
    let input = Panels(x), gradient = Panels(dy), y = Panels(resultLike: dy)
    let poolScratch = geometry.scratchCount(width: x.width, threads: threads)
    let scratch = FloatStorage(count: norm.scratchCount(pixels: input.tensor.pixels) + poolScratch)
    let words = FloatStorage(
      count: Winners.count(geometry, batch: x.batch, height: x.height, width: x.width, channels: x.channels))
    let winners = Winners(
      UnsafeMutableRawPointer(words.pointer).bindMemory(to: Int32.self, capacity: words.count), geometry,
      batch: x.batch, height: x.height, width: x.width)
    maxPoolForward(
      Activation(input.tensor, normalization: vectors.normalization), into: y.tensor, keepsStored: true,
      winners: winners, geometry: geometry, scratch: scratch.pointer, pool: pool)
    let dx = Panels(resultLike: x), inverse = padded(x.values.prefix(x.channels).map { $0 + 0.5 })
    var dgamma = [Float](repeating: .nan, count: x.channels), dbeta = dgamma
    if together {
      norm.backward(
        input.tensor, pooled: y.tensor, gradient.tensor, winners: winners, geometry: geometry, into: dx.tensor,
        normalization: vectors.normalization, inverse: inverse, dgamma: &dgamma, dbeta: &dbeta,
        scratch: scratch.pointer, pool: pool)
    } else {
      maxPoolBackward(
        winners: winners, gradient.tensor, into: dx.tensor, accumulate: false, geometry: geometry,
        scratch: scratch.pointer, pool: pool)
      norm.backward(
        input.tensor, dz: dx.tensor, normalization: vectors.normalization, inverse: inverse, dgamma: &dgamma,
        dbeta: &dbeta, scratch: scratch.pointer, pool: pool)
    }
    #expect(dx.spareLanesAreZero)
    return Gradients(dx: dx.values, dgamma: dgamma, dbeta: dbeta)
  }

  @Test("Made together, they are those made one after the other", arguments: cases)
  func agree(_ test: PoolTests.Case) {
    let one = gradients(test, together: true, threads: 1), other = gradients(test, together: false, threads: 1)
    // Only the order differs in which the sums are taken.
    #expect(relativeError(one.dx.values, other.dx.values) < 1e-6)
    #expect(relativeError(one.dgamma.map(Double.init), other.dgamma.map(Double.init)) < 1e-6)
    #expect(relativeError(one.dbeta.map(Double.init), other.dbeta.map(Double.init)) < 1e-6)
    for threads in [2, 3] { #expect(gradients(test, together: true, threads: threads) == one) }
  }
}
