import Lockstep
import Testing

@testable import Training

@Suite struct RMSPropTensorFlowTests {
  /// spec/golden_ops.json, "rmsprop": TensorFlow's form in float64. The rate changes before the third step.
  @Test func oneParameter() throws {
    let expected = [0.98378312567148, 0.9608915101829577, 0.9696589697408742]
    var run = OptimizerRun(RMSPropTensorFlow(try configuration(.rmspropTensorFlow) { $0.weightDecay = 0 }), [1])
    for (step, (gradient, rate)) in zip([0.5, 0.25, -1] as [Float], [0.045, 0.045, 0.04] as [Float]).enumerated() {
      run.step([gradient], rate: rate)
      #expect(isClose(run.parameters, [expected[step]]), "\(run.parameters) \(expected[step])")
    }
  }

  /// By the definition in float64 (Python's), with the numbers of `FiveParameters`.
  @Test(
    arguments: [
      (
        0.9, [0.9186086976273579, -0.48626580484929666, 0.14232900570504634, 1.8424876365744896, -2.7165134136217914],
        [
          [0.8543021732913756, 0.7911151677570851, 1.0266099850480221, 1.5639999999999998, 1.23175],
          [0.001999153279558949, 0.01689748373202091, 0.024390866904555143, 0.06639385254089253, -0.04979618916437996],
        ]
      ),
      (
        0.0, [0.9900501303756271, -0.5138282986412019, 0.21725887273185046, 1.9244942963706457, -2.9268347711142373],
        [[0.854236645692594, 0.7910903946563396, 1.0266580814887418, 1.5639999999999998, 1.23175]]
      ),
    ] as [(Double, [Double], [[Double]])])
  func severalParametersWithAndWithoutDecay(momentum: Double, parameters: [Double], state: [[Double]]) throws {
    let optimizer = RMSPropTensorFlow(try configuration(.rmspropTensorFlow) { $0.momentum = momentum })
    for samples in [1, 32] {
      let run = FiveParameters.run(optimizer, samples: samples)
      #expect(isClose(run.parameters, parameters), "\(run.parameters)")
      #expect(run.state.count == state.count && zip(run.state, state).allSatisfy { isClose($0, $1) })
    }
  }

  @Test func theMeanSquareStartsAtOne() throws {
    let optimizer = RMSPropTensorFlow(try configuration(.rmspropTensorFlow))
    #expect(optimizer.stateNames == ["rms", "momentum"])
    #expect(optimizer.stateNames.indices.map(optimizer.initialValue(ofState:)) == [1, 0])
  }
}
