import Lockstep
import Testing

@testable import Training

@Suite struct RMSPropTests {
  /// spec/golden_ops.json, "rmsprop": float64 results of `torch.optim.RMSprop`.
  @Test func oneParameter() throws {
    let expected = [0.9805718588386558, 0.9534675153792932, 0.9613089406207429]
    let optimizer = RMSProp(try configuration(.rmsprop) { ($0.epsilon, $0.weightDecay) = (1, 0) })
    var run = OptimizerRun(optimizer, [1])
    for (step, (gradient, rate)) in zip([0.5, 0.25, -1] as [Float], [0.045, 0.045, 0.04] as [Float]).enumerated() {
      run.step([gradient], rate: rate)
      #expect(isClose(run.parameters, [expected[step]]), "\(run.parameters) \(expected[step])")
    }
  }

  /// Generated with PyTorch 2.13, see `FiveParameters`, with alpha=0.9, eps=1e-8.
  @Test(
    arguments: [
      (
        0.9, [0.41269995890627836, -0.1992161394806334, -0.11712704780359086, 1.7269424079094984, -2.5780969601933554],
        [
          [0.12607252146624187, 0.06271254916356746, 0.29809068323540905, 0.8349999999999999, 0.5027499999999999],
          [1.0926804099759306, 1.7202003701912125, 0.8429770028467194, 2.2988742149749832, -0.07327867768295704],
        ]
      ),
      (
        0.0, [0.7497538955226245, -0.4049980291392918, 0.03292667729962325, 1.8692449011170755, -2.8122096630660254],
        [[0.12578944905018882, 0.062499620138155104, 0.29819739921137556, 0.8349999999999999, 0.5027499999999999]]
      ),
    ] as [(Double, [Double], [[Double]])])
  func severalParametersWithAndWithoutDecay(momentum: Double, parameters: [Double], state: [[Double]]) throws {
    let optimizer = RMSProp(try configuration(.rmsprop) { $0.momentum = momentum })
    for samples in [1, 32] {
      let run = FiveParameters.run(optimizer, samples: samples)
      #expect(isClose(run.parameters, parameters, 1e-6), "\(run.parameters)")
      #expect(run.state.count == state.count && zip(run.state, state).allSatisfy { isClose($0, $1, 1e-6) })
    }
  }

  @Test func settingsComeFromTheConfiguration() throws {
    let optimizer = RMSProp(
      try configuration(.rmsprop) { ($0.rmspropDecay, $0.epsilon, $0.momentum) = (0.99, 0.0316, 0.5) })
    #expect(optimizer.meanSquareDecay == 0.99 && optimizer.share == 0.01 && optimizer.epsilon == 0.0316)
    #expect(optimizer.momentum == 0.5 && optimizer.weightDecay == 0.01)
    #expect(optimizer.stateNames == ["square_avg", "momentum_buffer"])
  }

  /// Where a gradient is 0 from the start, the divisor is epsilon alone.
  @Test func nothingIsDividedByZero() throws {
    var run = OptimizerRun(RMSProp(try configuration(.rmsprop)), [0])
    run.step([0], rate: 0.1)
    #expect(run.parameters == [0] && run.state == [[0], [0]])
  }
}
