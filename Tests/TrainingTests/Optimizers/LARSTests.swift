import Lockstep
import Testing

@testable import Training

@Suite struct LARSTests {
  private func optimizer(momentum: Double = 0.9) throws -> LARS {
    LARS(try configuration(.lars) { ($0.larsTrust, $0.weightDecay, $0.momentum) = (0.1, 0.1, momentum) })
  }

  /// By hand: ‖w‖ = 5 and ‖g‖ = 1, so λ = 0.1·5 / (1 + 0.1·5) = 1/3 and d = (0.9, 1.2) / 3 = (0.3, 0.4).
  /// Then w = (2.85, 3.8), ‖w‖ = 4.75; g = (0, 0.525): λ = 0.475 / (0.525 + 0.475) = 0.475, d = (0.135375, 0.429875),
  /// b = (0.405375, 0.789875).
  @Test func twoStepsByHand() throws {
    var run = OptimizerRun(try optimizer(), [3, 4])
    run.step([0.6, 0.8], rate: 0.5, samples: 4, norms: TensorNorms(parameters: 5, gradient: 1))
    #expect(isClose(run.parameters, [2.85, 3.8]) && isClose(run.state[0], [0.3, 0.4]))
    run.step([0, 0.525], rate: 0.1, samples: 4, norms: TensorNorms(parameters: 4.75, gradient: 0.525))
    #expect(isClose(run.state[0], [0.405375, 0.789875]))
    #expect(isClose(run.parameters, [2.85 - 0.0405375, 3.8 - 0.0789875]))
  }

  @Test func withoutMomentumThereIsNoState() throws {
    let optimizer = try optimizer(momentum: 0)
    #expect(optimizer.stateNames.isEmpty && optimizer.needsTensorNorms)
    var run = OptimizerRun(optimizer, [3, 4])
    run.step([0.6, 0.8], rate: 0.5, norms: TensorNorms(parameters: 5, gradient: 1))
    #expect(isClose(run.parameters, [2.85, 3.8]))
  }

  /// What does not decay, and what has no norm yet, is updated as by SGD.
  @Test func someTensorsAreNotScaled() throws {
    var run = OptimizerRun(try optimizer(), [3, 4], decaying: 0)
    run.step([0.6, 0.8], rate: 0.5, norms: TensorNorms(parameters: 5, gradient: 1))
    #expect(isClose(run.parameters, [2.7, 3.6]))
    var fresh = OptimizerRun(try optimizer(), [0, 0])
    fresh.step([0.6, 0.8], rate: 0.5, norms: TensorNorms(parameters: 0, gradient: 1))
    #expect(isClose(fresh.parameters, [-0.3, -0.4]))
    var still = OptimizerRun(try optimizer(), [3, 4])
    still.step([0, 0], rate: 0.5, norms: TensorNorms(parameters: 5, gradient: 0))
    #expect(isClose(still.parameters, [3 - 0.5 * 0.3, 4 - 0.5 * 0.4]))
  }
}
