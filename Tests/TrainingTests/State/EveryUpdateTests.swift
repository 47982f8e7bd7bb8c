import Compute
import Lockstep
import Models
import Testing

@testable import Training

/// What holds for every optimizer, clipping and average.
@Suite struct EveryUpdateTests {
  /// A way to update, by the options that ask for it.
  struct Way: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let change: @Sendable (inout RunConfiguration) -> Void

    init(_ name: String, _ change: @escaping @Sendable (inout RunConfiguration) -> Void) {
      (testDescription, self.change) = (name, change)
    }

    static let all = [
      Way("sgd with Caffe's decay") { ($0.decay, $0.trunkLearningRateFactor) = (.caffe, 0.1) },
      Way("rmsprop") { ($0.optimizer, $0.epsilon) = (.rmsprop, 0.01) },
      Way("rmsprop-tf, clipped, moving average") {
        ($0.optimizer, $0.epsilon, $0.clipNorm, $0.average) = (.rmspropTensorFlow, 1, 0.5, .ema)
      },
      Way("lars") { ($0.optimizer, $0.decay) = (.lars, .noBatchNormOrBias) },
      Way("lars, clipped") { ($0.optimizer, $0.larsTrust, $0.clipNorm) = (.lars, 0.1, 1) },
      Way("plain average from step 3") { ($0.average, $0.averageStart) = (.polyak, 3) },
      Way("clipped") { $0.clipNorm = 0.25 },
    ]
  }

  private let fixture: Fixture

  init() throws { fixture = try Fixture() }

  private func configuration(_ way: Way) -> RunConfiguration {
    var configuration = fixture.configuration
    way.change(&configuration)
    return configuration
  }

  private func state(_ way: Way, from snapshot: StateSnapshot? = nil, threads: Int = 1) -> TrainingState {
    TrainingState(
      model: fixture.model, configuration: configuration(way),
      from: snapshot ?? StateSnapshot(initialStateOf: fixture.model, seed: 1), threads: threads)
  }

  /// A step with numbers that follow from its own number; one whose gradient is not finite where `isBad`.
  @discardableResult
  private func step(_ state: TrainingState, isBad: Bool = false, backwards: Bool = false) -> TrainingState.Outcome {
    let model = fixture.model, buckets = model.flat.buckets
    var random = AddressedRandom(seed: 2, purpose: .synthesis, index: state.step)
    var gradient = (0..<model.flat.count).map { _ in random.uniformFloat() - 0.5 }
    if isBad { gradient[gradient.count / 2] = .nan }
    var statistics = (0..<model.statistics.count).map { _ in 3 * random.uniform() }
    statistics[model.statistics.sampleCount] = 3
    gradient.withUnsafeBufferPointer { gradient in
      guard let gradient = gradient.baseAddress else { return }
      for bucket in backwards ? buckets.indices.reversed() : Array(buckets.indices) {
        state.apply(
          bucket: bucket, sum: gradient + buckets[bucket].lowerBound, sampleCount: 3, learningRate: 0.05)
      }
    }
    return statistics.withUnsafeBufferPointer { state.finish(statistics: $0) }
  }

  private func expectSame(_ a: TrainingState, _ b: TrainingState, _ comment: Comment) {
    let (a, b) = (a.snapshot(), b.snapshot())
    #expect(a.step == b.step && a.batchCounts == b.batchCounts, comment)
    #expect(a.parameters.values == b.parameters.values && a.buffers.values == b.buffers.values, comment)
    #expect(a.optimizerState.map(\.values) == b.optimizerState.map(\.values), comment)
    #expect(a.average?.parameters.values == b.average?.parameters.values, comment)
    #expect(a.average?.buffers.values == b.average?.buffers.values, comment)
    #expect(a.average?.updates == b.average?.updates, comment)
  }

  @Test(arguments: Way.all) func neitherOrderNorThreadsChangeABit(way: Way) {
    let one = state(way), other = state(way, threads: 3)
    for _ in 0..<3 {
      let outcomes = [step(one), step(other, backwards: true)]
      #expect(outcomes[0] == outcomes[1] && outcomes[0].skipped == nil)
    }
    expectSame(one, other, "buckets backwards, three threads")
  }

  /// Six steps, and three steps, a checkpoint on disk and three steps: a skipped one among the first.
  @Test(arguments: Way.all) func aRunGoesOnFromItsCheckpointAsIfNothingHadBeen(way: Way) throws {
    let straight = state(way), first = state(way), configuration = configuration(way)
    for index in 0..<6 { step(straight, isBad: index == 1) }
    for index in 0..<3 { step(first, isBad: index == 1) }
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 1)
    try store.save(
      first.snapshot(), of: fixture.model, configuration: configuration, classNames: fixture.classNames,
      runID: fixture.runID)
    let checkpoint = try store.newest(model: fixture.model, configuration: configuration).checkpoint
    let second = state(way, from: checkpoint.state)
    expectSame(first, second, "what was written is read")
    for _ in 0..<3 { step(second) }
    expectSame(straight, second, "six steps")
  }

  @Test(arguments: Way.all) func aSkippedStepLeavesEverything(way: Way) {
    let state = state(way)
    step(state)
    let before = state.snapshot()
    #expect(step(state, isBad: true).skipped == .gradient)
    let after = state.snapshot()
    #expect(after.step == before.step + 1 && after.batchCounts == before.batchCounts)
    #expect(after.parameters.values == before.parameters.values && after.buffers.values == before.buffers.values)
    #expect(after.optimizerState.map(\.values) == before.optimizerState.map(\.values))
    #expect(after.average?.parameters.values == before.average?.parameters.values)
    #expect(after.average?.updates == before.average?.updates)
  }

  /// The norm by the plainest loop, and the update's length: 0.05 · 0.25 where nothing else moves the parameters.
  @Test func theGradientIsClippedAsAWhole() {
    let clipped = state(Way("") { ($0.clipNorm, $0.momentum, $0.weightDecay) = (0.25, 0, 0) })
    let before = clipped.snapshot().parameters.values
    var random = AddressedRandom(seed: 2, purpose: .synthesis, index: 0)
    let squares = before.reduce(0.0) { sum, _ in
      let value = Double(random.uniformFloat() - 0.5) / 3
      return sum + value * value
    }
    let outcome = step(clipped)
    #expect(abs((outcome.gradientNorm ?? 0) - squares.squareRoot()) < 1e-9 * squares.squareRoot())
    let moved = zip(before, clipped.snapshot().parameters.values).reduce(0.0) { sum, pair in
      sum + (Double(pair.0) - Double(pair.1)) * (Double(pair.0) - Double(pair.1))
    }
    #expect(abs(moved.squareRoot() - 0.05 * 0.25) < 1e-6)
    #expect(step(clipped, isBad: true).gradientNorm == nil)
    #expect(step(state(Way.all[0])).gradientNorm == nil)
  }

  /// After the first step of LARS without momentum every tensor has moved by lr · η of its own length, by definition of λ
  /// where the weight decay is 0.
  @Test func everyTensorMovesInProportionToItself() {
    let state = state(Way("") { ($0.optimizer, $0.larsTrust, $0.momentum, $0.weightDecay) = (.lars, 0.01, 0, 0) })
    let before = state.snapshot().parameters.values
    step(state)
    let after = state.snapshot().parameters.values
    var start = 0
    for size in fixture.model.flat.tensorSizes {
      let range = start..<start + size
      start += size
      let length = range.reduce(0.0) { $0 + Double(before[$1]) * Double(before[$1]) }.squareRoot()
      let moved = range.reduce(0.0) { sum, i in
        sum + (Double(after[i]) - Double(before[i])) * (Double(after[i]) - Double(before[i]))
      }.squareRoot()
      // Parameters that begin as zeros have no length; they are updated as by SGD.
      if length > 0 { #expect(abs(moved / length - 0.05 * 0.01) < 2e-6, "\(range)") } else { #expect(moved > 0) }
    }
  }

  /// Biases move twice as far under Caffe's rule, and the trunk by its own factor.
  @Test func ratesFollowTheGroups() {
    let plain = state(Way("") { ($0.momentum, $0.weightDecay) = (0, 0) })
    let other = state(
      Way("") { ($0.momentum, $0.weightDecay, $0.decay, $0.trunkLearningRateFactor) = (0, 0, .caffe, 0.25) })
    let before = plain.snapshot().parameters.values
    step(plain)
    step(other)
    let (a, b) = (plain.snapshot().parameters.values, other.snapshot().parameters.values)
    for (key, factor) in [
      ("stem.0.weight", 0.25), ("stem.0.bias", 0.5), ("stem.1.bias", 0.25), ("fc.weight", 1), ("fc.bias", 2),
      ("aux1.fc1.weight", 0.25), ("aux2.fc2.weight", 1),
    ] {
      guard let entry = fixture.model.entries.first(where: { $0.key == key }),
        case .parameter(let offset, _) = entry.role
      else { Issue.record("\(key) is a parameter"); continue }
      for i in offset..<offset + min(entry.count, 50) {
        #expect(abs(Double(b[i] - before[i]) - factor * Double(a[i] - before[i])) < 1e-6, "\(key)")
      }
    }
  }

  /// The average by the plainest loop over a run's versions, running statistics included.
  @Test func theAverageIsThatOfTheVersions() throws {
    let state = state(Way("") { ($0.average, $0.averageStart) = (.polyak, 2) })
    #expect(state.average?.parameters.values == state.parameters.values)
    var sums: (parameters: [Double], buffers: [Double])?
    for index in 1...5 {
      step(state, isBad: index == 4)
      if index == 4 { continue }
      let values = (state.parameters.values.map(Double.init), state.buffers.values.map(Double.init))
      if index > 2 {
        sums = sums.map { (zip($0.parameters, values.0).map(+), zip($0.buffers, values.1).map(+)) } ?? values
      } else {
        #expect(state.average?.parameters.values == state.parameters.values && state.average?.updates == 0)
      }
    }
    let average = try #require(state.average), total = try #require(sums)
    #expect(average.updates == 2)
    #expect(isClose(average.parameters.values, total.parameters.map { $0 / 2 }))
    #expect(isClose(average.buffers.values, total.buffers.map { $0 / 2 }, 1e-6))
  }
}
