import Coordination
import Transport

/// The peers of one ROUTER: their connections as the state machines number them, as ZeroMQ names them, and by their file
/// descriptor, which is how the socket's monitor reports that one has ended.
struct PeerTable {
  private var numbers: [Transport.PeerID: Coordination.PeerID] = [:]
  private var names: [Coordination.PeerID: Transport.PeerID] = [:]
  private var descriptors: [Int32: Coordination.PeerID] = [:]
  private var next: Int

  /// Numbers start at an offset that keeps the peers of several sockets apart.
  init(firstNumber: Int) { next = firstNumber }

  /// The number of the peer that a message came from; a new one for a new connection.
  mutating func number(of peer: Transport.PeerID, descriptor: Int32?) -> Coordination.PeerID {
    let number: Coordination.PeerID
    if let known = numbers[peer] {
      number = known
    } else {
      number = Coordination.PeerID(next)
      next += 1
      numbers[peer] = number
      names[number] = peer
    }
    if let descriptor { descriptors[descriptor] = number }
    return number
  }

  /// What ZeroMQ calls a peer; nil once it is gone.
  func name(of peer: Coordination.PeerID) -> Transport.PeerID? { names[peer] }

  /// The peer whose connection had a descriptor, whose number the system may give to a new connection from now on. The peer
  /// is still known: what it sent before may yet be read.
  mutating func endConnection(descriptor: Int32) -> Coordination.PeerID? { descriptors.removeValue(forKey: descriptor) }

  /// The peers whose connections have ended, as a monitor reports it: to be asked before reading the messages that came
  /// until then, and to be acted on after that.
  mutating func ended(_ monitor: SocketMonitor) -> [Coordination.PeerID] {
    var ended: [Coordination.PeerID] = []
    while let event = monitor.receive() {
      guard event.kind == .disconnected, let descriptor = event.fileDescriptor else { continue }
      if let peer = endConnection(descriptor: descriptor) { ended.append(peer) }
    }
    return ended
  }

  /// Forgets a peer: messages to it are dropped, and what it still sends comes from a stranger.
  mutating func remove(_ peer: Coordination.PeerID) {
    if let name = names.removeValue(forKey: peer) { numbers[name] = nil }
    descriptors = descriptors.filter { $0.value != peer }
  }
}
