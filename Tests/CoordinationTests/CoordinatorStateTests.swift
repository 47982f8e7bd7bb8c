import Lockstep
import Testing
import Wire

@testable import Coordination

@Suite struct CoordinatorStateTests {
  private static let tenure = Tenure(run: RunID(bits: Digest(high: 1, low: 2)), term: 3)
  private static let numerics = Numerics(engine: 1, selfTest: Digest(high: 5, low: 6))
  private static let first = Pass(.training, step: 1)

  /// A coordinator under test, and the time.
  private struct Bench {
    var state: CoordinatorState
    var now = Instant(nanoseconds: 0)

    init(leaves: Int = 8, steps: Int = 2) {
      let counter = SessionCounter(base: 9)
      state = CoordinatorState(
        .init(
          tenure: tenure, numerics: numerics, fingerprint: Digest(high: 8, low: 8), configuration: [1, 2],
          bulkEndpoint: ":1", sampleEndpoint: ":2", beat: .seconds(1),
          passes: PassSequence(steps: steps, stepsPerEpoch: 100, hasValidation: false), firstPass: first,
          leafCount: { _ in leaves }, newSession: { counter.next() }))
    }

    mutating func put(_ input: CoordinatorState.Input) -> [String] { words(state.handle(input, at: now)) }

    mutating func say(_ peer: Int, _ message: ControlMessage, _ tenure: Tenure = CoordinatorStateTests.tenure)
      -> [String]
    {
      put(.message(PeerID(peer), message, tenure))
    }

    mutating func hello(_ peer: Int, incarnation: UInt64? = nil, numerics: Numerics? = nil, data: Digest? = nil)
      -> [String]
    {
      let hello = Hello(
        numerics: numerics ?? CoordinatorStateTests.numerics, name: "w\(peer)",
        incarnation: incarnation ?? UInt64(peer), threads: 4, cpu: "", fingerprint: data)
      return say(peer, .hello(hello), .unknown)
    }

    /// Lets time pass in steps of a beat's quarter, in which the given peers beat.
    mutating func pass(_ seconds: Double, beating: [Int] = []) -> [String] {
      var all: [String] = []
      for _ in 0..<Int(seconds * 4) {
        now = now + .milliseconds(250)
        for peer in beating { all += beat(peer) }
        all += put(.tick)
      }
      return all.filter { !$0.contains("pulse") }
    }

    mutating func beat(_ peer: Int, finished: Int = 0, revision: Int = 1_000) -> [String] {
      say(peer, .beat(Beat(phase: .computing, pass: first, leavesFinished: finished, revision: revision)))
    }
  }

  private static func words(_ effects: [CoordinatorState.Effect]) -> [String] {
    effects.compactMap {
      switch $0 {
      case .send(let peer, .welcome): "welcome \(peer.number)"
      case .send(let peer, .plan(let plan)): "plan \(plan.pass.step) \(plan.leaves) to \(peer.number)"
      case .send(let peer, .pulse(let pulse)): "pulse \(pulse.revision) to \(peer.number)"
      case .send(let peer, .refuse(let refusal)): "refuse \(refusal.code) \(peer.number)"
      case .send(let peer, .stop(let stop)): "stop \(stop.code) \(peer.number)"
      case .send: "other"
      case .dropPeer(let peer): "drop \(peer.number)"
      case .admit: "admit"
      case .expel: "expel"
      case .openPass(let pass): "open \(pass.step)"
      case .event(.waitingForWorkers): "waiting"
      case .event(.lost(let name, let cause)): "lost \(name) \(cause)"
      case .event(.returned(let name)): "returned \(name)"
      case .event(.stalled(let name)): "stalled \(name)"
      case .event: nil
      case .runFinished(let code, _): "finished \(code)"
      case .runFailed(let code, _): "failed \(code)"
      case .drained: "drained"
      }
    }
  }

