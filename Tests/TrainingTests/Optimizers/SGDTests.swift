import Lockstep
import Testing

@testable import Training

@Suite struct SGDTests {
  /// spec/golden_ops.json, "sgd": float64 results of `torch.optim.SGD`.
  @Test(arguments: [
    (false, [0.949, 0.9418150999999999, 0.9452545084899999]), (true, [0.9031, 0.894047411, 0.9070614908919099]),
  ])
  func oneParameter(nesterov: Bool, expected: [Double]) {
    var run = OptimizerRun(SGD(momentum: 0.9, nesterov: nesterov, weightDecay: 0.01), [1])
    for (step, (gradient, rate)) in zip([0.5, 0.25, -1] as [Float], [0.1, 0.01, 0.01] as [Float]).enumerated() {
      run.step([gradient], rate: rate)
      #expect(isClose(run.parameters, [expected[step]]))
    }
  }

  /// Generated with PyTorch 2.13, see `FiveParameters`.
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
    for samples in [1, 32] {
      let run = FiveParameters.run(SGD(momentum: 0.9, nesterov: nesterov, weightDecay: 0.01), samples: samples)
      #expect(isClose(run.parameters, parameters))
      #expect(isClose(run.state[0], momentum, 1e-6))
    }
  }

  @Test func eachLineIsRoundedOnce() {
    // In Double every product and sum here is exact enough that rounding it is the fused result.
    var random = AddressedRandom(seed: 1, purpose: .initialization)
    let count = 1003
    let w = (0..<count).map { _ in 2 * random.uniformFloat() - 1 }, g = w.map { _ in 2 * random.uniformFloat() - 1 }
    var run = OptimizerRun(SGD(momentum: 0.9, weightDecay: 1e-4), w)
    run.step(g, rate: 0.05, samples: 4)
    for i in 0..<count {
      let d = Float((Double(Float(1e-4)) * Double(w[i]) + Double(g[i] * 4 / 4)))
      #expect(run.state[0][i] == d, "the first step's momentum is d")
      #expect(run.parameters[i] == Float(Double(w[i]) - Double(Float(0.05)) * Double(d)))
    }
  }

  @Test func withoutMomentumThereIsNoState() {
    let optimizer = SGD(momentum: 0, weightDecay: 0.5)
    #expect(optimizer.stateNames == [])
    var run = OptimizerRun(optimizer, [2, 2], decaying: 1)
    run.step([1, 1], rate: 0.25)
    #expect(run.parameters == [1.5, 1.75])
  }

  /// The scale of a clipped gradient does not touch the decay.
  @Test func theScaleIsTheGradientsAlone() {
    for nesterov in [false, true] {
      var run = OptimizerRun(SGD(momentum: 0.5, nesterov: nesterov, weightDecay: 0.5), [2, 2], decaying: 1)
      run.step([1, 1], rate: 0.25, scale: 0.5)
      #expect(run.state[0] == [1.5, 0.5])
    }
  }

  @Test func settingsComeFromTheConfiguration() throws {
    var configuration = try Fixture().configuration
    (configuration.momentum, configuration.nesterov, configuration.weightDecay) = (0.8, true, 0.25)
    let optimizer = try #require(OptimizerCatalog.optimizer(for: configuration) as? SGD)
    #expect(optimizer.momentum == 0.8 && optimizer.nesterov && optimizer.weightDecay == 0.25)
  }
}
