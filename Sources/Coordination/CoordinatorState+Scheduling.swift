import Lockstep
import Wire

extension CoordinatorState {
  /// An idle worker is given leaves that another still has if that one is expected to need longer than so many of the
  /// idle worker's leaves: one to compute, and half of one for the transfers (unmeasured).
  static let worthwhileLeaves = 1.5
  /// Median leaf times without any finished leaf after which an engine counts as stalled.
  static let stalledLeaves = 20.0

  /// Deals out the leaves of a pass.
  mutating func begin(_ pass: Pass, at now: Instant) -> [Effect] {
    let schedule = PassSchedule(pass: pass, leafCount: settings.leafCount(pass))
    var idleBefore: Set<Int> = []
    for index in members.indices {
      if members[index].leaves.isEmpty { idleBefore.insert(index) }
      members[index].leaves = []
      members[index].plan = nil
    }
    self.schedule = schedule
    var workers = members.indices.filter { members[$0].isUsable }
    if workers.isEmpty { workers = members.indices.filter { members[$0].isLive } }
    guard !workers.isEmpty else { return waitForWorkers() }
    let seconds = workers.map { planningSeconds($0, at: now) }
    let shares = Shares(of: schedule.tree).divided(amongWorkersWith: seconds)
    var effects: [Effect] = []
    for (index, share) in zip(workers, shares) {
      let leaves = share.flatMap { Array($0.lower..<$0.upper) }
      give(leaves, to: index, at: now)
      if leaves.isEmpty, idleBefore.contains(index), let old = members[index].secondsPerLeaf[pass.kind] {
        members[index].secondsPerLeaf[pass.kind] = old * Member.forgiveness
      }
    }
    for index in members.indices where members[index].isLive { effects += sendPlan(index) }
    let list = zip(workers, shares).map { index, share in
      Share(name: members[index].name, leaves: share.reduce(0) { $0 + $1.leafCount })
    }
    return effects + [.event(.planned(pass, shares: list))]
  }

  /// Gives leaves that nobody is working on to somebody, and leaves of the slowest also to the idle.
  mutating func rebalance(at now: Instant) -> [Effect] {
    guard let schedule, !schedule.isCovered, case .running = phase else { return [] }
    var workers = members.indices.filter { members[$0].isUsable }
    if workers.isEmpty { workers = members.indices.filter { members[$0].isLive } }
    guard !workers.isEmpty else { return waitForWorkers() }
    var holders = [Int](repeating: 0, count: schedule.tree.leafCount)
    for index in workers { for leaf in members[index].leaves { holders[leaf] += 1 } }
    let unfinished = holders.indices.filter { !schedule.covered.contains($0) }
    var changed: [Int: [Int]] = [:]

    for (index, leaves) in dealt(unfinished.filter { holders[$0] == 0 }, among: workers, at: now) {
      give(leaves, to: index, at: now)
      for leaf in leaves { holders[leaf] += 1 }
      changed[index, default: []] += leaves
    }

    let idle = workers.filter { members[$0].leaves.isSubset(of: schedule.covered) }
    for helper in idle.sorted(by: { (expectedSeconds($0), $0) < (expectedSeconds($1), $1) }) {
      let ownLeaf = expectedSeconds(helper)
      let candidates = workers.compactMap { victim -> (remaining: Double, leaves: [Int])? in
        let leaves = unfinished.filter { holders[$0] == 1 && members[victim].leaves.contains($0) }
        guard victim != helper, !leaves.isEmpty else { return nil }
        // A worker that is late by x is expected to be late by x more.
        let late = (now - members[victim].expectedFinish).inSeconds
        return (abs(late), leaves)
      }
      guard let slowest = candidates.max(by: { $0.remaining < $1.remaining }),
        slowest.remaining > Self.worthwhileLeaves * ownLeaf
      else { continue }
      // So many that both are done at about the same time.
      let count = max(1, Int(min(Double(slowest.leaves.count), slowest.remaining / (2 * ownLeaf))))
      let leaves = Array(slowest.leaves.suffix(count))
      give(leaves, to: helper, at: now)
      for leaf in leaves { holders[leaf] += 1 }
      changed[helper, default: []] += leaves
    }
    return changed.sorted { $0.key < $1.key }.flatMap { index, leaves in
      sendPlan(index)
        + [.event(.reassigned(schedule.pass, leaves: leaves.sorted(), to: members[index].name))]
    }
  }

