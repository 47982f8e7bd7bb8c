import Compute
import Lockstep
import Models
import Testing

@testable import Training

@Suite struct TrainingStateTests {
  private let fixture: Fixture
  private let state: TrainingState

  init() throws {
    fixture = try Fixture()
    state = TrainingState(model: fixture.model, configuration: fixture.configuration, from: fixture.state(step: 7))
  }

  /// Statistics of 3 samples: n·mean is 3·(channel + 1)/4 and n·variance 3·(channel + 2)/8, in every batch norm.
  private func statistics() -> [Double] {
    let layout = fixture.model.statistics
    var sums = [Double](repeating: 0, count: layout.count)
    (sums[layout.sampleCount], sums[layout.mainLoss]) = (3, 6)
    (sums[layout.auxLosses[0]], sums[layout.auxLosses[1]], sums[layout.top1], sums[layout.top5]) = (9, 3, 1, 2)
    for index in fixture.model.batchNorms.indices {
      for (channel, place) in layout.means(ofBatchNorm: index).enumerated() {
        sums[place] = 3 * Double(channel + 1) / 4
      }
      for (channel, place) in layout.variances(ofBatchNorm: index).enumerated() {
        sums[place] = 3 * Double(channel + 2) / 8
      }
    }
    return sums
  }

  private func gradient() -> [Float] {
    var random = AddressedRandom(seed: 2, purpose: .initialization)
    return (0..<fixture.model.flat.count).map { _ in random.uniformFloat() - 0.5 }
  }

  private func step(_ gradient: [Float], _ statistics: [Double], rate: Float = 0.05, order: [Int]? = nil)
    -> TrainingState.Outcome
  {
    let buckets = fixture.model.flat.buckets
    gradient.withUnsafeBufferPointer { gradient in
      guard let gradient = gradient.baseAddress else { return }
      for bucket in order ?? Array(buckets.indices) {
        state.apply(
          bucket: bucket, sum: gradient + buckets[bucket].lowerBound, sampleCount: 3, learningRate: rate)
      }
    }
    return statistics.withUnsafeBufferPointer { state.finish(statistics: $0) }
  }

  @Test func aStepUpdatesEverythingAndCounts() {
    let before = state.snapshot(), gradient = gradient()
    let outcome = step(gradient, statistics())
    #expect(outcome.step == 8 && outcome.skipped == nil && state.step == 8)
    let after = state.snapshot()
    #expect(after.batchCounts == before.batchCounts.map { $0 + 1 })
    for i in stride(from: 0, to: gradient.count, by: 997) {
      let d = (gradient[i] / 3).addingProduct(Float(1e-4), before.parameters.pointer[i])
      let b = d.addingProduct(0.9, before.optimizerState[0].pointer[i])
      #expect(after.optimizerState[0].pointer[i] == b)
      #expect(after.parameters.pointer[i] == before.parameters.pointer[i].addingProduct(-0.05, b))
    }
  }

  /// PROTOCOL.md §4.5, with the momentum 0.1 of the seed's batch norms.
  @Test func runningStatisticsFollowTheMeanOverSamples() {
    let before = state.snapshot()
    _ = step(gradient(), statistics())
    for norm in fixture.model.batchNorms {
      #expect(norm.momentum == 0.1)
      for channel in 0..<norm.channels {
        for (offset, value) in [
          (norm.meanOffset + channel, Float(channel + 1) / 4), (norm.varianceOffset + channel, Float(channel + 2) / 8),
        ] {
          let old = before.buffers.pointer[offset], new = state.buffers.pointer[offset]
          #expect(abs(Double(new) - (0.9 * Double(old) + 0.1 * Double(value))) < 1e-6)
          #expect(new == old.addingProduct(0.1, value - old))
        }
      }
    }
  }

  @Test func metricsAreMeans() {
    let metrics = step(gradient(), statistics()).metrics
    #expect(metrics.samples == 3)
    #expect(metrics.mainLoss == 2 && metrics.auxLosses == [3, 1])
    #expect(metrics.loss == 2 + 0.3 * 4)
    #expect(metrics.top1 == 1.0 / 3 && metrics.top5 == 2.0 / 3)
  }

  @Test func bucketsMayComeInAnyOrder() throws {
    let reversed = Array(fixture.model.flat.buckets.indices.reversed())
    _ = step(gradient(), statistics())
    let other = try TrainingStateTests()
    _ = other.step(gradient(), statistics(), order: reversed)
    #expect(state.stateHash() == other.state.stateHash())
  }

  // Momentum that overflows takes the parameters with it, and those are named.
  @Test(arguments: [TrainingState.NonFinite.gradient, .statistics, .parameters]) func whatIsNotFiniteIsSkipped(
    kind: TrainingState.NonFinite
  ) {
    let hash = state.stateHash(), before = state.snapshot()
    var (gradient, statistics, rate) = (gradient(), statistics(), Float(0.05))
    switch kind {
    case .gradient: gradient[gradient.count / 2] = .nan
    case .statistics: statistics[fixture.model.statistics.means(ofBatchNorm: 3).lowerBound] = .infinity
    case .parameters: (gradient[5], rate) = (1e30, 3e38)
    case .optimizerState: return
    }
    let outcome = step(gradient, statistics, rate: rate)
    #expect(outcome.skipped == kind)
    #expect(outcome.step == 8 && state.step == 8, "a skipped step counts")
    #expect(state.stateHash() == hash)
    #expect(state.batchCounts == before.batchCounts)
    #expect(state.snapshot().optimizerState[0].values == before.optimizerState[0].values)
  }

  @Test func theStepAfterASkippedOneIsAsIfItHadNotBeen() throws {
    var bad = gradient()
    bad[0] = .infinity
    #expect(step(bad, statistics()).skipped == .gradient)
    _ = step(gradient(), statistics())
    let other = try TrainingStateTests()
    _ = other.step(gradient(), statistics())
    #expect(state.stateHash() == other.state.stateHash())
    #expect(state.step == other.state.step + 1)
  }

  @Test func aSnapshotStaysAsItWas() {
    let snapshot = state.snapshot(), hash = state.stateHash()
    _ = step(gradient(), statistics())
    _ = step(gradient(), statistics())
    #expect(snapshot.hash(fixture.model) == hash)
    #expect(state.stateHash() != hash)
  }

  @Test func aStateGoesOnFromASnapshot() throws {
    _ = step(gradient(), statistics())
    let other = TrainingState(model: fixture.model, configuration: fixture.configuration, from: state.snapshot())
    #expect(other.stateHash() == state.stateHash() && other.step == 8)
    #expect(other.snapshot().optimizerState[0].values == state.snapshot().optimizerState[0].values)
  }
}
