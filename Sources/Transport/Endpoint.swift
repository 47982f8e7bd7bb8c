/// An address that a socket is bound or connected to.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
  /// Between hosts. The host is a name, an IPv4 address, an IPv6 address without brackets, or `*` for binding to all
  /// addresses; port 0 lets the system choose.
  case tcp(host: String, port: UInt16)
  /// Between processes of one host, over a Unix socket. Binding takes over a path that another process is bound to.
  case ipc(path: String)

  /// Reads `tcp://HOST:PORT`, `tcp://[IPV6]:PORT` or `ipc://PATH`.
  public init(_ text: String) throws(TransportError) {
    if text.hasPrefix("tcp://") {
      self = try Self.tcp(text.dropFirst(6), of: text)
    } else if text.hasPrefix("ipc://") {
      self = try Self.ipc(String(text.dropFirst(6)), of: text)
    } else {
      throw .badEndpoint(text, reason: "it begins with neither tcp:// nor ipc://")
    }
  }

  /// Reads an endpoint, or `:PORT` for a port on the host of `other`.
  public init(_ text: String, relativeTo other: Endpoint) throws(TransportError) {
    guard text.hasPrefix(":") else { self = try Endpoint(text); return }
    guard case .tcp(let host, _) = other else {
      throw .badEndpoint(text, reason: "a port alone has no meaning beside \(other)")
    }
    self = .tcp(host: host, port: try Self.port(text.dropFirst(), of: text))
  }

  /// The text that `init(_:)` reads.
  public var description: String {
    switch self {
    case .tcp(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    case .ipc(let path): "ipc://\(path)"
    }
  }

  /// The endpoint of a companion socket: the port is `offset` higher, or the path has `suffix` behind it. Port 0 stays 0.
  public func sibling(offset: Int, suffix: String) throws(TransportError) -> Endpoint {
    switch self {
    case .tcp(_, 0): return self
    case .tcp(let host, let port):
      guard let next = UInt16(exactly: Int(port) + offset), next > 0 else {
        throw .badEndpoint(description, reason: "\(offset) ports on, there is none left for its companion socket")
      }
      return .tcp(host: host, port: next)
    case .ipc(let path): return try Self.ipc(path + suffix, of: "ipc://\(path + suffix)")
    }
  }

  /// The same host with another port; an `ipc` endpoint has none and stays as it is.
  public func withPort(_ port: UInt16) -> Endpoint {
    guard case .tcp(let host, _) = self else { return self }
    return .tcp(host: host, port: port)
  }

  /// The port, where there is one.
  public var port: UInt16? {
    guard case .tcp(_, let port) = self else { return nil }
    return port
  }

  /// Whether only processes of this host can reach it, as far as its text tells.
  public var isLocal: Bool {
    switch self {
    case .tcp(let host, _): host == "localhost" || host == "::1" || host.hasPrefix("127.")
    case .ipc: true
    }
  }

  /// The usual form of an IPv4 address that a socket for both kinds of addresses has seen.
  static func plainAddress(_ host: String) -> String {
    host.hasPrefix("::ffff:") && host.contains(".") ? String(host.dropFirst(7)) : host
  }

  /// Bytes of a path, at most: a Unix socket's address has 108 with the zero at its end.
  private static let longestPath = 107

  private static func tcp(_ address: Substring, of text: String) throws(TransportError) -> Endpoint {
    guard let colon = address.lastIndex(of: ":") else { throw .badEndpoint(text, reason: "the port is missing") }
    var host = address[..<colon]
    let port = try port(address[address.index(after: colon)...], of: text)
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = host.dropFirst().dropLast() }
    guard isBracketed == host.contains(":") else {
      throw .badEndpoint(text, reason: "an IPv6 address stands in brackets, and nothing else does")
    }
    guard !host.isEmpty else { throw .badEndpoint(text, reason: "the host is missing") }
    let isPlausible = host.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "%"):
        true
      default: false
      }
    }
    guard isPlausible || host == "*" else { throw .badEndpoint(text, reason: "no host is called '\(host)'") }
    guard host.utf8.count <= 253 else { throw .badEndpoint(text, reason: "the host's name is too long") }
    return .tcp(host: String(host), port: port)
  }

  private static func port(_ digits: Substring, of text: String) throws(TransportError) -> UInt16 {
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits) else {
      throw .badEndpoint(text, reason: "'\(digits)' is not a port between 0 and 65535")
    }
    return port
  }

  private static func ipc(_ path: String, of text: String) throws(TransportError) -> Endpoint {
    guard !path.isEmpty else { throw .badEndpoint(text, reason: "the path is missing") }
    guard path.utf8.count <= longestPath else {
      throw .badEndpoint(
        text, reason: "the path has \(path.utf8.count) bytes, and a Unix socket's has at most \(longestPath)")
    }
    guard path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), path.first != "@", path != "*" else {
      throw .badEndpoint(text, reason: "the path has characters that it cannot have")
    }
    return .ipc(path: path)
  }
}
