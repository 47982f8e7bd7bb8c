import Foundation
import Testing

@testable import Transport

/// A message as tests compare it.
struct Arrival: Equatable {
  var peer: PeerID
  var bytes: [UInt8]
}

/// Something did not happen in time.
struct Overdue: Error, CustomStringConvertible {
  let description: String
}

/// Goes on looking for something until it is there, waiting on `poller` in between; fails after far longer than it takes.
@discardableResult
func eventually<Result>(_ what: String, on poller: Poller, _ look: () throws -> Result?) throws -> Result {
  let deadline = ContinuousClock.now + .seconds(30)
  while true {
    if let result = try look() { return result }
    guard ContinuousClock.now < deadline else { throw Overdue(description: "waited in vain for \(what)") }
    _ = poller.wait(atMost: .milliseconds(5))
  }
}

extension SocketOptions {
  static let small = SocketOptions(maximumMessageSize: 2 << 20, sendHighWater: 64, receiveHighWater: 64)

  /// Comes back at once after a broken connection.
  static var eager: SocketOptions {
    var options = small
    options.reconnectInterval = .milliseconds(10)
    options.maximumReconnectInterval = .milliseconds(50)
    return options
  }
}

extension RouterSocket {
  func arrival() -> Arrival? {
    guard let received = receive() else { return nil }
    return Arrival(peer: received.peer, bytes: received.frame.withUnsafeBytes { Array($0) })
  }

  func next(_ what: String = "a message", on poller: Poller) throws -> Arrival {
    try eventually(what, on: poller) { arrival() }
  }
}

extension DealerSocket {
  func next(_ what: String = "an answer", on poller: Poller) throws -> [UInt8] {
    try eventually(what, on: poller) { receive()?.withUnsafeBytes { Array($0) } }
  }

  /// Sends as soon as there is a connection.
  func send(_ bytes: [UInt8], on poller: Poller) throws {
    try eventually("a connection", on: poller) { send(Frame(copying: bytes)) == .sent ? true : nil }
  }
}

extension SocketMonitor {
  /// Reads events up to the first of a kind.
  func next(_ what: String, on poller: Poller, where matches: (ConnectionEvent) -> Bool) throws -> ConnectionEvent {
    try eventually(what, on: poller) {
      while let event = receive() { if matches(event) { return event } }
      return nil
    }
  }
}

/// Where tests may bind.
enum Place: String, CaseIterable, CustomTestStringConvertible {
  case ipv4, ipv6, wildcard, ipc

  var testDescription: String { rawValue }

  var endpoint: Endpoint {
    switch self {
    case .ipv4: .tcp(host: "127.0.0.1", port: 0)
    case .ipv6: .tcp(host: "::1", port: 0)
    case .wildcard: .tcp(host: "*", port: 0)
    case .ipc: .ipc(path: FileManager.default.temporaryDirectory.appending(path: "t-\(UUID().uuidString)").path)
    }
  }

  /// Where to connect to, to reach what is bound to `bound`.
  func reached(_ bound: Endpoint) -> Endpoint {
    guard self == .wildcard, case .tcp(_, let port) = bound else { return bound }
    return .tcp(host: "127.0.0.1", port: port)
  }
}
