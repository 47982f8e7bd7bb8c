import Lockstep
import Testing
import Wire

@testable import Coordination

/// Values are texts: "(a+b)" says what was added in which order.
@Suite struct AggregatorStateTests {
  private let tenure = Tenure(run: RunID(bits: Digest(high: 1, low: 2)), term: 3)
  private let first = PeerID(1), second = PeerID(2)

  private func opened(buckets: Int = 0, leaves: Int = 4, layout: VersionLayout? = nil) -> AggregatorState<String> {
    var state = AggregatorState<String>(
      tenure: tenure, layout: layout ?? VersionLayout(gradientBuckets: buckets), version: 0, leafCount: { _ in leaves },
      add: { "(\($0)+\($1))" })
    _ = state.handle(.admit(session: 11))
    _ = state.handle(.open(Pass(.training, step: 1)))
    return state
  }

  private func gradient(
    _ lower: Int, _ upper: Int, _ value: String, bucket: Int = 0, step: Int = 1, session: UInt64 = 11,
    tenure: Tenure? = nil
  ) -> AggregatorState<String>.Input {
    let key = ContributionKey(pass: Pass(.training, step: step), bucket: bucket, subtree: Subtree(lower, upper))
    return .gradient(first, Contribution(session: session, key: key), value, tenure ?? self.tenure)
  }

  private func words(_ effects: [AggregatorState<String>.Effect]) -> [String] {
    effects.map {
      switch $0 {
      case .acknowledge(_, let key): "ack \(key.subtree)"
      case .sendParameters(let peer, let version, let buckets): "send \(version) \(buckets) to \(peer.number)"
      case .rootReady(_, let bucket, let value): "root \(bucket) \(value)"
      case .passReady(let pass): "ready \(pass)"
      case .covered(_, let subtrees): "covered \(subtrees)"
      case .reject(_, let session, _): "reject \(session ?? 0)"
      }
    }
  }

