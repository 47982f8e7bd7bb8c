import Lockstep
import Testing
import Wire

@testable import Coordination

@Suite struct WorkerStateTests {
  private static let tenure = Tenure(run: RunID(bits: Digest(high: 1, low: 2)), term: 3)

  /// A worker under test, and the time.
  private struct Bench {
    var state: WorkerState
    var now = Instant(nanoseconds: 0)
    let layout: VersionLayout
    let leaves: Int

    init(buckets: Int = 0, leaves: Int = 8, frozenBuckets: Int = 0, keepsAverage: Bool = false) {
      layout = VersionLayout(gradientBuckets: buckets, frozenBuckets: frozenBuckets, keepsAverage: keepsAverage)
      self.leaves = leaves
      let hello = Hello(
        numerics: Numerics(engine: 1, selfTest: Digest(high: 0, low: 0)), name: "w", incarnation: 5, threads: 1,
        cpu: "",
        fingerprint: nil)
      state = WorkerState(hello: hello, at: now)
    }

    mutating func put(_ input: WorkerState.Input) -> [String] { words(state.handle(input, at: now)) }

    mutating func welcome(term: Int = 3, session: UInt64 = 9) -> [String] {
      let welcome = Welcome(session: session, configuration: [], bulk: "", samples: "", beatMilliseconds: 1000)
      return put(.control(.welcome(welcome), Tenure(run: tenure.run, term: term)))
    }

    mutating func configure(hasNewEngine: Bool = false) -> [String] {
      let leaves = leaves
      return put(.configured(.init(layout: layout, leafCount: { _ in leaves }), hasNewEngine: hasNewEngine))
    }

    mutating func plan(_ revision: Int, _ step: Int, _ leaves: [Int], term: Int = 3) -> [String] {
      let plan = Plan(revision: revision, pass: Pass(.training, step: step), leaves: leaves)
      return put(.control(.plan(plan), Tenure(run: tenure.run, term: term)))
    }

    mutating func evaluate(_ revision: Int, _ step: Int, _ leaves: [Int]) -> [String] {
      put(.control(.plan(Plan(revision: revision, pass: Pass(.evaluation, step: step), leaves: leaves)), tenure))
    }

    mutating func parameters(_ version: Int, _ bucket: Int, term: Int = 3) -> [String] {
      put(.bulk(.parameters(Parameters(version: version, bucket: bucket)), Tenure(run: tenure.run, term: term)))
    }

    /// Welcomed, with a plan and its version.
    mutating func prepare(_ leaves: [Int]) -> [String] {
      _ = welcome()
      _ = configure()
      _ = plan(1, 1, leaves)
      return layout.current.flatMap { parameters(0, $0) }
    }

    mutating func finish(_ leaf: Int, step: Int = 1) -> [String] {
      put(.leafFinished(Pass(.training, step: step), leaf: leaf, seconds: 2))
    }

    mutating func received(_ lower: Int, _ upper: Int, _ bucket: Int = 0, step: Int = 1) -> [String] {
      let key = ContributionKey(pass: Pass(.training, step: step), bucket: bucket, subtree: Subtree(lower, upper))
      return put(.bulk(.received(key), tenure))
    }

    mutating func pass(_ seconds: Double, pulses: Bool = true) -> [String] {
      var all: [String] = []
      for _ in 0..<Int(seconds * 20) {
        now = now + .milliseconds(50)
        if pulses { all += put(.control(.pulse(Pulse(revision: 0)), tenure)) }
        all += put(.tick)
      }
      return all
    }
  }

  private static func words(_ effects: [WorkerState.Effect]) -> [String] {
    effects.compactMap {
      switch $0 {
      case .sendControl(.hello): "hello"
      case .sendControl(.beat(let beat)): "beat \(beat.revision)"
      case .sendControl(.done(let done)): "done \(done.pass.step) \(done.leaves) \(done.seconds)"
      case .sendControl(.leave): "leave"
      case .sendControl(.fault): "fault"
      case .sendControl: "other"
      case .sendBulk(.attach(let session)): "attach \(session)"
      case .sendBulk(.gradient(let value)): "gradient \(value.key.bucket) \(value.key.subtree)"
      case .sendBulk(.fetch(let fetch)): "fetch \(fetch.version) \(fetch.buckets)"
      case .sendBulk: "other"
      case .welcomed: "welcomed"
      case .storeParameters(let weights, let bucket): "store \(weights) \(bucket)"
      case .weightsComplete(let weights): "complete \(weights)"
      case .startLeaf(let task):
        "start \(task.leaf) \(task.climb.map { $0.siblingIsLeft ? "\($0.sibling)+" : "+\($0.sibling)" }) "
          + "\(task.result) \(task.isReleased ? "sent" : "kept")"
      case .free(_, let subtree): "free \(subtree)"
      case .event: nil
      case .finished(let code, _): "finished \(code)"
      }
    }
  }

