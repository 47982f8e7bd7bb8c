import CZeroMQ

/// How a socket behaves; fixed when it is made, because ZeroMQ applies most of this only to later binds and connects.
public struct SocketOptions: Hashable, Sendable {
  /// Probes that the I/O threads send over an otherwise silent connection.
  public struct Heartbeat: Hashable, Sendable {
    /// Between two probes.
    public var interval: Duration
    /// Without an answer for this long, the connection is given up. Must be far longer than a message takes: only whole
    /// messages count as a sign of life. At most a minute.
    public var timeout: Duration

    /// Chooses the times.
    public init(interval: Duration, timeout: Duration) {
      precondition(interval > .zero && timeout >= interval && timeout <= .seconds(60), "a heartbeat within a minute")
      (self.interval, self.timeout) = (interval, timeout)
    }
  }

  /// Bytes of a received message, at most; the sender of a larger one is disconnected.
  public var maximumMessageSize: Int
  /// Messages that may wait for one peer. Flow is governed by credit: reaching this is a bug, or a peer that hangs.
  public var sendHighWater: Int
  /// Messages of one peer that may wait to be received.
  public var receiveHighWater: Int
  /// How long unsent messages keep a closed socket alive; `close(lingering:)` may choose anew.
  public var linger: Duration = .zero
  /// The pause before a broken connection is tried again; it doubles up to the next one.
  public var reconnectInterval: Duration = .milliseconds(100)
  /// The longest such pause: so long a worker may miss a run that has begun, and an attempt costs one small packet.
  public var maximumReconnectInterval: Duration = .seconds(1)
  /// How long a peer may take over ZeroMQ's handshake.
  public var handshakeTimeout: Duration = .seconds(5)
  /// How long a peer may take to accept a connection.
  public var connectTimeout: Duration = .seconds(5)
  /// Probes between hosts; none by default: roles have beats of their own, which prove progress as well.
  public var heartbeat: Heartbeat?

  /// Chooses the bounds; none has a default that fits every socket.
  public init(maximumMessageSize: Int, sendHighWater: Int, receiveHighWater: Int) {
    precondition(maximumMessageSize > 0 && sendHighWater > 0 && receiveHighWater > 0, "every queue has a bound")
    self.maximumMessageSize = maximumMessageSize
    (self.sendHighWater, self.receiveHighWater) = (sendHighWater, receiveHighWater)
  }
}

extension Duration {
  /// Whole milliseconds, rounded up, as ZeroMQ counts.
  var milliseconds: Int32 {
    let (seconds, attoseconds) = components
    let value = Double(seconds) * 1000 + (Double(attoseconds) / 1e15).rounded(.up)
    return Int32(min(max(value, 0), Double(Int32.max)))
  }
}
