import Lockstep
import Testing

@testable import Training

@Suite struct GradientClippingTests {
  private func clipping(_ limit: Double) throws -> GradientClipping {
    var configuration = try Fixture().configuration
    configuration.clipNorm = limit
    return try #require(GradientClipping(configuration))
  }

  @Test func normsUpToTheLimitAreLeft() throws {
    let clipping = try clipping(2)
    #expect(clipping.scale(norm: 0) == 1 && clipping.scale(norm: 1.5) == 1)
    // PyTorch's 1e-6 bites a little below the limit.
    #expect(clipping.scale(norm: 2) < 1)
    #expect(clipping.scale(norm: 4) == Float(2 / 4.000001))
    #expect(try GradientClipping(Fixture().configuration) == nil)
  }

  /// Generated with PyTorch 2.13, see `FiveParameters`: SGD, with `clip_grad_norm_([a, b], 2.0)` before each step. The
  /// last gradient's norm is below the limit.
  @Test func clippedStepsArePyTorchs() throws {
    let clipping = try clipping(2)
    var run = OptimizerRun(SGD(momentum: 0.9, weightDecay: 0.01), FiveParameters.start, decaying: 3)
    for (step, gradient) in FiveParameters.gradients.enumerated() {
      let norm = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      #expect(abs(norm - [2.3048861143232218, 3.40266439720405, 1.875][step]) < 1e-14)
      run.step(gradient, rate: FiveParameters.rates[step], samples: 8, scale: clipping.scale(norm: norm))
    }
    #expect(
      isClose(
        run.parameters,
        [0.952332449526465, -0.5026221958789997, 0.15334304966656703, 1.8574842635222477, -2.7684946296806006]))
    #expect(
      isClose(
        run.state[0],
        [-0.4903448677572442, 0.6273482277047082, 0.28952878012682237, 1.0869911876839693, 0.10878977449785787]))
  }
}
