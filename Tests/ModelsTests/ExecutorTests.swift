import Compute
import Foundation
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

  private static let dropping = LeafSettings(labelSmoothing: 0.1, auxWeight: 0.3, dropout: true, seed: 9, epoch: 2)

  /// The promise: bits depend neither on threads nor on the memory's plan.
  @Test(arguments: [("googlenet-seed", 32), ("googlenet", 64)])
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

  @Test(arguments: [("googlenet-seed", 32), ("googlenet", 64)])
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

  /// A plan's memory is all there is: no step leaves anything allocated behind.
  ///
  /// In a process of its own, where no other test allocates.
  @Test func stepsLeaveNothingBehind() async {
    await #expect(processExitsWith: .success) {
      let fixture = try Fixture(batch: 2)
      let executor = fixture.executor(threads: 2)
      var gradient = [Float](repeating: 0, count: fixture.model.flat.count)
      var statistics = [Double](repeating: 0, count: fixture.model.statistics.count)
      let samples = [0, 1]
      func steps(_ count: Int) {
        for _ in 0..<count {
          fixture.labels.withUnsafeBufferPointer { labels in
            executor.trainingStep(
              images: fixture.images, labels: labels, samples: samples, settings: ExecutorTests.dropping,
              gradient: &gradient, statistics: &statistics
            ) { _ in }
          }
        }
      }
      steps(2)
      var growth: [Int] = []
      for _ in 0..<9 {
        let before = try allocatedBytes()
        steps(20)
        growth.append(try allocatedBytes() - before)
      }
      // Other threads of the process may take some memory once; what a step leaves behind would show in every round.
      #expect(growth.sorted()[growth.count / 2] <= 0)
    }
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

/// Bytes that the process has from malloc and has not given back, as glibc's `malloc_info` reports them.
private func allocatedBytes() throws -> Int {
  typealias Report = @convention(c) (Int32, UnsafeMutablePointer<FILE>) -> Int32
  var text: UnsafeMutablePointer<CChar>?
  var count = 0
  let symbol = try #require(dlsym(nil, "malloc_info"))
  let file = try #require(open_memstream(&text, &count))
  _ = unsafeBitCast(symbol, to: Report.self)(0, file)
  fclose(file)
  defer { free(text) }
  // After the arenas' own figures come those of all together.
  let report = String(cString: try #require(text))
  let total = try #require(report.components(separatedBy: "</heap>").last)
  func size(_ type: String) throws -> Int {
    let part = try #require(total.components(separatedBy: "type=\"\(type)\"").dropFirst().first)
    let digits = try #require(part.components(separatedBy: "size=\"").dropFirst().first?.prefix { $0.isNumber })
    return try #require(Int(digits))
  }
  return try size("current") - size("fast") - size("rest") + size("mmap")
}