  @Test func helloIsRepeatedWithGrowingPauses() {
    var bench = Bench()
    #expect(bench.put(.tick) == ["hello"])
    var times: [Int64] = []
    for _ in 0..<400 where !bench.pass(0.05, pulses: false).isEmpty { times.append(bench.now.nanoseconds / 1_000_000) }
    #expect(times == [100, 300, 700, 1500, 3100, 6300, 11300, 16300])
  }

  @Test func withoutAnAnswerForItsPatienceItGivesUp() {
    var bench = Bench()
    let words = bench.pass(601, pulses: false)
    #expect(words.last == "finished 75")
  }

  @Test func aLeafIsBegunWhenItsVersionIsComplete() {
    var bench = Bench(buckets: 1, leaves: 1)
    #expect(bench.welcome() == ["welcomed", "attach 9", "beat 0"])
    #expect(bench.plan(1, 1, [0]).isEmpty)
    #expect(bench.configure() == ["fetch 0 0..<2"])
    #expect(bench.parameters(1, 0).isEmpty)
    #expect(bench.parameters(0, 1) == ["store 0 1"])
    #expect(bench.parameters(0, 1).isEmpty)
    #expect(bench.parameters(0, 0) == ["store 0 0", "complete 0", "start 0 [] [0, 1) sent"])
    #expect(bench.put(.leafBucketReady(Pass(.training, step: 1), leaf: 0, bucket: 0)) == ["gradient 0 [0, 1)"])
    #expect(bench.finish(0) == ["gradient 1 [0, 1)"])
    #expect(bench.received(0, 1, 0).isEmpty)
    #expect(bench.received(0, 1, 1) == ["free [0, 1)", "done 1 1 2.0"])
  }

  /// PROTOCOL.md §4.1: partial sums are a binary counter; what no larger subtree can contain is sent.
  @Test func sumsWaitForTheirSiblingsAndAreSentWhenNoneCanCome() {
    var bench = Bench()
    #expect(bench.prepare([0, 1, 2, 3, 4]).last == "start 0 [] [0, 1) kept")
    #expect(bench.finish(0) == ["start 1 [\"[0, 1)+\"] [0, 2) kept"])
    #expect(bench.finish(1) == ["free [0, 1)", "start 2 [] [2, 3) kept"])
    #expect(bench.finish(2) == ["start 3 [\"[2, 3)+\", \"[0, 2)+\"] [0, 4) sent"])
    #expect(bench.finish(3) == ["gradient 0 [0, 4)", "free [2, 3)", "free [0, 2)", "start 4 [] [4, 5) sent"])
  }

  @Test func aPlanThatGrowsIsJoinedAndOneThatShrinksReleasesWhatWaited() {
    var bench = Bench()
    _ = bench.prepare([1, 2, 3])
    // Leaf 1 was begun when its sibling was nobody's business here: it is sent, whatever the new plan says.
    #expect(bench.plan(2, 1, [0, 1, 2, 3]).isEmpty)
    #expect(bench.finish(1) == ["gradient 0 [1, 2)", "start 0 [] [0, 1) sent"])
    #expect(bench.finish(0) == ["gradient 0 [0, 1)", "start 2 [] [2, 3) kept"])
    #expect(bench.finish(2) == ["start 3 [\"[2, 3)+\"] [2, 4) sent"])
    var other = Bench()
    _ = other.prepare([0, 1])
    _ = other.finish(0)
    #expect(other.plan(2, 1, [0]).isEmpty)
    // The leaf under way cannot be called back; both leaves' sum is sent, which contains what is wanted.
    #expect(other.finish(1) == ["gradient 0 [0, 2)", "free [0, 1)"])
    var third = Bench()
    _ = third.prepare([0, 1, 2, 3])
    _ = third.finish(0)
    _ = third.finish(1)
    #expect(third.plan(2, 1, [0, 1]) == ["gradient 0 [0, 2)"])
    #expect(third.finish(2) == ["free [2, 3)"])
  }

