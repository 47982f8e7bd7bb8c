import CAllocations
import Compute
import Lockstep
import Models
import Testing

@Suite struct ExecutorTests {
  /// A small batch of a narrow network with weights that make every layer's gradient matter.
  private struct Fixture {
    let model: Model
    let parameters: [Float]
    let buffers: [Float]
    let images: [Float]
    let labels: [Int32]

    init(_ name: String = "googlenet-seed", imageSize: Int = 32, batch: Int = 4, width: Double = 0.25) throws {
      model = try ModelsTests.model(name, classes: 10, imageSize: imageSize, width: width)
      (parameters, buffers) = formulaState(model)
      (images, labels) = formulaBatch(model, batch)
    }

    func executor(_ mode: Executor.Mode = .training, maxBatch: Int? = nil, threads: Int = 1) -> Executor {
      let executor = Executor(
        model: model, mode: mode, maxBatch: maxBatch ?? labels.count, pool: ThreadPool(threads: threads))
      executor.load(parameters: parameters, buffers: buffers)
      return executor
    }
  }

  /// Every model, at the smallest images that leave the last batch norms more than a value.
  private static let sizes = [
    ("googlenet-seed", 32), ("googlenet", 64), ("googlenet-paper", 79), ("inception-v3", 299),
  ]

  private static let dropping = LeafSettings(labelSmoothing: 0.1, auxWeight: 0.3, dropout: true, seed: 9, epoch: 2)

  /// The promise: bits depend neither on threads nor on the memory's plan.
  @Test(arguments: sizes)
  func bitsDependOnNothingElse(name: String, imageSize: Int) throws {
    let fixture = try Fixture(name, imageSize: imageSize, batch: 3)
    let samples = [5, 17, 4]
    let expected = fixture.executor().step(fixture.images, fixture.labels, settings: Self.dropping, samples: samples)
    for (threads, maxBatch) in [(2, 3), (3, 3), (1, 8), (2, 5)] {
      let executor = fixture.executor(maxBatch: maxBatch, threads: threads)
      let result = executor.step(fixture.images, fixture.labels, settings: Self.dropping, samples: samples)
      #expect(result.bits == expected.bits, "\(threads) threads, planned for \(maxBatch)")
      // Once more, in memory that is no longer zero.
      let again = executor.step(fixture.images, fixture.labels, settings: Self.dropping, samples: samples)
      #expect(again.bits == expected.bits, "\(threads) threads, planned for \(maxBatch), second step")
    }
  }

  @Test(arguments: sizes)
  func evaluationBitsDependOnNothingElse(name: String, imageSize: Int) throws {
    let fixture = try Fixture(name, imageSize: imageSize, batch: 3)
    let expected = fixture.executor(.evaluation).logits(fixture.images, 3)
    for (threads, maxBatch) in [(2, 3), (3, 7)] {
      #expect(fixture.executor(.evaluation, maxBatch: maxBatch, threads: threads).logits(fixture.images, 3) == expected)
    }
    // Samples do not see each other.
    let one = fixture.executor(.evaluation).logits(Array(fixture.images.prefix(fixture.images.count / 3)), 1)
    #expect(one[0] == expected[0])
  }

  /// What `finished` announces stays as it is, and ends with everything.
  @Test func finishedGradientsAreFinal() throws {
    let fixture = try Fixture()
    let executor = fixture.executor()
    var gradient = [Float](repeating: .nan, count: fixture.model.flat.count)
    var statistics = [Double](repeating: 0, count: fixture.model.statistics.count)
    var seen: [Float] = []
    gradient.withUnsafeMutableBufferPointer { gradient in
      fixture.labels.withUnsafeBufferPointer { labels in
        let address = gradient.baseAddress!
        executor.trainingStep(
          images: fixture.images, labels: labels, samples: [0, 1, 2, 3], settings: plain, gradient: address,
          statistics: &statistics
        ) { prefix in
          #expect(prefix > seen.count)
          seen += UnsafeBufferPointer(start: address + seen.count, count: prefix - seen.count)
        }
      }
    }
    #expect(seen == gradient)
    #expect(seen.allSatisfy { $0.isFinite })
  }

