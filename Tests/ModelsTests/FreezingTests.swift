import Compute
import Lockstep
import Testing

@testable import Models

@Suite struct FreezingTests {
  /// A network with some of its parameters frozen, beside the same network without.
  private struct Pair {
    let whole: Model
    let frozen: Model
    let parameters: [Float]
    let buffers: [Float]
    let images: [Float]
    let labels: [Int32]

    init(_ name: String, imageSize: Int, freeze: [String]) throws {
      let definition = try ModelCatalog.definition(named: name)
      whole = try Model(definition, classes: 10, imageSize: imageSize, width: 0.25)
      frozen = try Model(definition, classes: 10, imageSize: imageSize, width: 0.25, freeze: freeze)
      (parameters, buffers) = formulaState(whole)
      (images, labels) = formulaBatch(whole, 3)
    }

    /// The same parameters where the other model has them.
    func moved(_ parameters: [Float]? = nil) -> [Float] {
      let parameters = parameters ?? self.parameters
      var result = [Float](repeating: .nan, count: frozen.parameterCount)
      for entry in frozen.entries where entry.isParameter {
        result.replaceSubrange(frozen.range(entry.key), with: parameters[whole.range(entry.key)])
      }
      return result
    }

    func executor(_ model: Model, _ mode: Executor.Mode = .training, threads: Int = 1) -> Executor {
      let executor = Executor(model: model, mode: mode, maxBatch: 3, pool: ThreadPool(threads: threads))
      executor.load(parameters: model.flat == whole.flat ? parameters : moved(), buffers: buffers)
      return executor
    }
  }

  private static let dropping = LeafSettings(labelSmoothing: 0.1, auxWeight: 0.3, dropout: true, seed: 9, epoch: 2)

  @Test func frozenParametersLieBehindTheTrainedOnes() throws {
    let model = try Pair("googlenet", imageSize: 64, freeze: ["conv", "inception3a.", "aux2.fc1.weight"]).frozen
    for isFrozen in [false, true] {
      var end = isFrozen ? model.flat.count : 0
      for entry in model.entries.reversed() where entry.isParameter && entry.isFrozen == isFrozen {
        #expect(model.range(entry.key) == end..<end + entry.count, "\(entry.key)")
        end += entry.count
      }
      #expect(end == (isFrozen ? model.parameterCount : model.flat.count))
    }
    for key in ["conv1.conv.weight", "conv3.bn.bias", "inception3a.branch4.1.bn.weight", "aux2.fc1.weight"] {
      #expect(model.range(key).lowerBound >= model.flat.count)
    }
    for key in ["inception3b.branch1.conv.weight", "aux1.conv.conv.weight", "aux2.fc1.bias"] {
      #expect(model.range(key).upperBound <= model.flat.count)
    }
    #expect(model.batchNorms.filter(\.isFrozen).map(\.prefix).prefix(2) == ["conv1.bn", "conv2.bn"])
    #expect(model.batchNorms.filter(\.isFrozen).count == 3 + 6)
    // The buckets tile what is frozen.
    #expect(model.frozenBuckets.first?.lowerBound == model.flat.count)
    #expect(model.frozenBuckets.last?.upperBound == model.parameterCount)
    #expect(zip(model.frozenBuckets, model.frozenBuckets.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    #expect(model.frozenBuckets.allSatisfy { $0.count <= FlatLayout.bucketSize })
  }

  @Test func nothingFrozenIsTheUsualLayout() throws {
    let pair = try Pair("googlenet-seed", imageSize: 32, freeze: [])
    #expect(pair.frozen.entries == pair.whole.entries && pair.frozen.flat == pair.whole.flat)
    #expect(pair.frozen.parameterCount == pair.frozen.flat.count && pair.frozen.frozenBuckets.isEmpty)
    #expect(pair.frozen.initialParameters(seed: 4) == pair.whole.initialParameters(seed: 4))
  }