  @Test func thePlanWithTheHighestRevisionWins() {
    var bench = Bench()
    _ = bench.prepare([0])
    #expect(bench.plan(3, 1, [0, 2]).isEmpty)
    #expect(bench.plan(2, 1, [0, 5]).isEmpty)
    #expect(bench.finish(0) == ["gradient 0 [0, 1)", "start 2 [] [2, 3) sent"])
  }

  @Test func aLeafBegunIsFinishedButOfNoUseAfterItsPass() {
    var bench = Bench()
    _ = bench.prepare([0, 1])
    _ = bench.finish(0)
    #expect(bench.plan(2, 2, [7]) == ["done 1 1 2.0", "fetch 1 0..<1"])
    #expect(bench.parameters(1, 0) == ["store 1 0", "complete 1"])
    #expect(bench.finish(1) == ["free [0, 1)", "free [0, 2)", "done 1 1 2.0", "start 7 [] [7, 8) sent"])
  }

  @Test func atMostSixteenGradientsAreUnacknowledged() {
    var bench = Bench(buckets: 39)
    _ = bench.prepare([0])
    #expect(bench.finish(0).count == 16)
    #expect(bench.received(0, 1, 3) == ["gradient 16 [0, 1)"])
    #expect(bench.received(0, 1, 3).isEmpty)
    #expect(bench.state.messagesInFlight == 16)
  }

