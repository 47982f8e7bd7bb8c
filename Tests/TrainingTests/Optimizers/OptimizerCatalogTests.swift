import Lockstep
import Testing

@testable import Training

@Suite struct OptimizerCatalogTests {
  @Test func everyFileHasItsLineInTheCatalog() throws {
    let files = try sourceFiles(in: "Optimizers").filter { !["Optimizer", "OptimizerCatalog"].contains($0) }
    #expect(files.sorted() == OptimizerCatalog.all.map { "\($0)" }.sorted())
  }

  @Test(arguments: OptimizerKind.allCases) func everyNameHasItsOptimizer(kind: OptimizerKind) throws {
    let optimizer = OptimizerCatalog.optimizer(for: try configuration(kind))
    #expect(type(of: optimizer).kind == kind)
    #expect(type(of: optimizer).name == kind.rawValue)
    #expect(Set(optimizer.stateNames).count == optimizer.stateNames.count)
  }

  /// A step with a scale is one with the scaled gradient.
  @Test(arguments: OptimizerKind.allCases, [0, 0.9]) func everyOptimizerScales(kind: OptimizerKind, momentum: Double)
    throws
  {
    let optimizer = OptimizerCatalog.optimizer(for: try configuration(kind) { $0.momentum = momentum })
    var scaled = OptimizerRun(optimizer, [1, -2, 3], decaying: 2), plain = scaled
    for gradient in [[0.5, -1, 2], [4, 0.25, -1]] as [[Float]] {
      let norms = TensorNorms(parameters: 3, gradient: 2)
      scaled.step(gradient, rate: 0.1, samples: 8, scale: 0.25, norms: norms)
      plain.step(gradient.map { $0 / 4 }, rate: 0.1, samples: 8, norms: norms)
    }
    #expect(scaled.parameters == plain.parameters && scaled.state == plain.state)
  }
}
