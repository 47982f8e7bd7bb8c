/// A DEALER's connection to one endpoint, made again whatever the other end has done.
///
/// The library itself connects again when a connection breaks, but not when the other end speaks another protocol, as a
/// program does that has the port while the coordinator is away: then it gives the endpoint up without a word.
public final class LastingConnection {
  /// Sends and receives.
  public let socket: DealerSocket
  private let monitor: SocketMonitor
  private let endpoint: Endpoint
  /// Since when there is neither a connection nor an attempt at one.
  private var givenUpSince: ContinuousClock.Instant?

  /// The pause before an endpoint is tried again that the library has given up.
  static let pause = Duration.seconds(1)

  /// What has happened to the connection.
  public struct News {
    /// It was made (again): what was sent before may be lost.
    public fileprivate(set) var isMade = false
    /// The other end does not speak as it should, and is asked again.
    public fileprivate(set) var isGivenUp = false
  }

  /// Begins to connect.
  public init(_ context: MessageContext, _ options: SocketOptions, _ endpoint: Endpoint) throws(TransportError) {
    self.endpoint = endpoint
    socket = DealerSocket(context, options)
    monitor = socket.makeMonitor()
    try socket.connect(endpoint)
  }

  /// What a poller must watch.
  public var sources: [any Pollable] { [socket, monitor] }

  /// What has happened since it was last asked; to be asked at least once a second.
  public func takeNews(at now: ContinuousClock.Instant = .now) -> News {
    var news = News()
    while let event = monitor.receive() {
      switch event.kind {
      case .handshakeSucceeded:
        news.isMade = true
        givenUpSince = nil
      case .connected, .connectDelayed, .connectRetried:
        givenUpSince = nil
      case .disconnected, .handshakeFailed, .handshakeProtocolError, .handshakeRefused:
        // Where the library tries again, it says so next.
        givenUpSince = now
      case .listening, .bindFailed, .accepted, .acceptFailed, .closed, .closeFailed, .monitorStopped, .unknown:
        break
      }
    }
    if let since = givenUpSince, now - since >= Self.pause {
      givenUpSince = nil
      news.isGivenUp = true
      socket.connectAgain(endpoint)
    }
    return news
  }

  /// Closes the socket; what is unsent may take `lingering` to leave.
  public func close(lingering: Duration? = nil) { socket.close(lingering: lingering) }
}
