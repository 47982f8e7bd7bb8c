import Lockstep
import Models
import Testing

@Suite struct InitializationTests {
  private func values(_ model: Model, _ key: String, seed: UInt64 = 3) -> ArraySlice<Float> {
    model.initialParameters(seed: seed)[model.range(key)]
  }

  private func moments(_ values: ArraySlice<Float>) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
    let square = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (mean, (square / Double(values.count)).squareRoot())
  }

  /// PyTorch's default: weights and biases uniform in ±1/√fanIn, of deviation 1/√(3·fanIn).
  @Test func seedNetworkBeginsAsPyTorchsDefault() throws {
    let model = try model("googlenet-seed")
    for (key, fanIn) in [("im1.block2.3.weight", 96.0 * 9), ("fc.weight", 4096), ("aux1.fc1.bias", 2048)] {
      let values = values(model, key)
      let bound = 1 / fanIn.squareRoot()
      #expect(values.allSatisfy { abs(Double($0)) <= bound * 1.000001 }, "\(key)")
      let (mean, deviation) = moments(values)
      let error = 4 / Double(values.count).squareRoot()
      #expect(abs(mean) < bound * error, "\(key)")
      #expect(relativeError(deviation, bound / 3.0.squareRoot()) < error, "\(key)")
    }
    #expect(values(model, "stem.1.weight").allSatisfy { $0 == 1 })
    #expect(values(model, "stem.1.bias").allSatisfy { $0 == 0 })
  }

  /// torchvision: N(0, 0.01²) for weights, PyTorch's default for the linear layers' biases.
  @Test func googLeNetBeginsAsTorchvision() throws {
    let model = try model("googlenet")
    let weights = values(model, "inception4e.branch2.1.conv.weight")
    let (mean, deviation) = moments(weights)
    #expect(abs(mean) < 1e-4 && relativeError(deviation, 0.01) < 0.005)
    // 4.5 % of a Gaussian's values lie beyond two deviations, 0.27 % beyond three.
    for (bound, fraction) in [(2.0, 0.0455), (3, 0.0027)] {
      let beyond = weights.filter { abs(Double($0)) > 0.01 * bound }.count
      #expect(relativeError(Double(beyond) / Double(weights.count), fraction) < 0.06)
    }
    #expect(values(model, "fc.bias").allSatisfy { abs($0) <= 1 / 32 })
    #expect(moments(values(model, "fc.bias")).deviation > 0.015)
  }

  @Test func seedsAndTensorsDifferAndRepeat() throws {
    let model = try model("googlenet-seed", classes: 10, width: 0.25)
    #expect(model.initialParameters(seed: 5) == model.initialParameters(seed: 5))
    #expect(model.initialParameters(seed: 5) != model.initialParameters(seed: 6))
    #expect(Array(values(model, "aux1.fc1.weight").prefix(8)) != Array(values(model, "aux2.fc1.weight").prefix(8)))
  }

  @Test func buffersBeginAtZeroAndOne() throws {
    let model = try model("googlenet", width: 0.25)
    let buffers = model.initialBuffers()
    for batchNorm in model.batchNorms {
      #expect(buffers[batchNorm.meanOffset..<batchNorm.meanOffset + batchNorm.channels].allSatisfy { $0 == 0 })
      #expect(buffers[batchNorm.varianceOffset..<batchNorm.varianceOffset + batchNorm.channels].allSatisfy { $0 == 1 })
    }
  }
}
