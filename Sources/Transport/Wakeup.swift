import CPlatform
import Glibc

/// Lets any thread, or a signal handler, wake a thread that waits in a poller.
public final class Wakeup: Pollable, Sendable {
  /// The eventfd, for signal handlers: writing the eight bytes of a UInt64 of 1 to it wakes the poller.
  public let fileDescriptor: Int32

  /// Makes a quiet one.
  public init() {
    fileDescriptor = platform_eventfd()
    guard fileDescriptor >= 0 else {
      fatalError("no file descriptor is left for an event: \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(fileDescriptor) }

  /// Wakes the poller, now or when it polls next.
  public func signal() {
    var one: UInt64 = 1
    // Fails only when the counter is full, and then the poller is awake.
    while write(fileDescriptor, &one, 8) < 0 && errno == EINTR {}
  }

  /// Becomes quiet, and says whether it was signalled. Call it before looking at what the signal was about.
  @discardableResult
  public func clear() -> Bool {
    var count: UInt64 = 0
    var result = read(fileDescriptor, &count, 8)
    while result < 0 && errno == EINTR { result = read(fileDescriptor, &count, 8) }
    return result == 8
  }

  public var pollItem: PollItem { PollItem(fileDescriptor: fileDescriptor) }
}
