import Compute
import Lockstep
import Models
import Testing

@testable import Training

@Suite struct ReplicaTests {
  private struct Leaf {
    var gradient: [Float]
    var statistics: [Double]

    static func + (left: Leaf, right: Leaf) -> Leaf {
      Leaf(
        gradient: zip(left.gradient, right.gradient).map { $0 + $1 },
        statistics: zip(left.statistics, right.statistics).map { $0 + $1 })
    }
  }

  private let fixture: Fixture

  /// An epoch of 22 samples in steps of 8: the last one has six, in two leaves of three.
  init() throws { fixture = try Fixture(samples: 22, microbatch: 4, globalBatch: 8) }

  private func replica(threads: Int, state: StateSnapshot) -> Replica {
    let replica = Replica(
      model: fixture.model, configuration: fixture.configuration, pool: ThreadPool(threads: threads))
    for mode in [Executor.Mode.training, .evaluation] {
      replica.load(parameters: state.parameters, buffers: state.buffers, for: mode)
    }
    return replica
  }

  private var initial: StateSnapshot { StateSnapshot(initialStateOf: fixture.model, seed: 1) }

  private func train(_ replica: Replica, _ samples: [Int], epoch: Int = 0) -> Leaf {
    // A sample's picture and label follow from its index.
    let pictures = samples.map { fixture.pictures(1, index: $0) }
    let labels = pictures.flatMap(\.labels)
    pictures.flatMap(\.images).withUnsafeBufferPointer { images in
      guard let images = images.baseAddress else { return }
      replica.train(images: images, labels: labels, samples: samples, epoch: epoch)
    }
    return Leaf(gradient: replica.gradient.values, statistics: Array(replica.statistics))
  }

  @Test func anEpochsLeavesAreAnyHostsAndAnyGroupings() {
    let plan = fixture.configuration.trainingPlan
    #expect(plan.stepsPerEpoch == 3 && plan.leaves(ofStep: 3).sizes == [3])
    let state = initial
    let one = replica(threads: 1, state: state), two = replica(threads: 2, state: state)
    var used: [Int] = []
    for step in 1...3 {
      let leaves = plan.leaves(ofStep: step)
      let values = (0..<leaves.leafCount).map { leaf -> Leaf in
        let samples = plan.samples(ofStep: step, leaf: leaf)
        used += samples
        let value = train(one, samples)
        #expect(value.statistics[fixture.model.statistics.sampleCount] == Double(samples.count))
        return value
      }
      // The other host computes them in the opposite order, on two threads.
      var sum = TreeSum<Leaf>(leaves.tree) { $0 + $1 }
      for leaf in (0..<leaves.leafCount).reversed() {
        let value = train(two, plan.samples(ofStep: step, leaf: leaf))
        #expect(value.gradient == values[leaf].gradient && value.statistics == values[leaf].statistics)
        sum.insert(value, at: Subtree(leaf: leaf))
      }
      var other = TreeSum<Leaf>(leaves.tree) { $0 + $1 }
      for (leaf, value) in values.enumerated() { other.insert(value, at: Subtree(leaf: leaf)) }
      #expect(sum.root?.gradient == other.root?.gradient && sum.root?.statistics == other.root?.statistics)
    }
    #expect(used.sorted() == Array(0..<22), "every sample once an epoch")
  }

  @Test func bucketsAreFinishedInOrderWithTheirFinalValues() {
    let replica = replica(threads: 2, state: initial)
    let (images, labels) = fixture.pictures(4)
    var seen: [[Float]] = []
    images.withUnsafeBufferPointer { images in
      guard let images = images.baseAddress else { return }
      replica.train(images: images, labels: labels, samples: [0, 1, 2, 3], epoch: 0) { bucket in
        #expect(bucket == seen.count)
        seen.append(Array(replica.gradient.values[fixture.model.flat.buckets[bucket]]))
      }
    }
    #expect(seen.count == fixture.model.flat.buckets.count)
    #expect(seen.flatMap { $0 } == replica.gradient.values)
  }

  @Test func dropoutFollowsTheEpochAndTheSamplesIndex() {
    let replica = replica(threads: 1, state: initial)
    let first = train(replica, [0, 1, 2]).gradient
    #expect(train(replica, [0, 1, 2]).gradient == first)
    #expect(train(replica, [0, 1, 2], epoch: 1).gradient != first)
  }

  @Test func oneStepLowersTheLossOfItsSamples() {
    var configuration = fixture.configuration
    (configuration.dropout, configuration.learningRate) = (false, 0.02)
    let state = TrainingState(model: fixture.model, configuration: configuration, from: initial)
    let replica = Replica(model: fixture.model, configuration: configuration, pool: ThreadPool(threads: 1))
    var losses: [Double] = []
    for _ in 0..<3 {
      replica.load(parameters: state.parameters, buffers: state.buffers, for: .training)
      let leaf = train(replica, [0, 1, 2, 3])
      leaf.gradient.withUnsafeBufferPointer { gradient in
        guard let gradient = gradient.baseAddress else { return }
        for (bucket, range) in fixture.model.flat.buckets.enumerated() {
          state.apply(
            bucket: bucket, sum: gradient + range.lowerBound, sampleCount: 4,
            learningRate: LearningRateSchedule(configuration).learningRate(step: state.step + 1))
        }
      }
      losses.append(leaf.statistics.withUnsafeBufferPointer { state.finish(statistics: $0).metrics.loss })
    }
    #expect(losses[1] < losses[0] && losses[2] < losses[1], "\(losses)")
  }

  @Test func aParameterThatIsNotFiniteEndsInASkippedStep() {
    let broken = initial
    broken.parameters.pointer[fixture.model.flat.count - 1] = .nan
    let state = TrainingState(model: fixture.model, configuration: fixture.configuration, from: broken)
    let replica = replica(threads: 1, state: broken)
    let leaf = train(replica, [0, 1])
    leaf.gradient.withUnsafeBufferPointer { gradient in
      guard let gradient = gradient.baseAddress else { return }
      for (bucket, range) in fixture.model.flat.buckets.enumerated() {
        state.apply(bucket: bucket, sum: gradient + range.lowerBound, sampleCount: 2, learningRate: 0.1)
      }
    }
    let outcome = leaf.statistics.withUnsafeBufferPointer { state.finish(statistics: $0) }
    #expect(outcome.skipped == .gradient && state.step == 1)
  }
}
