import Compute
import Lockstep
import Models
import Testing
import Training

@testable import Roles

/// What `trainer bench engine` measures is what a run computes.
@Suite struct BenchEngineTests {
  private func options(_ mode: EngineBenchOptions.Mode, batch: Int = 3) -> EngineBenchOptions {
    EngineBenchOptions(
      model: "googlenet-seed", mode: mode, batch: batch, threads: 2, steps: 2, width: 0.1, classes: 10)
  }

  /// The steps of a run's aggregator, which keeps two versions, from the same gradients.
  @Test func stepsAreThoseOfARun() throws {
    let model = try options(.train).builtModel(), pool = ThreadPool(threads: 2)
    let engine = BenchEngine(model, mode: .train, batch: 3, pool: pool)
    var configuration = fullConfiguration()
    (configuration.momentum, configuration.weightDecay, configuration.nesterov) = (0.9, 1e-4, false)
    let state = TrainingState(
      model: model, configuration: configuration, from: StateSnapshot(initialStateOf: model, seed: 0))
    let executor = Executor(model: model, mode: .training, maxBatch: 3, pool: pool)
    let gradient = FloatStorage(count: model.flat.count)
    var statistics = [Double](repeating: 0, count: model.statistics.count)
    #expect(engine.stateHash() == state.stateHash())
    for _ in 1...3 {
      engine.step()
      executor.load(parameters: state.parameters, buffers: state.buffers)
      try engine.labels.withUnsafeBufferPointer { labels in
        try statistics.withUnsafeMutableBufferPointer { sums in
          executor.trainingStep(
            images: UnsafePointer(engine.images.pointer), labels: labels, samples: engine.samples,
            settings: engine.settings, gradient: gradient.pointer, statistics: try #require(sums.baseAddress),
            finished: { _ in })
        }
      }
      for (bucket, range) in model.flat.buckets.enumerated() {
        state.apply(
          bucket: bucket, sum: UnsafePointer(gradient.pointer) + range.lowerBound, sampleCount: 3, learningRate: 0.01)
      }
      let outcome = statistics.withUnsafeBufferPointer { state.finish(statistics: $0) }
      #expect(outcome.skipped == nil && engine.stateHash() == state.stateHash())
      #expect(engine.loss == outcome.metrics.mainLoss)
    }
  }

  /// With convolutions by every method, and so many threads that some blocks are shared.
  @Test(arguments: [
    ("googlenet-seed", 32, 0.1, ["direct", "product", "Winograd"]),
    ("googlenet", 64, 0.25, ["product", "Winograd"]),
  ])
  func threadsDoNotMatter(name: String, size: Int, width: Double, methods: [String]) throws {
    let options = EngineBenchOptions(
      model: name, mode: .train, batch: 3, threads: 1, steps: 5, size: size, width: width, classes: 10)
    let model = try options.builtModel()
    let hashes = [1, 2, 3, 7].map { threads in
      let engine = BenchEngine(model, mode: .train, batch: 3, pool: ThreadPool(threads: threads))
      #expect(Set(engine.parts.map(\.method)).isSuperset(of: methods))
      #expect(Set(engine.parts.map(\.operation)).isSuperset(of: ["linear layer", "linear layer gradients"]))
      for _ in 1...5 { engine.step() }
      return engine.stateHash()
    }
    #expect(hashes[0] != nil && Set(hashes).count == 1)
  }

  @Test(arguments: EngineBenchOptions.Mode.allCases) func everyPartHasItsTime(mode: EngineBenchOptions.Mode) throws {
    let model = try options(mode).builtModel()
    let engine = BenchEngine(model, mode: mode, batch: 3, pool: ThreadPool(threads: 2))
    engine.step()
    #expect(engine.clock.steps.isEmpty)
    for count in 1...2 {
      engine.step()
      engine.clock.keep()
      let seconds = try #require(engine.clock.steps.last)
      #expect(engine.clock.steps.count == count && seconds.count == engine.parts.count)
      #expect(seconds.allSatisfy { $0 >= 0 } && abs(seconds.reduce(0, +) - engine.clock.lastStep) < 1e-6)
    }
    #expect(engine.loss.isFinite && (engine.stateHash() != nil) == (mode == .train))
    #expect(engine.parts.contains { $0.operation == "convolution" && $0.multiplyAccumulates > 0 })
    #expect(engine.parts.contains { $0.operation == "SGD" } == (mode == .train))
  }

  /// Chunk by chunk and in place, it is what the optimizer makes of the whole vector.
  @Test(arguments: [1, 3]) func theUpdateIsTheOptimizers(threads: Int) {
    let count = 40_000
    let parameters = FloatStorage(count: count)
    for index in 0..<count { parameters.pointer[index] = Float(index % 17) - 8 }
    let update = MomentumUpdate(parameters, pool: ThreadPool(threads: threads))
    for index in 0..<count { update.gradient.pointer[index] = Float(index % 5) - 2 }
    var expected = (0..<count).map { Float($0 % 17) - 8 }, momentum = [Float](repeating: 0, count: count)
    for _ in 1...2 {
      update.apply(samples: 4)
      for index in 0..<count {
        let d = ((Float(index % 5) - 2) / 4).addingProduct(1e-4, expected[index])
        momentum[index] = d.addingProduct(0.9, momentum[index])
        expected[index] = expected[index].addingProduct(-0.01, momentum[index])
      }
    }
    #expect((0..<count).allSatisfy { parameters.pointer[$0] == expected[$0] })
  }

  @Test func whatCannotBeMeasuredIsRefused() {
    expectFailure(.usage, saying: "'alexnet'", "googlenet") { () throws(Failure) in
      try EngineBenchOptions(model: "alexnet", mode: .train, batch: 1, threads: 1, steps: 1).builtModel()
    }
    var tiny = EngineBenchOptions(model: "googlenet", mode: .train, batch: 1, threads: 1, steps: 1, size: 32)
    expectFailure(.mismatch, saying: "batch norm", "--batch") { () throws(Failure) in try tiny.builtModel() }
    tiny.mode = .evaluate
    #expect(throws: Never.self) { try tiny.builtModel() }
  }

  @Test func thePlanIsDescribed() throws {
    let text = try describePlan(options(.train))
    #expect(text.contains("googlenet-seed, training") && text.contains("stem.0: convolution"))
    #expect(text.contains("multiply-accumulates") && text.contains("bytes"))
  }

  @Test func peaksArePlausible() {
    let pool = ThreadPool(threads: 1)
    // Between a CPU that nobody uses any more and one that nobody has yet.
    #expect((1e9...1e12).contains(multiplyAddPeak(pool: pool, runs: 2)))
    #expect((1e8...1e12).contains(copyBandwidth(pool: pool, runs: 1)))
    #expect(HostDescription.peakResidentMebibytes > 1)
  }
}
