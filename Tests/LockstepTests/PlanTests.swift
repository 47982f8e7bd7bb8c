import Testing

@testable import Lockstep

@Suite struct PlanTests {
  @Test func leavesAreBalanced() {
    for samples in 1...120 {
      for microbatch in 1...17 {
        let plan = LeafPlan(sampleCount: samples, microbatch: microbatch)
        let ranges = (0..<plan.leafCount).map { plan.positions(ofLeaf: $0) }
        #expect(ranges.flatMap { Array($0) } == Array(0..<samples))
        #expect(plan.leafCount == Int((Double(samples) / Double(microbatch)).rounded(.up)))
        let sizes = ranges.map(\.count)
        #expect(sizes == sizes.sorted(by: >) && sizes[0] - sizes[sizes.count - 1] <= 1 && sizes[0] <= microbatch)
        #expect(plan.sizes == Set(sizes).sorted(by: >))
        #expect(plan.tree.leafCount == plan.leafCount)
      }
    }
  }

  /// PROTOCOL.md §10: 100 samples left in leaves of at most 32 are 25 · 4; 10 in leaves of at most 4 are 4, 3, 3.
  @Test func handCalculatedLeaves() {
    #expect(LeafPlan(sampleCount: 100, microbatch: 32).sizes == [25])
    let plan = LeafPlan(sampleCount: 10, microbatch: 4)
    #expect((0..<3).map { plan.positions(ofLeaf: $0) } == [0..<4, 4..<7, 7..<10])
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var samples: Int, globalBatch: Int, microbatch: Int
    var testDescription: String { "\(samples) samples, batch \(globalBatch), microbatch \(microbatch)" }
  }

  static let cases = [
    Case(samples: 1, globalBatch: 1, microbatch: 1), Case(samples: 5, globalBatch: 32, microbatch: 8),
    Case(samples: 32, globalBatch: 32, microbatch: 8), Case(samples: 33, globalBatch: 32, microbatch: 8),
    Case(samples: 1000, globalBatch: 64, microbatch: 16), Case(samples: 997, globalBatch: 30, microbatch: 10),
    Case(samples: 101, globalBatch: 6, microbatch: 3), Case(samples: 2048, globalBatch: 7, microbatch: 7),
  ]

  @Test(arguments: cases, [true, false])
  func everySampleOnceAnEpoch(_ c: Case, shuffle: Bool) {
    let plan = TrainingPlan(
      sampleCount: c.samples, globalBatch: c.globalBatch, microbatch: c.microbatch, shuffle: shuffle, seed: 11)
    #expect(plan.stepsPerEpoch == Int((Double(c.samples) / Double(c.globalBatch)).rounded(.up)))
    var epochs: [[Int]] = []
    for epoch in 0..<3 {
      var used: [Int] = []
      for step in 1...plan.stepsPerEpoch {
        let t = epoch * plan.stepsPerEpoch + step
        #expect(plan.epoch(ofStep: t) == epoch)
        #expect(plan.endsEpoch(t) == (step == plan.stepsPerEpoch))
        let leaves = plan.leaves(ofStep: t)
        #expect(leaves.sampleCount == min(c.globalBatch, c.samples - (step - 1) * c.globalBatch))
        for leaf in 0..<leaves.leafCount {
          let samples = plan.samples(ofStep: t, leaf: leaf)
          #expect(samples.count <= c.microbatch && plan.leafSizes.contains(samples.count))
          used += samples
        }
      }
      #expect(used.sorted() == Array(0..<c.samples))
      if !shuffle { #expect(used == Array(0..<c.samples)) }
      epochs.append(used)
    }
    if shuffle && c.samples > 30 { #expect(Set(epochs).count == 3) }
  }

  @Test func orderComesFromThePermutation() {
    let plan = TrainingPlan(sampleCount: 10, globalBatch: 4, microbatch: 2, shuffle: true, seed: 1)
    // The golden order of PermutationTests, second epoch: steps 4, 5 and 6 have 4, 4 and 2 samples.
    #expect(plan.samples(ofStep: 4, leaf: 0) == [6, 3] && plan.samples(ofStep: 4, leaf: 1) == [1, 2])
    #expect(plan.samples(ofStep: 6, leaf: 0) == [5, 7])
    #expect(plan.leaves(ofStep: 6).leafCount == 1 && plan.leafSizes == [2])
  }
}
