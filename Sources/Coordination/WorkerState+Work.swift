import Lockstep
import Wire

extension WorkerState {
  /// Acts on the newest plan.
  mutating func adoptPlan(at now: Instant) -> [Effect] {
    guard isConfigured, let shape, let plan else { return [] }
    var effects: [Effect] = []
    if sums?.pass != plan.pass {
      effects += endWork()
      sums = LeafSums(pass: plan.pass, leafCount: shape.leafCount(plan.pass))
    }
    sums?.assign(plan.leaves)
    // Weights that no leaf of ours will read are not asked for any longer.
    if let fetch, fetch.weights != shape.layout.weights(readBy: plan.pass) { self.fetch = nil }
    return effects + settle(at: now) + proceed(at: now)
  }

  /// The pass is over for this worker: nothing of it is needed any more, wherever it has got to.
  mutating func endWork() -> [Effect] {
    guard let old = sums else { return [] }
    var effects: [Effect] = []
    for subtree in Set(old.held).union(outbox.subtrees).sorted() {
      // The engine still writes there.
      if engine?.isVoid == false, engine?.task.result == subtree { continue }
      effects.append(.free(old.pass, subtree))
    }
    if engine?.isVoid == false {
      engine?.isVoid = true
      engine?.freesResult = true
    }
    (sums, outbox) = (nil, Outbox())
    return effects + report(old.pass)
  }

  /// DONE, if anything was computed since the last one.
  private mutating func report(_ pass: Pass) -> [Effect] {
    guard unreported.leaves > 0 else { return [] }
    defer { unreported = (0, 0) }
    return [.sendControl(.done(Done(pass: pass, leaves: unreported.leaves, seconds: unreported.seconds)))]
  }

  /// Whatever can be done now: fetch, compute, report.
  private mutating func proceed(at now: Instant) -> [Effect] {
    guard let shape, let sums, isConfigured else { return [] }
    var effects: [Effect] = []
    let weights = shape.layout.weights(readBy: sums.pass)
    if !sums.remaining.isEmpty, completeWeights != weights, fetch?.weights != weights {
      fetch = VersionFetch(weights, of: shape.layout, bringsFrozen: !hasFrozen)
      fetchRetry.restart(at: now)
    }
    effects += sendFetches(at: now)
    if engine == nil, completeWeights == weights, outbox.parcelCount <= Self.parcelLimit,
      let task = self.sums?.beginNext()
    {
      let buckets = valueBuckets(of: task.pass, shape)
      if task.isReleased { outbox.open(task.result, buckets: buckets) }
      engine = EngineLeaf(task: task, awaited: task.isReleased ? Set(buckets) : [])
      effects.append(.startLeaf(task))
    }
    if engine == nil, outbox.parcelCount == 0, self.sums?.remaining.isEmpty == true, self.sums?.held.isEmpty == true {
      effects += report(sums.pass)
    }
    return effects
  }

  /// Releases and drops sums as the assignment has it now.
  private mutating func settle(at now: Instant) -> [Effect] {
    guard let shape, let pass = sums?.pass, let (released, dropped) = sums?.settle() else { return [] }
    for subtree in released {
      let buckets = valueBuckets(of: pass, shape)
      outbox.open(subtree, buckets: buckets)
      for bucket in buckets { outbox.makeReady(ContributionKey(pass: pass, bucket: bucket, subtree: subtree)) }
    }
    return dropped.map { .free(pass, $0) } + sendGradients(at: now)
  }

  private func valueBuckets(of pass: Pass, _ shape: WorkShape) -> ClosedRange<Int> {
    let statistics = shape.layout.gradientBuckets
    return pass.kind == .training ? 0...statistics : statistics...statistics
  }

  // MARK: - Engine

  mutating func bucketReady(_ pass: Pass, _ leaf: Int, _ bucket: Int, at now: Instant) -> [Effect] {
    guard let engine, engine.task.pass == pass, engine.task.leaf == leaf, !engine.isVoid,
      engine.awaited.contains(bucket)
    else { return [] }
    self.engine?.awaited.remove(bucket)
    outbox.makeReady(ContributionKey(pass: pass, bucket: bucket, subtree: engine.task.result))
    return sendGradients(at: now)
  }

  mutating func leafFinished(_ pass: Pass, _ leaf: Int, _ seconds: Double, at now: Instant) -> [Effect] {
    guard engine?.task.pass == pass, engine?.task.leaf == leaf else { return [] }
    var effects: [Effect] = []
    for bucket in engine?.awaited.sorted() ?? [] { effects += bucketReady(pass, leaf, bucket, at: now) }
    guard let done = engine else { return [] }
    engine = nil
    leavesFinished += 1
    effects += done.task.climb.map { .free(pass, $0.sibling) }
    if done.freesResult { effects.append(.free(pass, done.task.result)) }
    unreported = (unreported.leaves + 1, unreported.seconds + seconds)
    if done.isVoid {
      effects += report(pass)
    } else {
      sums?.finishCurrent()
      effects += settle(at: now)
    }
    return effects + proceed(at: now)
  }

  // MARK: - Answers

  mutating func acknowledged(_ key: ContributionKey, at now: Instant) -> [Effect] {
    guard key.pass == sums?.pass else { return [] }
    gradientRetry.restart(at: now)
    var effects: [Effect] = []
    if let subtree = outbox.acknowledge(key) {
      if let engine, !engine.isVoid, engine.task.result == subtree {
        self.engine?.freesResult = true
      } else {
        effects.append(.free(key.pass, subtree))
      }
    }
    return effects + sendGradients(at: now) + proceed(at: now)
  }

  mutating func arrived(_ parameters: Parameters, at now: Instant) -> [Effect] {
    guard let weights = fetch?.weights, parameters.version == weights.version,
      fetch?.take(parameters.bucket) == true
    else { return [] }
    fetchRetry.restart(at: now)
    var effects: [Effect] = [.storeParameters(weights, bucket: parameters.bucket)]
    if let done = fetch, done.missing.isEmpty {
      (fetch, completeWeights, hasFrozen) = (nil, weights, hasFrozen || done.bringsFrozen)
      effects.append(.weightsComplete(weights))
    }
    return effects + proceed(at: now)
  }
}