  @Test func aFetchAsksForSixteenBucketsTwoRequestsAtATime() {
    var bench = Bench(buckets: 39)
    _ = bench.welcome()
    _ = bench.configure()
    #expect(bench.plan(1, 1, [0]) == ["fetch 0 0..<16", "fetch 0 16..<32"])
    for bucket in 0..<15 { #expect(bench.parameters(0, bucket) == ["store 0 \(bucket)"]) }
    #expect(bench.parameters(0, 15) == ["store 0 15", "fetch 0 32..<40"])
    _ = bench.parameters(0, 20)
    #expect(bench.put(.bulkConnectionRemade) == ["attach 9", "fetch 0 16..<32", "fetch 0 32..<40"])
  }

  /// Bucket 1 is the buffers, 2 and 3 are frozen, 4 and 5 the averages of 0 and 1.
  @Test func frozenParametersAreFetchedOnceAndEvaluationsReadTheAverage() {
    var bench = Bench(buckets: 1, leaves: 1, frozenBuckets: 2, keepsAverage: true)
    _ = bench.welcome()
    _ = bench.configure()
    #expect(bench.plan(1, 1, [0]) == ["fetch 0 0..<2", "fetch 0 2..<4"])
    for bucket in [3, 0, 1] { #expect(bench.parameters(0, bucket) == ["store 0 \(bucket)"]) }
    #expect(bench.parameters(0, 4).isEmpty, "nobody asked for the average")
    #expect(bench.parameters(0, 2) == ["store 0 2", "complete 0", "start 0 [] [0, 1) sent"])
    _ = bench.finish(0)
    for bucket in 0...1 { _ = bench.received(0, 1, bucket) }
    // The version of the evaluation is there only as an average, and the next step wants the version itself.
    #expect(bench.evaluate(2, 1, [0]) == ["fetch 1 4..<6"])
    #expect(bench.parameters(1, 4) == ["store 1 averaged 4"])
    #expect(bench.parameters(1, 0).isEmpty)
    #expect(bench.parameters(1, 5) == ["store 1 averaged 5", "complete 1 averaged", "start 0 [] [0, 1) sent"])
    #expect(bench.put(.leafFinished(Pass(.evaluation, step: 1), leaf: 0, seconds: 2)) == ["gradient 1 [0, 1)"])
    #expect(bench.plan(3, 2, [0]) == ["free [0, 1)", "done 1 1 2.0", "fetch 1 0..<2"])
  }

  /// Another pass's weights are wanted before the frozen parameters have all come: they are asked for again.
  @Test func frozenParametersAreFetchedUntilTheyAreThere() {
    var bench = Bench(buckets: 1, leaves: 1, frozenBuckets: 1)
    _ = bench.welcome()
    _ = bench.configure()
    #expect(bench.plan(1, 1, [0]) == ["fetch 0 0..<2", "fetch 0 2..<3"])
    _ = bench.parameters(0, 2)
    #expect(bench.plan(2, 2, [0]) == ["fetch 1 0..<2", "fetch 1 2..<3"])
    for bucket in 0...2 { _ = bench.parameters(1, bucket) }
    #expect(bench.plan(3, 3, [0]) == ["fetch 2 0..<2"])
    #expect(bench.welcome(term: 4).contains("welcomed"))
    _ = bench.configure()
    #expect(bench.plan(1, 3, [0], term: 4) == ["fetch 2 0..<2", "fetch 2 2..<3"])
  }

  @Test func whatIsNotAcknowledgedIsSentAgain() {
    var bench = Bench(buckets: 1)
    _ = bench.prepare([0])
    _ = bench.finish(0)
    _ = bench.received(0, 1, 0)
    #expect(bench.pass(2.9).filter { $0.contains("gradient") }.isEmpty)
    #expect(bench.pass(0.2).filter { $0.contains("gradient") } == ["gradient 1 [0, 1)"])
    #expect(bench.put(.bulkConnectionRemade) == ["attach 9", "gradient 1 [0, 1)"])
  }

  @Test func aFetchWithoutAnswerIsSentAgain() {
    var bench = Bench()
    _ = bench.welcome()
    _ = bench.configure()
    _ = bench.plan(1, 1, [0])
    #expect(bench.pass(3.1).filter { $0.contains("fetch") } == ["fetch 0 0..<1"])
  }

  @Test func afterThreeBeatsOfSilenceItSaysHelloAndKeepsWhatItHas() {
    var bench = Bench()
    _ = bench.prepare([0, 1])
    let words = bench.pass(3.2, pulses: false)
    #expect(words.contains("hello"))
    #expect(bench.welcome().isEmpty)
    #expect(bench.finish(0) == ["start 1 [\"[0, 1)+\"] [0, 2) sent"])
  }

  @Test func aNewSessionOfTheSameTermKeepsTheSumsAndSendsAgain() {
    var bench = Bench()
    _ = bench.prepare([0])
    _ = bench.finish(0)
    #expect(bench.welcome(session: 10) == ["attach 10", "gradient 0 [0, 1)", "beat 0"])
    #expect(bench.plan(1, 1, [0]).isEmpty)
  }

  /// PROTOCOL.md §7: versions may have been taken back.
  @Test func aNewTermBeginsAnew() {
    var bench = Bench()
    _ = bench.prepare([0, 1, 2])
    _ = bench.finish(0)
    #expect(bench.welcome(term: 2).isEmpty)
    #expect(bench.plan(9, 1, [5], term: 2).isEmpty)
    #expect(bench.welcome(term: 4) == ["done 1 1 2.0", "welcomed", "attach 9", "beat 0"])
    #expect(bench.plan(9, 1, [5]).isEmpty)
    #expect(bench.plan(1, 1, [4], term: 4).isEmpty)
    #expect(bench.configure() == ["fetch 0 0..<1"])
    // An answer of the old term.
    #expect(bench.parameters(0, 0).isEmpty)
    #expect(bench.finish(1) == ["free [0, 1)", "free [0, 2)", "done 1 1 2.0"])
  }

  /// The old engine's leaf is never finished: it is not waited for.
  @Test func aNewEngineBeginsAtOnce() {
    var bench = Bench()
    _ = bench.prepare([0, 1, 2])
    _ = bench.finish(0)
    _ = bench.welcome(term: 4)
    _ = bench.plan(1, 1, [4], term: 4)
    #expect(bench.configure(hasNewEngine: true) == ["fetch 0 0..<1"])
    #expect(bench.parameters(0, 0, term: 4) == ["store 0 0", "complete 0", "start 4 [] [4, 5) sent"])
  }

  @Test func refusalsAndStopsEndItWithTheirCodes() {
    var bench = Bench()
    _ = bench.put(.tick)
    #expect(bench.put(.control(.refuse(Refuse(code: 78, reason: "")), Self.tenure)) == ["finished 78"])
    var other = Bench()
    _ = other.welcome()
    #expect(other.put(.control(.refuse(Refuse(code: 0, reason: "")), Self.tenure)) == ["hello"])
    #expect(other.put(.control(.refuse(Refuse(code: 0, reason: "")), Self.tenure)).isEmpty)
    #expect(other.put(.control(.stop(Stop(code: 0, reason: "")), Self.tenure)) == ["leave", "finished 0"])
    #expect(other.put(.tick).isEmpty)
  }

  @Test func aFaultIsRepeatedWithEveryBeatUntilTheCoordinatorActs() {
    var bench = Bench()
    _ = bench.welcome()
    #expect(bench.put(.fault(Fault(code: 65, sample: nil, reason: "bad"))) == ["fault"])
    #expect(bench.pass(1).filter { $0 == "fault" }.count == 1)
  }
}