  /// The slope along each tensor's gradient, by central differences of the whole loss, auxiliary heads included.
  ///
  /// Loose, because ReLU and max pool have kinks and the loss is computed in Float32.
  @Test(arguments: [
    ("googlenet-seed", 32, ["stem.0.weight", "stem.1.weight", "im2.block3.6.weight", "im3.block4.1.weight"]),
    ("googlenet-seed", 32, ["im6.block2.1.bias", "im9.block1.0.weight", "aux1.conv.0.weight", "aux2.fc1.bias"]),
    ("googlenet-seed", 32, ["fc.weight", "fc.bias", "aux1.fc2.weight"]),
    ("googlenet", 64, ["conv1.conv.weight", "inception3b.branch4.1.bn.weight", "aux1.fc1.weight"]),
    ("googlenet", 64, ["inception5b.branch2.1.conv.weight", "conv2.bn.bias"]),
    ("googlenet-paper", 79, ["conv1.conv.weight", "inception3a.branch3.1.conv.weight", "aux1.conv.conv.weight"]),
    ("googlenet-paper", 79, ["inception4c.branch3.0.conv.bias", "aux2.fc1.bias", "fc.weight"]),
  ])
  func gradientIsTheLossesSlope(name: String, imageSize: Int, keys: [String]) throws {
    let fixture = try Fixture(name, imageSize: imageSize)
    let executor = fixture.executor()
    let settings = Self.dropping
    let gradient = executor.step(fixture.images, fixture.labels, settings: settings).gradient
    for key in keys {
      let range = fixture.model.range(key)
      let slope = length(gradient[range])
      // A step that changes the loss by about 0.02.
      let size = 0.01 / slope
      var losses: [Double] = []
      for sign in [1.0, -1] {
        var moved = fixture.parameters
        for index in range { moved[index] += Float(sign * size * Double(gradient[index]) / slope) }
        executor.load(parameters: moved, buffers: fixture.buffers)
        let result = executor.step(fixture.images, fixture.labels, settings: settings)
        losses.append(result.loss(fixture.model, auxWeight: settings.auxWeight))
      }
      #expect(relativeError((losses[0] - losses[1]) / (2 * size), slope) < 0.05, "\(key)")
    }
  }

  @Test func dropoutIsAddressed() throws {
    let fixture = try Fixture("googlenet", imageSize: 64)
    let executor = fixture.executor()
    func run(dropout: Bool = true, epoch: Int = 2, seed: UInt64 = 9, samples: [Int] = [0, 1, 2, 3]) -> LeafResult {
      let settings = LeafSettings(labelSmoothing: 0, auxWeight: 0.3, dropout: dropout, seed: seed, epoch: epoch)
      return executor.step(fixture.images, fixture.labels, settings: settings, samples: samples)
    }
    let losses = fixture.model.statistics.auxLosses + [fixture.model.statistics.mainLoss]
    let first = run()
    #expect(run().bits == first.bits)
    for other in [run(dropout: false), run(epoch: 3), run(seed: 8), run(samples: [4, 5, 6, 7])] {
      for index in losses { #expect(other.statistics[index] != first.statistics[index]) }
    }
    // Off is off: no address matters any more.
    #expect(run(dropout: false, epoch: 7, seed: 1, samples: [9, 8, 7, 6]).bits == run(dropout: false).bits)
  }

  @Test func auxiliaryWeightZeroLeavesTheMainGradient() throws {
    let fixture = try Fixture()
    let executor = fixture.executor()
    var settings = plain
    settings.auxWeight = 0
    let result = executor.step(fixture.images, fixture.labels, settings: settings)
    for key in ["aux1.fc2.weight", "aux2.conv.1.weight"] {
      #expect(result.gradient(fixture.model, key).allSatisfy { $0 == 0 })
    }
    let withHeads = executor.step(fixture.images, fixture.labels)
    // Above the taps nothing changes, below them everything.
    for (key, isEqual) in [("im9.block1.0.weight", true), ("stem.0.weight", false)] {
      #expect((result.gradient(fixture.model, key) == withHeads.gradient(fixture.model, key)) == isEqual)
    }
    #expect(result.statistics == withHeads.statistics)
  }

  /// A plan's memory is all there is: after the first step, neither the caller nor a thread of the pool allocates, not even
  /// what is freed within the step.
  ///
  /// One case after the other: all watched threads of the process are counted together.
  @Test(.serialized, arguments: ["googlenet-seed", "googlenet"], [1, 3])
  func stepsAllocateNothing(name: String, threads: Int) throws {
    let model = try Model(ModelCatalog.definition(named: name), classes: 10, imageSize: 64, width: 0.25)
    let pool = ThreadPool(threads: threads)
    let executor = Executor(model: model, mode: .training, maxBatch: 2, pool: pool)
    let (parameters, buffers) = formulaState(model)
    let (images, labels) = formulaBatch(model, 2)
    var gradient = [Float](repeating: 0, count: model.flat.count)
    var statistics = [Double](repeating: 0, count: model.statistics.count)
    let samples = [0, 1]
    let (version, runningStatistics) = (FloatStorage(copying: parameters), FloatStorage(copying: buffers))
    func step() {
      executor.load(parameters: version, buffers: runningStatistics)
      labels.withUnsafeBufferPointer { labels in
        executor.trainingStep(
          images: images, labels: labels, samples: samples, settings: Self.dropping, gradient: &gradient,
          statistics: &statistics
        ) { _ in }
      }
    }
    func watch(_ isWatched: Bool) { pool.ranges(threads) { _, _ in allocations_watch(isWatched) } }
    step()
    watch(true)
    let before = allocations_count()
    for _ in 0..<3 { step() }
    let after = allocations_count()
    // The counter counts: this array does allocate.
    let probe = [Int](unsafeUninitializedCapacity: 100) { $1 = $0.count }
    let afterProbe = allocations_count()
    watch(false)
    #expect(after == before)
    #expect(probe.count >= 100 && afterProbe > after)
  }

  @Test func theObserverSeesEveryStep() throws {
    let fixture = try Fixture(batch: 2)
    let executor = fixture.executor()
    var seen: [Int] = []
    executor.observer = { seen.append($0) }
    _ = executor.step(fixture.images, fixture.labels)
    #expect(seen == Array(0...executor.plan.steps.count))
  }
}
