import CZeroMQ

/// What keeps a socket from being set up. Once it is, trouble shows as send results and monitor events.
public enum TransportError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Another process is bound to this address.
  case addressInUse(String)
  /// The address is none of this host's.
  case notOurs(String)
  /// The text names no endpoint.
  case badEndpoint(String, reason: String)
  /// The system said no; `number` is the errno value.
  case failed(operation: String, endpoint: String, number: Int32, reason: String)

  public var description: String {
    switch self {
    case .addressInUse(let endpoint):
      "\(endpoint) is in use by another process; stop it or choose another port"
    case .notOurs(let endpoint):
      "\(endpoint) is not an address of this host; name one of its own addresses, or * for all of them"
    case .badEndpoint(let text, let reason):
      "'\(text)' is not an endpoint: \(reason); write tcp://HOST:PORT or ipc://PATH"
    case .failed(let operation, let endpoint, _, let reason):
      "cannot \(operation) \(endpoint): \(reason)"
    }
  }

  /// What the library's last error means for an endpoint.
  static func last(_ operation: String, _ endpoint: Endpoint) -> TransportError {
    let number = zmq_errno(), text = endpoint.description
    return switch number {
    case EADDRINUSE: .addressInUse(text)
    case EADDRNOTAVAIL, ENODEV: .notOurs(text)
    case EINVAL, EPROTONOSUPPORT, ENOCOMPATPROTO: .badEndpoint(text, reason: errorText(number))
    default: .failed(operation: operation, endpoint: text, number: number, reason: errorText(number))
    }
  }
}

/// The library's text for an errno value.
func errorText(_ number: Int32) -> String {
  zmq_strerror(number).map { String(cString: $0) } ?? "error \(number)"
}

/// Ends the program for an error that only a bug of ours can cause.
func bug(_ operation: String) -> Never {
  fatalError("\(operation): \(errorText(zmq_errno()))")
}
