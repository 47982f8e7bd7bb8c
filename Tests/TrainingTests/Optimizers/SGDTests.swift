import Lockstep
import Testing

@testable import Training

@Suite struct SGDTests {
  /// Applies steps to a vector whose first `decaying` elements decay; gives parameters and momentum after each step.
  private func run(
    _ optimizer: SGD, _ start: [Float], decaying: Int, gradients: [[Float]], rates: [Float], samples: Int = 1
  ) -> [(parameters: [Float], momentum: [Float])] {
    var (w, b) = (start, [Float](repeating: 0, count: start.count))
    return zip(gradients, rates).map { gradient, rate in
      var (newW, newB) = (w, b)
      let sums = gradient.map { $0 * Float(samples) }
      let (oldW, oldB) = (w, b)
      for (range, decays) in [(0..<decaying, true), (decaying..<start.count, false)] {
        sums.withUnsafeBufferPointer { g in
          w.withUnsafeBufferPointer { w in
            b.withUnsafeBufferPointer { b in
              newW.withUnsafeMutableBufferPointer { newW in
                newB.withUnsafeMutableBufferPointer { newB in
                  guard let g = g.baseAddress, let w = w.baseAddress, let b = b.baseAddress,
                    let newW = newW.baseAddress, let newB = newB.baseAddress
                  else { return }
                  let start = range.lowerBound
                  let hasState = !optimizer.stateNames.isEmpty
                  optimizer.update(
                    ParameterUpdate(
                      count: range.count, decays: decays, gradientSum: g + start, sampleCount: samples,
                      learningRate: rate,
                      parameters: w + start, newParameters: newW + start, state: hasState ? [b + start] : [],
                      newState: hasState ? [newB + start] : []))
                }
              }
            }
          }
        }
      }
      #expect(w == oldW && b == oldB, "the old version stays as it is")
      (w, b) = (newW, newB)
      return (w, b)
    }
  }

  private func isClose(_ a: [Float], _ b: [Double], _ tolerance: Double = 3e-7) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs(Double($0) - $1) <= tolerance * max(1, abs($1)) }
  }

  /// spec/golden_ops.json, "sgd": float64 results of `torch.optim.SGD`.
  @Test(arguments: [
    (false, [0.949, 0.9418150999999999, 0.9452545084899999]), (true, [0.9031, 0.894047411, 0.9070614908919099]),
  ])
  func oneParameter(nesterov: Bool, expected: [Double]) {
    let optimizer = SGD(momentum: 0.9, nesterov: nesterov, weightDecay: 0.01)
    let steps = run(optimizer, [1], decaying: 1, gradients: [[0.5], [0.25], [-1]], rates: [0.1, 0.01, 0.01])
    #expect(isClose(steps.map { $0.parameters[0] }, expected))
  }

  /// Generated with PyTorch 2.13:
  ///
  ///     a, b = Parameter(tensor(w[:3], dtype=float64)), Parameter(tensor(w[3:], dtype=float64))
  ///     o = SGD([{"params": [a]}, {"params": [b], "weight_decay": 0.0}], lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=…)
  ///     for lr, g in zip([0.1, 0.05, 0.05], gradients): (set lr and .grad); o.step()
  @Test(arguments: [
    (
      false, [0.9302869122499999, -0.501387206125, 0.18755420618750002, 1.74, -2.739],
      [-0.3442282449999998, 0.6469891225, -0.1598316237500001, 2.2, 0.07999999999999985]
    ),
    (
      true, [0.92294185429775, -0.519073364648875, 0.1497736697838125, 1.641, -2.6526],
      [-0.34519372944999993, 0.647359364725, -0.1608256029875001, 2.2, 0.07999999999999985]
    ),
  ])
  func severalParametersWithAndWithoutDecay(nesterov: Bool, parameters: [Double], momentum: [Double]) {
    let gradients: [[Float]] = [[0.5, -0.25, 1, 0, -2], [0.25, 0.125, -1.5, 3, 0.5], [-1, 0.75, 0.375, -0.5, 1.25]]
    let optimizer = SGD(momentum: 0.9, nesterov: nesterov, weightDecay: 0.01)
    for samples in [1, 32] {
      let steps = run(
        optimizer, [1, -0.5, 0.25, 2, -3], decaying: 3, gradients: gradients, rates: [0.1, 0.05, 0.05], samples: samples
      )
      #expect(isClose(steps[2].parameters, parameters))
      #expect(isClose(steps[2].momentum, momentum, 1e-6))
    }
  }

  @Test func eachLineIsRoundedOnce() {
    // In Double every product and sum here is exact enough that rounding it is the fused result.
    var random = AddressedRandom(seed: 1, purpose: .initialization)
    let count = 1003
    let w = (0..<count).map { _ in 2 * random.uniformFloat() - 1 }, g = w.map { _ in 2 * random.uniformFloat() - 1 }
    let step = run(
      SGD(momentum: 0.9, weightDecay: 1e-4), w, decaying: count, gradients: [g], rates: [0.05], samples: 4)[0]
    for i in 0..<count {
      let d = Float((Double(Float(1e-4)) * Double(w[i]) + Double(g[i] * 4 / 4)))
      #expect(step.momentum[i] == d, "the first step's momentum is d")
      #expect(step.parameters[i] == Float(Double(w[i]) - Double(Float(0.05)) * Double(d)))
    }
  }

  @Test func withoutMomentumThereIsNoState() {
    let optimizer = SGD(momentum: 0, weightDecay: 0.5)
    #expect(optimizer.stateNames == [])
    let steps = run(optimizer, [2, 2], decaying: 1, gradients: [[1, 1]], rates: [0.25])
    #expect(steps[0].parameters == [1.5, 1.75])
  }

  @Test func settingsComeFromTheConfiguration() throws {
    var configuration = try Fixture().configuration
    (configuration.momentum, configuration.nesterov, configuration.weightDecay) = (0.8, true, 0.25)
    let optimizer = try #require(OptimizerCatalog.optimizer(for: configuration) as? SGD)
    #expect(optimizer.momentum == 0.8 && optimizer.nesterov && optimizer.weightDecay == 0.25)
  }

  @Test func everyFileHasItsLineInTheCatalog() throws {
    let files = try sourceFiles(in: "Optimizers").filter { !["Optimizer", "OptimizerCatalog"].contains($0) }
    #expect(files.sorted() == OptimizerCatalog.all.map { "\($0)" }.sorted())
    #expect(Set(OptimizerCatalog.all.map { $0.name }).count == OptimizerCatalog.all.count)
  }
}