  @Test func initialValuesAreTheSame() throws {
    let pair = try Pair("googlenet-seed", imageSize: 32, freeze: ["stem", "im2", "fc.bias"])
    #expect(pair.moved(pair.whole.initialParameters(seed: 4)) == pair.frozen.initialParameters(seed: 4))
  }

  @Test func whatCannotBeFrozenIsNamed() throws {
    var error = #expect(throws: ModelError.self) {
      try Pair("googlenet", imageSize: 64, freeze: ["conv1", "inception6"])
    }
    #expect(error == .nothingToFreeze(model: "googlenet", prefix: "inception6"))
    #expect(error?.description.contains("'inception6'") == true)
    // Running statistics are no parameters.
    error = #expect(throws: ModelError.self) {
      try Pair("googlenet", imageSize: 64, freeze: ["conv1.bn.running_mean"])
    }
    #expect(error == .nothingToFreeze(model: "googlenet", prefix: "conv1.bn.running_mean"))
    error = #expect(throws: ModelError.self) {
      try Pair("googlenet", imageSize: 64, freeze: ["conv", "inception", "aux", "fc"])
    }
    #expect(error == .nothingToTrain(model: "googlenet"))
  }

  /// Gradients of what is trained do not depend on what else is: bit for bit the same, while batch norms are not frozen.
  @Test(arguments: [
    // The trunk's beginning; its end, so that gradients pass through what is frozen; a head.
    ("googlenet-paper", 79, ["conv", "inception3"]), ("googlenet-paper", 79, ["inception5", "fc"]),
    ("googlenet-paper", 79, ["aux1", "aux2"]), ("googlenet-paper", 79, ["conv", "inception", "aux", "fc.weight"]),
    // Single members of a product, with and without anything trained before them.
    ("googlenet-paper", 79, ["inception4b.branch1.", "inception4c.branch2.0.conv.weight"]),
    ("googlenet-paper", 79, ["conv", "inception3a.branch1", "inception3a.branch3.0"]),
    // Every other tensor.
    ("googlenet-paper", 79, ["conv1.conv.bias", "conv3.conv.weight", "aux1.fc1.weight", "aux2.fc2.bias"]),
    // Convolutions, and single vectors of batch norms, which go on to take the batch's statistics.
    ("googlenet-seed", 32, ["stem.0", "im1.block2.3", "im3.block1.0", "im4.block3.3.weight"]),
    ("googlenet-seed", 32, ["im5.block2.1.weight", "im5.block2.4.bias", "im7.block4.1", "aux1.conv.0"]),
    ("googlenet", 64, ["inception4e.branch2.0.bn.weight", "inception4e.branch2.0.bn.bias"]),
  ])
  func trainedGradientsAreTheSame(name: String, imageSize: Int, freeze: [String]) throws {
    let pair = try Pair(name, imageSize: imageSize, freeze: freeze)
    let expected = pair.executor(pair.whole).step(pair.images, pair.labels, settings: Self.dropping)
    for threads in [1, 3] {
      let executor = pair.executor(pair.frozen, threads: threads)
      let result = executor.step(pair.images, pair.labels, settings: Self.dropping)
      #expect(result.gradient.count == pair.frozen.flat.count && result.prefixes.last == pair.frozen.flat.count)
      #expect(result.bits.1 == expected.bits.1)
      for entry in pair.frozen.entries where entry.isParameter && !entry.isFrozen {
        let gradient = result.gradient(pair.frozen, entry.key).map(\.bitPattern)
        #expect(gradient == expected.gradient(pair.whole, entry.key).map(\.bitPattern), "\(entry.key)")
      }
    }
  }

  /// With every batch norm frozen, training sees what evaluation sees.
  @Test(arguments: [("googlenet", 64), ("googlenet-seed", 32)])
  func frozenBatchNormsUseTheirRunningStatistics(name: String, imageSize: Int) throws {
    let trunk = name == "googlenet" ? ["conv", "inception", "aux"] : ["stem", "im", "aux"]
    let pair = try Pair(name, imageSize: imageSize, freeze: trunk)
    let result = pair.executor(pair.frozen).step(pair.images, pair.labels)
    var statistics = [Double](repeating: .nan, count: StatisticsLayout.evaluationCount)
    let evaluation = pair.executor(pair.frozen, .evaluation)
    pair.labels.withUnsafeBufferPointer {
      evaluation.evaluationStep(images: pair.images, labels: $0, statistics: &statistics)
    }
    let layout = pair.frozen.statistics
    #expect(result.statistics[layout.mainLoss] == statistics[layout.mainLoss])
    #expect(result.statistics[StatisticsLayout.evaluationCount...].allSatisfy { $0 == 0 })
  }

  /// At 32 pixels the trunk ends at 1×1; frozen batch norms take no statistics of it.
  @Test func frozenBatchNormsNeedNoSecondValue() throws {
    let pair = try Pair("googlenet", imageSize: 32, freeze: ["inception5a", "inception5b.branch1"])
    #expect(pair.whole.smallestLeafProblem(1)?.layer == "inception5a.branch1.bn")
    #expect(pair.frozen.smallestLeafProblem(1)?.layer == "inception5b.branch2.0.bn")
  }

  /// Central differences along each tensor's gradient, with frozen batch norms before and behind what is trained.
  @Test(arguments: [
    ("googlenet", 64, ["conv", "inception3", "inception4a.branch1", "inception5a", "aux2.conv"]),
    ("googlenet-seed", 32, ["im2.block2", "im4", "im9.block1", "aux1.conv"]),
  ])
  func gradientIsTheLossesSlope(name: String, imageSize: Int, freeze: [String]) throws {
    let pair = try Pair(name, imageSize: imageSize, freeze: freeze), model = pair.frozen
    let executor = pair.executor(model), parameters = pair.moved()
    let gradient = executor.step(pair.images, pair.labels).gradient
    let keys = model.entries.filter { $0.isParameter && !$0.isFrozen && $0.key.hasSuffix("weight") }.map(\.key)
    for key in keys.enumerated().filter({ $0.offset % 7 == 0 }).map(\.element) {
      let range = model.range(key), slope = length(gradient[range])
      let size = 0.01 / slope
      let losses = [1.0, -1].map { sign in
        var moved = parameters
        for index in range { moved[index] += Float(sign * size * Double(gradient[index]) / slope) }
        executor.load(parameters: moved, buffers: pair.buffers)
        return executor.step(pair.images, pair.labels).loss(model, auxWeight: 0.3)
      }
      #expect(relativeError((losses[0] - losses[1]) / (2 * size), slope) < 0.05, "\(key)")
    }
  }

  @Test func backwardStopsWhereNothingIsTrained() throws {
    let pair = try Pair("googlenet", imageSize: 64, freeze: ["conv", "inception"])
    let plan = Planner.plan(pair.frozen, mode: .training, maxBatch: 3, threads: 1)
    let whole = Planner.plan(pair.whole, mode: .training, maxBatch: 3, threads: 1)
    let gradients = plan.steps.filter { $0.operation.contains("gradient") }
    #expect(gradients.allSatisfy { $0.name.hasPrefix("aux") || $0.name == "fc" || $0.name == "relu" })
    // The taps' and the trunk's gradients are nobody's.
    #expect(!gradients.contains { $0.operation == "average pool gradient" })
    let products = [plan, whole].map { $0.steps.reduce(0) { $0 + $1.multiplyAccumulates } }
    #expect(products[0] < products[1] / 2)
    #expect(plan.floatCount - plan.permanentFloatCount < (whole.floatCount - whole.permanentFloatCount) / 2)
    #expect(plan.steps.allSatisfy { $0.action.winners == nil })
  }
}
