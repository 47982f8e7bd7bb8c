import Compute
import Lockstep
import Testing

@testable import Training

@Suite struct GradientNormsTests {
  private func values(_ count: Int, seed: UInt64 = 3) -> [Float] {
    var random = AddressedRandom(seed: seed, purpose: .initialization)
    return (0..<count).map { _ in 2 * random.uniformFloat() - 1 }
  }

  private func square(_ values: [Float]) -> Double {
    values.withUnsafeBufferPointer { $0.baseAddress.map { sumOfSquares($0, count: values.count) } ?? 0 }
  }

  /// The definition, lane by lane.
  @Test(arguments: [0, 1, 15, 16, 17, 1003, 16_384]) func squaresAreAddedInLanes(count: Int) {
    let values = values(count)
    var lanes = [Double](repeating: 0, count: 16)
    for (index, value) in values.enumerated() { lanes[index % 16] += Double(value) * Double(value) }
    while lanes.count > 1 {
      let half = lanes.count / 2
      lanes = (0..<half).map { lanes[$0] + lanes[$0 + half] }
    }
    #expect(square(values) == lanes[0])
  }

  /// A sum in Float32 of four million squares is off by 1.6e-3 of itself.
  @Test func manySmallSquaresAreNotLost() {
    let exact = Double(Float(0.001)) * Double(Float(0.001)) * 0x1p22
    #expect(abs(square([Float](repeating: 0.001, count: 1 << 22)) - exact) < 1e-10 * exact)
    #expect(square([3e38, 3e38]) == 2 * Double(Float(3e38)) * Double(Float(3e38)))
  }

  /// Tensors cut by units and by buckets.
  @Test func normsAreThoseOfTheTensors() {
    let layout = FlatLayout(tensorSizes: [300_000, 5, 1, 20_000, 40_000])
    let gradient = values(layout.count), parameters = values(layout.count, seed: 4)
    func norms(_ order: [Int]) -> GradientNorms {
      let norms = GradientNorms(layout, withTensors: true)
      gradient.withUnsafeBufferPointer { gradient in
        parameters.withUnsafeBufferPointer { parameters in
          guard let gradient = gradient.baseAddress, let parameters = parameters.baseAddress else { return }
          for bucket in order {
            norms.keep(bucket: bucket, sum: gradient + layout.buckets[bucket].lowerBound, parameters: parameters)
          }
        }
      }
      return norms
    }
    let forwards = norms(Array(layout.buckets.indices)), backwards = norms(layout.buckets.indices.reversed())
    var start = 0
    for (index, size) in layout.tensorSizes.enumerated() {
      func plain(_ values: [Float]) -> Double {
        values[start..<start + size].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      }
      let norms = forwards.tensorNorms(sampleCount: 32, scale: 0.5)[index]
      #expect(abs(norms.gradient - plain(gradient) / 64) < 1e-12 * plain(gradient))
      #expect(abs(norms.parameters - plain(parameters)) < 1e-12 * plain(parameters))
      start += size
    }
    let whole = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() / 32
    #expect(abs(forwards.meanGradientNorm(sampleCount: 32) - whole) < 1e-12 * whole)
    #expect(forwards.meanGradientNorm(sampleCount: 32) == backwards.meanGradientNorm(sampleCount: 32))
    #expect(forwards.tensorNorms(sampleCount: 7, scale: 1) == backwards.tensorNorms(sampleCount: 7, scale: 1))
    for bucket in layout.buckets.indices {
      let kept = UnsafeBufferPointer(start: forwards.sum(ofBucket: bucket), count: layout.buckets[bucket].count)
      #expect(Array(kept) == Array(gradient[layout.buckets[bucket]]))
    }
  }
}