  /// Takes covered leaves out of the plans of workers, where two had them: sums that waited for them can be sent.
  mutating func thinOut(_ subtrees: [Subtree]) -> [Effect] {
    var holders: [Int: Int] = [:]
    let covered = subtrees.flatMap { Array($0.lower..<$0.upper) }
    for member in members { for leaf in covered where member.leaves.contains(leaf) { holders[leaf, default: 0] += 1 } }
    let shared = Set(covered.filter { holders[$0, default: 0] > 1 })
    guard !shared.isEmpty else { return [] }
    var effects: [Effect] = []
    for index in members.indices where !members[index].leaves.isDisjoint(with: shared) {
      members[index].leaves.subtract(shared)
      if members[index].isLive { effects += sendPlan(index) } else { members[index].plan = nil }
    }
    return effects
  }

  /// A live socket with a dead engine: its leaves are late.
  mutating func markStalled(at now: Instant) -> [Effect] {
    guard let schedule, schedule.pass == openPass else { return [] }
    let known = members.compactMap { $0.isUsable ? $0.secondsPerLeaf[schedule.pass.kind] : nil }.sorted()
    let median = known.isEmpty ? 0 : known[known.count / 2]
    let deadline = max(settings.engineDeadline, .seconds(median * Self.stalledLeaves))
    var effects: [Effect] = []
    for index in members.indices where members[index].isUsable {
      guard !members[index].leaves.isSubset(of: schedule.covered), now - members[index].lastProgress > deadline else {
        continue
      }
      members[index].isStalled = true
      effects.append(.event(.stalled(name: members[index].name)))
    }
    return effects
  }

  /// Sends a worker its leaves under a new revision.
  mutating func sendPlan(_ index: Int) -> [Effect] {
    guard let schedule else { return [] }
    members[index].revision += 1
    let plan = Plan(revision: members[index].revision, pass: schedule.pass, leaves: members[index].leaves.sorted())
    members[index].plan = plan
    guard let peer = members[index].peer else { return [] }
    return [.send(peer, .plan(plan))]
  }

  // MARK: - Speeds

  /// A worker's seconds per leaf, or, without measurement, what its threads would do at the others' mean speed.
  private func expectedSeconds(_ index: Int) -> Double {
    let kind = schedule?.pass.kind ?? .training
    if let known = members[index].secondsPerLeaf[kind] { return known }
    var (sum, count) = (0.0, 0.0)
    for member in members {
      guard let known = member.secondsPerLeaf[kind] else { continue }
      sum += known * Double(member.threads)
      count += 1
    }
    return max(1e-6, count > 0 ? sum / count : 1) / Double(members[index].threads)
  }

  /// The same, but no less than what a worker's unfinished leaf of the pass before has already taken.
  private func planningSeconds(_ index: Int, at now: Instant) -> Double {
    let expected = expectedSeconds(index)
    let late = (now - members[index].expectedFinish).inSeconds
    let unheard = (now - members[index].lastProgress).inSeconds
    return late > 2 * settings.beat.inSeconds ? max(expected, min(late, unheard)) : expected
  }

  private mutating func give(_ leaves: [Int], to index: Int, at now: Instant) {
    guard !leaves.isEmpty else { return }
    let wasIdle = schedule.map { members[index].leaves.isSubset(of: $0.covered) } ?? true
    if wasIdle { members[index].lastProgress = now }
    let begin = wasIdle ? now : max(now, members[index].expectedFinish)
    members[index].expectedFinish = begin + .seconds(expectedSeconds(index) * Double(leaves.count))
    members[index].leaves.formUnion(leaves)
  }

  /// Contiguous runs of leaves, to the idle first, such that all are done at about the same time.
  private func dealt(_ leaves: [Int], among workers: [Int], at now: Instant) -> [(index: Int, leaves: [Int])] {
    guard !leaves.isEmpty, let schedule else { return [] }
    var finish = workers.map { index -> Double in
      let isIdle = members[index].leaves.isSubset(of: schedule.covered)
      return isIdle ? 0 : max(0, (members[index].expectedFinish - now).inSeconds)
    }
    let seconds = workers.map { expectedSeconds($0) }
    var counts = [Int](repeating: 0, count: workers.count)
    for _ in leaves {
      let next = finish.indices.min { finish[$0] + seconds[$0] < finish[$1] + seconds[$1] } ?? 0
      finish[next] += seconds[next]
      counts[next] += 1
    }
    var rest = leaves[...]
    return zip(workers, counts).compactMap { index, count in
      guard count > 0 else { return nil }
      defer { rest = rest.dropFirst(count) }
      return (index, Array(rest.prefix(count)))
    }
  }

  private mutating func waitForWorkers() -> [Effect] {
    guard !isWaiting, let pass = schedule?.pass else { return [] }
    isWaiting = true
    return [.event(.waitingForWorkers(pass))]
  }
}
