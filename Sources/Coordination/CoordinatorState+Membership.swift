import Lockstep
import Wire

extension CoordinatorState {
  func index(of peer: PeerID) -> Int? { members.firstIndex { $0.peer == peer } }

  /// Any control message while the run goes on.
  mutating func receive(
    _ message: ControlMessage, from peer: PeerID, _ tenure: Tenure, at now: Instant
  ) -> [Effect] {
    if case .hello(let hello) = message { return greet(hello, peer, tenure, at: now) }
    guard tenure == settings.tenure, let index = index(of: peer) else {
      // After our own restart, or from a connection that was given up: who still listens there says HELLO.
      return [.send(peer, .refuse(Refuse(code: 0, reason: "not known to \(settings.tenure): say HELLO")))]
    }
    switch message {
    case .beat(let beat):
      return renew(index, at: now) + answer(beat, of: index, at: now)
    case .done(let done):
      members[index].learn(from: done)
      members[index].lastProgress = now
      members[index].isStalled = false
      return renew(index, at: now) + [.event(.finishedShare(name: members[index].name, done))] + rebalance(at: now)
    case .fault(let fault):
      let name = members[index].name
      return end(
        .runFailed(code: fault.code, reason: "worker \(name): \(fault.reason)"),
        Stop(code: fault.code, reason: "worker \(name): \(fault.reason)"), at: now)
    case .leave:
      let member = members.remove(at: index)
      return [.event(.left(name: member.name)), .expel(session: member.session), .dropPeer(peer)] + rebalance(at: now)
    case .hello, .welcome, .plan, .pulse, .refuse, .stop:
      return reject(members[index].session, "a worker sent what only a coordinator sends", at: now)
    }
  }

  private mutating func greet(_ hello: Hello, _ peer: PeerID, _ tenure: Tenure, at now: Instant) -> [Effect] {
    if hello.numerics != settings.numerics {
      return refuse(
        hello, peer,
        "its numerics (\(hello.numerics)) are not the run's (\(settings.numerics)): "
          + "use the same build on every host, or other hosts")
    }
    if let fingerprint = hello.fingerprint, fingerprint != settings.fingerprint {
      return refuse(
        hello, peer,
        "its copy of the training data has fingerprint \(fingerprint), the run's is "
          + "\(settings.fingerprint): correct the copy, or start the worker without it")
    }
    // It has already served a later start of this run's coordinator: whoever we are, we are not its coordinator any
    // more.
    if tenure.run == settings.tenure.run, tenure.term > settings.tenure.term { return [] }
    guard let index = members.firstIndex(where: { $0.incarnation == hello.incarnation }) else {
      return admit(hello, peer, at: now)
    }
    var effects: [Effect] = []
    if let old = members[index].peer, old != peer { effects.append(.dropPeer(old)) }
    members[index].peer = peer
    effects.append(.send(peer, welcome(members[index].session)))
    // The plan before anything that renewing may change: it is the same text under the same revision.
    if let plan = members[index].plan { effects.append(.send(peer, .plan(plan))) }
    return effects + renew(index, at: now)
  }

  private mutating func admit(_ hello: Hello, _ peer: PeerID, at now: Instant) -> [Effect] {
    // A connection speaks for one process: what was there before is gone.
    var effects: [Effect] = []
    if let index = index(of: peer) {
      members[index].peer = nil
      effects += lose(index, cause: .disconnected, at: now)
    }
    let member = Member(
      session: settings.newSession(), incarnation: hello.incarnation, name: hello.name, threads: max(1, hello.threads),
      peer: peer, lastHeard: now, lastProgress: now, expectedFinish: now)
    members.append(member)
    isWaiting = false
    effects += forgetLongestAbsent()
    effects += [
      .admit(session: member.session), .send(peer, welcome(member.session)),
      .event(.joined(name: member.name, session: member.session, threads: member.threads)),
    ]
    return effects + rebalance(at: now)
  }

  private func welcome(_ session: UInt64) -> ControlMessage {
    .welcome(
      Welcome(
        session: session, configuration: settings.configuration, bulk: settings.bulkEndpoint,
        samples: settings.sampleEndpoint,
        beatMilliseconds: Int(settings.beat.wholeNanoseconds / 1_000_000)))
  }

  private func refuse(_ hello: Hello, _ peer: PeerID, _ reason: String) -> [Effect] {
    [
      .send(peer, .refuse(Refuse(code: ExitCode.mismatch, reason: reason))), .dropPeer(peer),
      .event(.refused(name: hello.name, code: ExitCode.mismatch, reason: reason)),
    ]
  }

  /// Any message renews a lease, and takes back a worker that was given up.
  private mutating func renew(_ index: Int, at now: Instant) -> [Effect] {
    members[index].lastHeard = now
    guard !members[index].isLive else { return [] }
    members[index].isLive = true
    members[index].lastProgress = now
    isWaiting = false
    var effects: [Effect] = [.event(.returned(name: members[index].name))]
    // Its leaves may have moved on with the pass while it was away.
    if let schedule, members[index].plan?.pass != schedule.pass { effects += sendPlan(index) }
    return effects + rebalance(at: now)
  }

  private mutating func answer(_ beat: Beat, of index: Int, at now: Instant) -> [Effect] {
    guard let peer = members[index].peer else { return [] }
    var effects: [Effect] = [.send(peer, .pulse(Pulse(revision: members[index].revision)))]
    if beat.revision < members[index].revision, let plan = members[index].plan {
      effects.append(.send(peer, .plan(plan)))
    }
    if beat.leavesFinished != members[index].leavesFinished {
      members[index].leavesFinished = beat.leavesFinished
      members[index].lastProgress = now
      members[index].isStalled = false
    }
    return effects
  }

  mutating func lose(_ index: Int, cause: LossCause, at now: Instant) -> [Effect] {
    guard members[index].isLive else { return [] }
    members[index].isLive = false
    return [.event(.lost(name: members[index].name, cause: cause))] + rebalance(at: now)
  }

  mutating func reject(_ session: UInt64, _ reason: String, at now: Instant) -> [Effect] {
    guard let index = members.firstIndex(where: { $0.session == session }) else { return [] }
    let member = members.remove(at: index)
    var effects: [Effect] = [.expel(session: session)]
    if let peer = member.peer {
      effects += [.send(peer, .refuse(Refuse(code: ExitCode.denied, reason: reason))), .dropPeer(peer)]
    }
    effects.append(.event(.refused(name: member.name, code: ExitCode.denied, reason: reason)))
    return effects + rebalance(at: now)
  }

  private mutating func forgetLongestAbsent() -> [Effect] {
    let absent = members.indices.filter { !members[$0].isLive }
    guard absent.count > Self.recordLimit,
      let oldest = absent.min(by: { members[$0].lastHeard < members[$1].lastHeard })
    else { return [] }
    return [.expel(session: members.remove(at: oldest).session)]
  }
}
