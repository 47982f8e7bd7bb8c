import Coordination
import Foundation
import Testing

/// PROTOCOL.md §9: every invariant, under everything that may go wrong, for many seeds.
@Suite struct SimulationTests {
  @Test func runsWithoutFaultsComeToTheExpectedValues() {
    for workers in 1...6 {
      var options = SimulatedCluster.Options()
      options.workers = workers
      let cluster = SimulatedCluster(seed: UInt64(workers), options: options)
      let failures = cluster.simulate()
      #expect(failures.isEmpty, "\(failures)")
      #expect(cluster.messagesSentAgain == 0, "nothing needs to be repeated where nothing fails")
    }
  }

  /// Every wait has a repetition of its own: no reconnection, no newcomer and no end of the losses comes to its help.
  @Test func messagesThatAreLostOnlyCostTime() {
    var sentAgain = 0
    for seed in 1...40 as ClosedRange<UInt64> {
      var options = SimulatedCluster.Options()
      options.workers = seed % 2 == 0 ? 1 : 3
      options.losses = 0.1
      options.faultPeriod = 600
      let cluster = SimulatedCluster(seed: seed, options: options)
      let failures = cluster.simulate()
      #expect(failures.isEmpty, "\(failures)")
      #expect(!cluster.faultsAreOver, "seed \(seed): it ends in spite of the losses")
      sentAgain += cluster.messagesSentAgain
    }
    #expect(sentAgain > 100)
  }

  @Test func seededRunsKeepEveryInvariant() {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["SIMULATION_FIRST_SEED"].flatMap(UInt64.init) ?? 1
    let count = environment["SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 300
    var failed = 0
    var census: [String: Int] = [:]
    for seed in first..<(first + count) {
      let cluster = SimulatedCluster(seed: seed, options: .random(seed: seed))
      let failures = cluster.simulate()
      for (word, number) in cluster.census { census[word, default: 0] += number }
      #expect(failures.isEmpty, "\(failures)")
      failed += failures.isEmpty ? 0 : 1
      if failed == 10 { break }
    }
    // The faults must have bitten: a simulator that tests nothing passes every time.
    for word in ["lost", "returned", "reassigned", "left", "stalled", "terms", "waiting", "engines replaced"] {
      #expect(census[word, default: 0] > 0, "\(word) never happened")
    }
    if environment["SIMULATION_SEEDS"] != nil { print(census.sorted { $0.key < $1.key }) }
  }
}
