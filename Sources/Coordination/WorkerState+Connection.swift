import Lockstep
import Wire

extension WorkerState {
  // MARK: - Control

  mutating func receive(_ message: ControlMessage, _ tenure: Tenure, at now: Instant) -> [Effect] {
    let isOlder = tenure.run == self.tenure.run && tenure.term < self.tenure.term
    switch message {
    case .welcome(let welcome):
      return isOlder ? [] : attach(welcome, tenure, at: now)
    case .refuse(let refusal):
      if isOlder { return [] }
      if refusal.code != 0 { return finish(refusal.code, refusal.reason, farewell: false) }
      return isSearching ? [] : sayHello(at: now)
    case .stop(let stop):
      if isOlder { return [] }
      return finish(stop.code, stop.reason, farewell: true)
    case .plan(let plan):
      guard tenure == self.tenure, session != nil else { return [] }
      hear(at: now)
      guard plan.revision > self.plan?.revision ?? 0 else { return [] }
      self.plan = plan
      return adoptPlan(at: now)
    case .pulse:
      if tenure == self.tenure { hear(at: now) }
      return []
    case .hello, .beat, .done, .fault, .leave:
      return []
    }
  }

  private mutating func hear(at now: Instant) {
    lastHeard = now
    isSearching = false
    helloPause.reset()
  }

  private mutating func attach(_ welcome: Welcome, _ tenure: Tenure, at now: Instant) -> [Effect] {
    if self.tenure != .unknown, tenure.run != self.tenure.run {
      return finish(ExitCode.temporary, "the coordinator now serves run \(tenure.run)", farewell: false)
    }
    let isNewTenure = tenure != self.tenure
    let isNewSession = isNewTenure || session != welcome.session
    hear(at: now)
    guard isNewSession else { return [] }
    var effects: [Effect] = []
    if isNewTenure {
      // Versions may have been taken back to a checkpoint, and what was delivered is forgotten there.
      effects += endWork()
      (fetch, completeWeights, hasFrozen, isConfigured) = (nil, nil, false, false)
    }
    (self.tenure, session, plan) = (tenure, welcome.session, nil)
    beat = .milliseconds(max(1, welcome.beatMilliseconds))
    nextBeat = now
    effects.append(.event(.attached(tenure)))
    if isNewTenure { effects.append(.welcomed(welcome, tenure)) }
    return effects + reattachBulk(at: now) + tellBeat(at: now)
  }

  private mutating func tellBeat(at now: Instant) -> [Effect] {
    nextBeat = now + beat
    let phase: Beat.Phase =
      engine != nil ? .computing : outbox.parcelCount > 0 ? .sending : fetch != nil ? .fetching : .idle
    let message = Beat(
      phase: phase, pass: plan?.pass, leavesFinished: leavesFinished, revision: plan?.revision ?? 0)
    return [.sendControl(.beat(message))] + (pendingFault.map { [.sendControl(.fault($0))] } ?? [])
  }

  /// HELLO, at once, and again with growing pauses until somebody answers.
  mutating func sayHello(at now: Instant) -> [Effect] {
    isSearching = true
    helloPause.reset()
    nextHello = now + helloPause.current
    return [.sendControl(.hello(hello))]
  }

  mutating func tick(at now: Instant) -> [Effect] {
    lastHeard = lastHeard + absence.absence(at: now, tolerance: beat)
    if now - lastHeard > patience {
      return finish(ExitCode.temporary, "no coordinator answered for \(patience): start again later", farewell: true)
    }
    var effects: [Effect] = []
    if isSearching {
      if now >= nextHello {
        if session == nil, helloPause.current == helloPause.first { effects.append(.event(.searching)) }
        effects.append(.sendControl(.hello(hello)))
        nextHello = now + helloPause.current
        helloPause.grow()
      }
    } else if now - lastHeard > beat * CoordinatorState.leaseBeats {
      effects += [.event(.silence)] + sayHello(at: now)
    }
    if session != nil, now >= nextBeat { effects += tellBeat(at: now) }
    return effects + retryBulk(at: now)
  }

  // MARK: - Bulk

  mutating func receive(_ message: BulkMessage, at now: Instant) -> [Effect] {
    switch message {
    case .received(let key):
      return acknowledged(key, at: now)
    case .parameters(let parameters):
      return arrived(parameters, at: now)
    case .attach, .gradient, .fetch:
      return []
    }
  }

  /// Who we are, and everything that was not answered, again.
  mutating func reattachBulk(at now: Instant) -> [Effect] {
    guard let session else { return [] }
    gradientRetry.restart(at: now)
    fetchRetry.restart(at: now)
    return [.sendBulk(.attach(session: session))] + gradientsAgain() + fetchesAgain()
  }

  private func gradientsAgain() -> [Effect] {
    guard let session else { return [] }
    return outbox.inFlight.map { .sendBulk(.gradient(Contribution(session: session, key: $0))) }
  }

  private func fetchesAgain() -> [Effect] {
    guard let session, let fetch else { return [] }
    return fetch.repeats.map { .sendBulk(.fetch(Fetch(session: session, version: fetch.weights.version, buckets: $0))) }
  }

  private mutating func retryBulk(at now: Instant) -> [Effect] {
    var effects: [Effect] = []
    if !outbox.inFlight.isEmpty, now - gradientRetry.since >= gradientRetry.wait.current {
      gradientRetry.since = now
      gradientRetry.wait.grow()
      effects += [.event(.sentAgain(messages: outbox.inFlight.count))] + gradientsAgain()
    }
    if fetch != nil, now - fetchRetry.since >= fetchRetry.wait.current {
      fetchRetry.since = now
      fetchRetry.wait.grow()
      effects += fetchesAgain()
    }
    return effects
  }

  /// Sends what the window has room for.
  mutating func sendGradients(at now: Instant) -> [Effect] {
    guard let session else { return [] }
    if outbox.inFlight.isEmpty { gradientRetry.restart(at: now) }
    return outbox.next().map { .sendBulk(.gradient(Contribution(session: session, key: $0))) }
  }

  /// Asks for what the window has room for.
  mutating func sendFetches(at now: Instant) -> [Effect] {
    guard let session, let version = fetch?.weights.version else { return [] }
    return (fetch?.next() ?? []).map {
      .sendBulk(.fetch(Fetch(session: session, version: version, buckets: $0)))
    }
  }
}
