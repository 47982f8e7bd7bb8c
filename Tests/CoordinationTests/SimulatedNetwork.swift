import Coordination
import Wire

/// What travels: a message under the tenure of its header, and a gradient's or bucket's payload.
enum Packet {
  case control(ControlMessage, Tenure)
  case bulk(BulkMessage, Tenure, Symbol?)
}

/// One connection of a worker to the coordinator's process: FIFO in each direction until it is cut, which silently
/// loses a suffix of what is under way; the rest may still arrive after the notice of the close.
final class Connection {
  enum Channel { case control, bulk }
  enum Direction: Int { case toCenter = 0, toWorker = 1 }

  let peer: PeerID
  let channel: Channel
  let worker: SimulatedWorker
  let term: Int
  var isOpen = true
  fileprivate var sent = [0, 0]
  fileprivate var delivered = [0, 0]
  fileprivate var cutoff = [Int.max, Int.max]
  fileprivate var last = [Instant(nanoseconds: 0), Instant(nanoseconds: 0)]
  var blockedUntil = Instant(nanoseconds: 0)

  init(peer: PeerID, channel: Channel, worker: SimulatedWorker, term: Int) {
    (self.peer, self.channel, self.worker, self.term) = (peer, channel, worker, term)
  }
}

extension SimulatedCluster {
  func send(_ packet: Packet, on connection: Connection, _ direction: Connection.Direction) {
    guard connection.isOpen else { return }
    // As when a socket could not take it at once.
    if !faultsAreOver, random.chance(options.losses) { return }
    let copies = faultsAreOver || !random.chance(options.duplicates) ? 1 : 2
    for _ in 0..<copies {
      let lane = direction.rawValue
      let delay = random.chance(0.01) && !faultsAreOver ? random.seconds(0.05...0.8) : random.seconds(0.0005...0.02)
      let time = max(connection.last[lane], connection.blockedUntil, now + delay)
      let number = connection.sent[lane]
      connection.last[lane] = time
      connection.sent[lane] += 1
      queue.schedule(at: time) { [unowned self] in
        guard number < connection.cutoff[lane] else { return }
        connection.delivered[lane] = number + 1
        switch direction {
        case .toCenter: center?.deliver(packet, from: connection)
        case .toWorker: connection.worker.deliver(packet)
        }
      }
    }
  }

  /// Makes a connection; once there is somebody to connect to, the worker learns of it.
  func connect(_ worker: SimulatedWorker, _ channel: Connection.Channel) {
    guard worker.isAlive, worker.connections[channel]?.isOpen != true else { return }
    guard let center else {
      queue.schedule(at: now + random.seconds(0.05...0.5)) { [unowned self] in connect(worker, channel) }
      return
    }
    peerCount += 1
    let connection = Connection(peer: PeerID(peerCount), channel: channel, worker: worker, term: center.tenure.term)
    worker.connections[channel] = connection
    center.connections[connection.peer] = connection
    worker.post { $0.handle(channel == .control ? .controlConnectionRemade : .bulkConnectionRemade) }
  }

  /// Cuts a connection.
  ///
  /// - Parameter keepsReplies: whether what was sent to the worker still arrives.
  func cut(_ connection: Connection, keepsReplies: Bool = false) {
    guard connection.isOpen else { return }
    connection.isOpen = false
    for lane in 0..<2 where !(lane == 1 && keepsReplies) {
      connection.cutoff[lane] = Int.random(in: connection.delivered[lane]...connection.sent[lane], using: &random)
    }
    queue.schedule(at: now + random.seconds(0...0.3)) { [unowned self] in
      guard let center, center.tenure.term == connection.term else { return }
      center.post { $0.close(connection) }
    }
    queue.schedule(at: now + (faultsAreOver ? random.seconds(0.01...0.2) : random.seconds(0.01...4))) {
      [unowned self] in
      guard connection.worker.connections[connection.channel] === connection else { return }
      connect(connection.worker, connection.channel)
    }
  }
}
