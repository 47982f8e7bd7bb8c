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

  @Test("Made together, they are those made one after the other", arguments: cases, [1, 2, 3])
  func agree(_ test: PoolTests.Case, _ threads: Int) {
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
      Activation(input.tensor, normalization: vectors.normalization), into: y.tensor, winners: winners,
      geometry: geometry, scratch: scratch.pointer, pool: pool)
    func backward(together: Bool) -> (dx: Panels, dgamma: [Float], dbeta: [Float]) {
      let dx = Panels(resultLike: x)
      var dgamma = [Float](repeating: .nan, count: x.channels), dbeta = dgamma
      if !together {
        maxPoolBackward(
          winners: winners, gradient.tensor, into: dx.tensor, accumulate: false, geometry: geometry,
          scratch: scratch.pointer, pool: pool)
      }
      norm.backward(
        input.tensor, dz: dx.tensor,
        behind: together
          ? MaxPoolGradient(
            winners: winners, gradient.tensor, into: dx.tensor, accumulate: false, geometry: geometry) : nil,
        normalization: vectors.normalization, inverse: padded(x.values.prefix(x.channels).map { $0 + 0.5 }),
        dgamma: &dgamma, dbeta: &dbeta, scratch: scratch.pointer, pool: pool)
      return (dx, dgamma, dbeta)
    }
    let one = backward(together: true), other = backward(together: false)
    #expect(one.dx.bits == other.dx.bits && one.dx.spareLanesAreZero)
    #expect(one.dgamma == other.dgamma && one.dbeta == other.dbeta)
  }
}