  /// PROTOCOL.md §4.2.
  @Test func siblingsAreAddedLeftToRightWhateverComesFirst() {
    var state = opened()
    #expect(words(state.handle(gradient(3, 4, "d"))) == ["ack [3, 4)", "covered [[3, 4)]"])
    #expect(words(state.handle(gradient(0, 2, "ab"))) == ["ack [0, 2)", "covered [[0, 2)]"])
    #expect(
      words(state.handle(gradient(2, 3, "c"))) == [
        "ack [2, 3)", "root 0 (ab+(c+d))", "covered [[2, 3)]", "ready training(1)",
      ])
    #expect(state.valueCount == 0)
  }

  @Test func aSubtreeInsideOneThatIsThereIsDroppedAndAcknowledged() {
    var state = opened()
    _ = state.handle(gradient(0, 2, "ab"))
    #expect(words(state.handle(gradient(0, 2, "again"))) == ["ack [0, 2)"])
    #expect(words(state.handle(gradient(1, 2, "b"))) == ["ack [1, 2)"])
    #expect(state.valueCount == 1)
  }

  @Test func aSubtreeReplacesThoseItContains() {
    var state = opened()
    _ = state.handle(gradient(1, 2, "b"))
    #expect(words(state.handle(gradient(0, 2, "ab"))) == ["ack [0, 2)", "covered [[0, 1)]"])
    #expect(words(state.handle(gradient(2, 4, "cd"))).contains("root 0 (ab+cd)"))
    #expect(words(state.handle(gradient(0, 4, "all"))) == ["ack [0, 4)"])
  }

  @Test func leavesAreCoveredWhenEveryBucketHasThem() {
    var state = opened(buckets: 1, leaves: 2)
    #expect(words(state.handle(gradient(0, 1, "a"))) == ["ack [0, 1)"])
    #expect(words(state.handle(gradient(0, 2, "s", bucket: 1))) == ["ack [0, 2)", "root 1 s", "covered [[0, 1)]"])
    #expect(
      words(state.handle(gradient(1, 2, "b"))) == [
        "ack [1, 2)", "root 0 (a+b)", "covered [[1, 2)]", "ready training(1)",
      ])
  }

  @Test func anOlderPassIsAcknowledgedAndANewerOneIsNot() {
    var state = opened(leaves: 1)
    #expect(state.handle(gradient(0, 1, "b", step: 2)).isEmpty)
    _ = state.handle(gradient(0, 1, "a"))
    _ = state.handle(.committed(version: 1))
    _ = state.handle(.open(Pass(.training, step: 2)))
    #expect(words(state.handle(gradient(0, 1, "a"))) == ["ack [0, 1)"])
    #expect(words(state.handle(gradient(0, 1, "b", step: 2))).contains("root 0 b"))
  }

  @Test func nothingOfAnOldTermOrAnUnknownSessionCounts() {
    var state = opened()
    #expect(state.handle(gradient(0, 4, "x", tenure: Tenure(run: tenure.run, term: 2))).isEmpty)
    #expect(state.handle(gradient(0, 4, "x", session: 12)).isEmpty)
    _ = state.handle(.expel(session: 11))
    #expect(state.handle(gradient(0, 4, "x")).isEmpty)
    #expect(state.valueCount == 0)
  }

  @Test func whatIsNoPartOfThePassIsRejected() {
    var state = opened()
    #expect(words(state.handle(gradient(1, 3, "x"))) == ["reject 11"])
    #expect(words(state.handle(gradient(0, 8, "x"))) == ["reject 11"])
    #expect(words(state.handle(gradient(0, 1, "x", bucket: 1))) == ["reject 11"])
    #expect(words(state.handle(gradient(0, 1, "x", bucket: -1))) == ["reject 11"])
  }

  @Test func anEvaluationHasItsStatisticsAlone() {
    var state = opened(buckets: 2, leaves: 1)
    for bucket in 0...2 { _ = state.handle(gradient(0, 1, "g", bucket: bucket)) }
    _ = state.handle(.committed(version: 1))
    let pass = Pass(.evaluation, step: 1)
    _ = state.handle(.open(pass))
    func input(_ bucket: Int) -> AggregatorState<String>.Input {
      .gradient(
        first, Contribution(session: 11, key: .init(pass: pass, bucket: bucket, subtree: Subtree(0, 1))), "e", tenure)
    }
    #expect(words(state.handle(input(0))) == ["reject 11"])
    #expect(words(state.handle(input(2))) == ["ack [0, 1)", "root 2 e", "covered [[0, 1)]", "ready evaluation(1)"])
  }

  @Test func aFetchOfTheNextVersionIsHeldUntilTheCommit() {
    var state = opened(buckets: 4)
    func fetch(_ peer: PeerID, _ version: Int, _ buckets: Range<Int>) -> [String] {
      words(state.handle(.message(peer, .fetch(Fetch(session: 11, version: version, buckets: buckets)), tenure)))
    }
    #expect(fetch(first, 0, 0..<5) == ["send 0 0..<5 to 1"])
    #expect(fetch(first, 1, 0..<3).isEmpty)
    #expect(fetch(first, 1, 0..<3).isEmpty)
    #expect(fetch(second, 1, 3..<5).isEmpty)
    #expect(fetch(second, 2, 0..<5).isEmpty)
    #expect(fetch(first, 0, 0..<6) == ["reject 11"])
    #expect(fetch(first, 0, -1..<2) == ["reject 11"])
    #expect(words(state.handle(.committed(version: 1))) == ["send 1 0..<3 to 2", "send 1 3..<5 to 2"])
    #expect(fetch(first, 0, 0..<5).isEmpty)
  }

  /// Behind the buffers come the frozen parameters, and behind these the averages.
  @Test func everyBucketOfAVersionIsFetchedAlike() {
    var state = opened(layout: VersionLayout(gradientBuckets: 2, frozenBuckets: 3, keepsAverage: true))
    func fetch(_ version: Int, _ buckets: Range<Int>) -> [String] {
      words(state.handle(.message(first, .fetch(Fetch(session: 11, version: version, buckets: buckets)), tenure)))
    }
    #expect(fetch(0, 3..<9) == ["send 0 3..<9 to 1"])
    #expect(fetch(1, 6..<9).isEmpty)
    #expect(fetch(0, 6..<10) == ["reject 11"])
    #expect(words(state.handle(.committed(version: 1))) == ["send 1 6..<9 to 1"])
  }

  @Test func heldFetchesAreBoundedAndEndWithTheConnection() {
    var state = opened(buckets: 30)
    for bucket in 0..<20 {
      _ = state.handle(.message(first, .fetch(Fetch(session: 11, version: 1, buckets: bucket..<(bucket + 1))), tenure))
    }
    var copy = state
    #expect(copy.handle(.committed(version: 1)).count == AggregatorState<String>.heldFetchLimit)
    _ = state.handle(.disconnected(first))
    #expect(state.handle(.committed(version: 1)).isEmpty)
  }
}
