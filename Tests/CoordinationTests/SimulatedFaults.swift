import Coordination

extension SimulatedCluster {
  /// One random misfortune.
  func doFault() {
    let alive = workers.filter(\.isAlive)
    let worker = alive.randomElement(using: &random)
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1:
      // A crash, and usually a restart.
      guard let worker else { return }
      kill(worker, silently: random.chance(0.3))
      if random.chance(0.8) { queue.schedule(at: now + random.seconds(0.1...5)) { [unowned self] in startWorker() } }
    case 2:
      killCenter()
    case 3, 4:
      // A cut of one connection.
      if let connection = worker?.connections.values.sorted(by: { $0.peer < $1.peer }).randomElement(using: &random) {
        cut(connection)
      }
    case 5:
      // A partition that nobody is told of, healed or ended by a cut.
      guard let connection = worker?.connections.values.sorted(by: { $0.peer < $1.peer }).randomElement(using: &random)
      else { return }
      let length = random.seconds(0.5...8)
      connection.blockedUntil = now + length
      if random.chance(0.5) { queue.schedule(at: now + length) { [unowned self] in cut(connection) } }
    case 6:
      startWorker()
    case 7:
      worker?.post { $0.handle(.leaveRequested) }
      queue.schedule(at: now + random.seconds(0.1...5)) { [unowned self] in startWorker() }
    case 8:
      // The engine hangs; for ever, sometimes.
      worker?.stalledUntil = now + (random.chance(0.2) ? .seconds(100_000) : random.seconds(1...20))
    case 9:
      // As by SIGSTOP.
      guard let worker else { return }
      worker.isFrozen = true
      queue.schedule(at: now + random.seconds(0.2...12)) { worker.thaw() }
    case 10:
      guard let center else { return }
      center.isFrozen = true
      queue.schedule(at: now + random.seconds(0.2...12)) { center.thaw() }
    default:
      if let worker { worker.secondsPerLeaf *= random.chance(0.5) ? 5 : 0.2 }
    }
  }
}
