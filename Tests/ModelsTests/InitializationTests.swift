import Lockstep
import Models
import Testing

@Suite struct InitializationTests {
  /// A network and the parameters that it begins with.
  private struct Beginning {
    let model: Model
    let parameters: [Float]

    init(_ name: String) throws {
      model = try ModelsTests.model(name)
      parameters = model.initialParameters(seed: 3)
    }

    func values(_ key: String) -> ArraySlice<Float> { parameters[model.range(key)] }
  }

  private func moments(_ values: ArraySlice<Float>) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
    let square = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (mean, (square / Double(values.count)).squareRoot())
  }

  /// PyTorch's default: weights and biases uniform in ±1/√fanIn, of deviation 1/√(3·fanIn).
  @Test func seedNetworkBeginsAsPyTorchsDefault() throws {
    let beginning = try Beginning("googlenet-seed")
    for (key, fanIn) in [("im1.block2.3.weight", 96.0 * 9), ("fc.weight", 4096), ("aux1.fc1.bias", 2048)] {
      let values = beginning.values(key)
      let bound = 1 / fanIn.squareRoot()
      #expect(values.allSatisfy { abs(Double($0)) <= bound * 1.000001 }, "\(key)")
      let (mean, deviation) = moments(values)
      let error = 4 / Double(values.count).squareRoot()
      #expect(abs(mean) < bound * error, "\(key)")
      #expect(relativeError(deviation, bound / 3.0.squareRoot()) < error, "\(key)")
    }
    #expect(beginning.values("stem.1.weight").allSatisfy { $0 == 1 })
    #expect(beginning.values("stem.1.bias").allSatisfy { $0 == 0 })
  }

  /// torchvision: N(0, 0.01²) for weights, PyTorch's default for the linear layers' biases.
  @Test func googLeNetBeginsAsTorchvision() throws {
    let beginning = try Beginning("googlenet")
    let weights = beginning.values("inception4e.branch2.1.conv.weight")
    let (mean, deviation) = moments(weights)
    #expect(abs(mean) < 1e-4 && relativeError(deviation, 0.01) < 0.005)
    // 4.5 % of a Gaussian's values lie beyond two deviations, 0.27 % beyond three.
    for (bound, fraction) in [(2.0, 0.0455), (3, 0.0027)] {
      let beyond = weights.filter { abs(Double($0)) > 0.01 * bound }.count
      #expect(relativeError(Double(beyond) / Double(weights.count), fraction) < 0.06)
    }
    #expect(beginning.values("fc.bias").allSatisfy { abs($0) <= 1 / 32 })
    #expect(moments(beginning.values("fc.bias")).deviation > 0.015)
  }

  /// Caffe's bvlc_googlenet: uniform in ±√(3/fanIn), of deviation √(1/fanIn); biases 0.2, but 0 in the classifiers.
  @Test func paperBeginsAsCaffe() throws {
    let beginning = try Beginning("googlenet-paper")
    for (key, fanIn) in [("inception4e.branch3.1.conv.weight", 32.0 * 25), ("aux2.fc1.weight", 2048)] {
      let values = beginning.values(key)
      #expect(values.allSatisfy { abs(Double($0)) <= (3 / fanIn).squareRoot() * 1.000001 }, "\(key)")
      let (mean, deviation) = moments(values)
      let error = 4 / Double(values.count).squareRoot(), expected = 1 / fanIn.squareRoot()
      #expect(abs(mean) < expected * error && relativeError(deviation, expected) < error, "\(key)")
    }
    for entry in beginning.model.entries where entry.key.hasSuffix(".bias") {
      let isClassifier = ["fc.bias", "aux1.fc2.bias", "aux2.fc2.bias"].contains(entry.key)
      #expect(beginning.values(entry.key).allSatisfy { $0 == (isClassifier ? 0 : 0.2) }, "\(entry.key)")
    }
  }

  /// torchvision: N(0, 0.1²) for weights, its truncation at ±2 out of reach, N(0, 0.001²) for the auxiliary classifier's;
  /// PyTorch's default for the linear layers' biases.
  @Test func inceptionV3BeginsAsTorchvision() throws {
    let beginning = try Beginning("inception-v3")
    for (key, expected) in [
      ("Conv2d_4a_3x3.conv.weight", 0.1), ("Mixed_7c.branch3x3dbl_3b.conv.weight", 0.1),
      ("AuxLogits.conv1.conv.weight", 0.1), ("AuxLogits.fc.weight", 0.001), ("fc.weight", 0.1),
    ] {
      let values = beginning.values(key), (mean, deviation) = moments(values)
      let error = 4 / Double(values.count).squareRoot()
      #expect(abs(mean) < expected * error && relativeError(deviation, expected) < error, "\(key)")
      #expect(values.allSatisfy { abs(Double($0)) < 8.6 * expected }, "\(key)")
    }
    let biases = beginning.values("AuxLogits.fc.bias"), bound = 1 / 768.0.squareRoot()
    #expect(biases.allSatisfy { abs(Double($0)) <= bound * 1.000001 })
    #expect(relativeError(moments(biases).deviation, bound / 3.0.squareRoot()) < 0.1)
  }

  @Test func seedsAndTensorsDifferAndRepeat() throws {
    let model = try model("googlenet-seed", classes: 10, width: 0.25)
    #expect(model.initialParameters(seed: 5) == model.initialParameters(seed: 5))
    #expect(model.initialParameters(seed: 5) != model.initialParameters(seed: 6))
    let parameters = model.initialParameters(seed: 5)
    #expect(
      Array(parameters[model.range("aux1.fc1.weight")].prefix(8))
        != Array(parameters[model.range("aux2.fc1.weight")].prefix(8)))
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