  @Test func withoutWorkersItWaitsAndSaysSoOnce() {
    var bench = Bench()
    #expect(bench.put(.start) == ["open 1", "waiting"])
    #expect(bench.pass(20).isEmpty)
    #expect(bench.hello(1) == ["admit", "welcome 1", "plan 1 [0, 1, 2, 3, 4, 5, 6, 7] to 1"])
    #expect(bench.put(.disconnected(PeerID(1))) == ["lost w1 disconnected", "waiting"])
  }

  @Test func otherNumericsAndOtherDataAreRefused() {
    var bench = Bench()
    _ = bench.put(.start)
    #expect(
      bench.hello(1, numerics: Numerics(engine: 2, selfTest: Digest(high: 5, low: 6))) == ["refuse 78 1", "drop 1"])
    #expect(bench.hello(2, data: Digest(high: 0, low: 8)) == ["refuse 78 2", "drop 2"])
    #expect(bench.hello(3, data: Digest(high: 8, low: 8)).contains("welcome 3"))
  }

  @Test func aSecondHelloOfAnIncarnationIsWelcomedAgainWithItsPlan() {
    var bench = Bench(leaves: 2)
    _ = bench.put(.start)
    _ = bench.hello(1, incarnation: 77)
    #expect(bench.hello(2, incarnation: 77) == ["drop 1", "welcome 2", "plan 1 [0, 1] to 2"])
    // The old connection's close comes late and means nothing.
    #expect(bench.put(.disconnected(PeerID(1))).isEmpty)
    #expect(bench.state.workerCount == 1)
  }

  @Test func anOldTermIsToldToSayHello() {
    var bench = Bench()
    _ = bench.put(.start)
    _ = bench.hello(1)
    let old = Tenure(run: Self.tenure.run, term: 2)
    #expect(bench.say(1, .leave, old) == ["refuse 0 1"])
    #expect(bench.say(9, .leave) == ["refuse 0 9"])
    #expect(bench.state.workerCount == 1)
  }

  @Test func silenceOfThreeBeatsEndsALeaseAndAnyMessageBringsItBack() {
    var bench = Bench(leaves: 4)
    _ = bench.put(.start)
    _ = bench.hello(1)
    #expect(bench.pass(3).isEmpty)
    #expect(bench.pass(0.5) == ["lost w1 silent", "waiting"])
    let back = bench.beat(1)
    #expect(back.contains("returned w1"))
    #expect(bench.pass(10, beating: [1]).isEmpty)
  }

  /// PROTOCOL.md §6: a loop that was itself away extends every lease by as much.
  @Test func ourOwnAbsenceIsNobodyElsesSilence() {
    var bench = Bench()
    _ = bench.put(.start)
    _ = bench.hello(1)
    _ = bench.pass(1, beating: [1])
    bench.now = bench.now + .seconds(60)
    #expect(bench.put(.tick).isEmpty)
    #expect(bench.pass(2).isEmpty)
  }

  @Test func leavesOfALostWorkerGoToOthersAtOnce() {
    var bench = Bench(leaves: 4)
    _ = bench.hello(1)
    _ = bench.put(.start)
    _ = bench.hello(1)
    _ = bench.hello(2)
    _ = bench.put(.covered(Self.first, [Subtree(0, 4)]))
    #expect(bench.put(.passCommitted(Self.first)) == ["open 2"])
    // Step 2 was dealt out, two leaves each, when step 1 was covered.
    #expect(bench.put(.disconnected(PeerID(1))) == ["lost w1 disconnected", "plan 2 [0, 1, 2, 3] to 2"])
  }

  @Test func theNextPassIsPlannedWhenAllLeavesAreCovered() {
    var bench = Bench(leaves: 4)
    _ = bench.put(.start)
    _ = bench.hello(1)
    #expect(bench.put(.covered(Self.first, [Subtree(0, 2)])).isEmpty)
    #expect(bench.put(.covered(Self.first, [Subtree(2, 4)])) == ["plan 2 [0, 1, 2, 3] to 1"])
    #expect(bench.put(.passCommitted(Self.first)) == ["open 2"])
  }

  @Test func anIdleWorkerAlsoGetsTheLastLeavesOfTheSlowest() {
    var bench = Bench(leaves: 8)
    _ = bench.put(.start)
    #expect(bench.hello(1).last == "plan 1 [0, 1, 2, 3, 4, 5, 6, 7] to 1")
    // Nobody's speed is known: half of what is expected to be left.
    #expect(bench.hello(2).last == "plan 1 [4, 5, 6, 7] to 2")
    // Two had it and it is covered: it is taken out of both plans, so that what waited for it is sent.
    #expect(
      bench.put(.covered(Self.first, [Subtree(6, 8)])) == ["plan 1 [0, 1, 2, 3, 4, 5] to 1", "plan 1 [4, 5] to 2"])
  }

  @Test func aLostPlanIsRepairedByTheNextBeat() {
    var bench = Bench(leaves: 1)
    _ = bench.put(.start)
    _ = bench.hello(1)
    #expect(bench.beat(1, revision: 0) == ["pulse 1 to 1", "plan 1 [0] to 1"])
    #expect(bench.beat(1, revision: 1) == ["pulse 1 to 1"])
  }

  /// PROTOCOL.md §6: a live socket with a dead engine.
  @Test func aStalledEnginesLeavesGoToOthersAndItGetsNoneUntilItFinishesOne() {
    var bench = Bench(leaves: 2, steps: 4)
    _ = bench.put(.start)
    _ = bench.hello(1)
    let words = bench.pass(61, beating: [1])
    #expect(words == ["stalled w1"])
    #expect(bench.hello(2) == ["admit", "welcome 2", "plan 1 [0, 1] to 2"])
    _ = bench.say(2, .done(Done(pass: Self.first, leaves: 2, seconds: 1)))
    let next = bench.put(.covered(Self.first, [Subtree(0, 2)]))
    #expect(next == ["plan 2 [] to 1", "plan 2 [0, 1] to 2"])
  }

  @Test func sharesFollowMeasuredSpeeds() {
    var bench = Bench(leaves: 12)
    _ = bench.put(.start)
    _ = bench.hello(1)
    _ = bench.hello(2)
    _ = bench.say(1, .done(Done(pass: Self.first, leaves: 4, seconds: 8)))
    _ = bench.say(2, .done(Done(pass: Self.first, leaves: 8, seconds: 8)))
    #expect(
      bench.put(.covered(Self.first, [Subtree(0, 12)])) == [
        "plan 2 [8, 9, 10, 11] to 1", "plan 2 [0, 1, 2, 3, 4, 5, 6, 7] to 2",
      ])
  }

  @Test func theRunEndsWhenItsLastPassIsCommitted() {
    var bench = Bench(leaves: 1, steps: 1)
    _ = bench.put(.start)
    _ = bench.hello(1)
    #expect(bench.put(.covered(Self.first, [Subtree(0, 1)])).isEmpty)
    #expect(bench.put(.passCommitted(Self.first)) == ["finished 0", "stop 0 1"])
    #expect(bench.hello(2) == ["stop 0 2"])
    #expect(bench.say(1, .leave) == ["drained"])
  }

  @Test func aSignalStopsTheRunAndTheAbsentAreNotWaitedForLong() {
    var bench = Bench()
    _ = bench.put(.start)
    _ = bench.hello(1)
    #expect(bench.put(.stopRequested(code: 130, reason: "interrupted")) == ["finished 130", "stop 130 1"])
    #expect(bench.pass(5) == ["drained"])
  }

  @Test func aFaultEndsTheRunWithItsCode() {
    var bench = Bench()
    _ = bench.put(.start)
    _ = bench.hello(1)
    #expect(bench.say(1, .fault(Fault(code: 65, sample: nil, reason: "bad"))) == ["failed 65", "stop 65 1"])
  }

  @Test func whoBreaksTheProtocolIsExpelled() {
    var bench = Bench()
    _ = bench.put(.start)
    _ = bench.hello(1)
    #expect(bench.say(1, .pulse(Pulse(revision: 1))) == ["expel", "refuse 77 1", "drop 1", "waiting"])
  }
}
