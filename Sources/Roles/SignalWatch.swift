import Glibc
import Synchronization
import Transport

/// Turns SIGINT and SIGTERM into something that a poller can wait for.
///
/// A handler may only do what is safe at any moment: it counts, and wakes.
public enum SignalWatch {
  private static let interrupts = Atomic<Int>(0)
  private static let terminations = Atomic<Int>(0)
  private static let descriptor = Atomic<Int32>(-1)

  /// What has arrived so far.
  public struct Arrivals: Sendable {
    /// SIGINTs.
    public var interrupts: Int
    /// SIGTERMs.
    public var terminations: Int
    /// How many in all.
    public var count: Int { interrupts + terminations }
    /// The exit code of a command that ends because of them.
    public var exitCode: ExitCode { terminations > 0 && interrupts == 0 ? .terminated : .interrupted }
  }

  /// Starts watching; the result is woken by each signal, and must be kept for as long as the program runs. SIGPIPE is
  /// ignored from then on.
  public static func start() -> Wakeup {
    signal(SIGPIPE, SIG_IGN)
    let wakeup = Wakeup()
    descriptor.store(wakeup.fileDescriptor, ordering: .sequentiallyConsistent)
    for number in [SIGINT, SIGTERM] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { number in SignalWatch.note(number) }
      action.sa_flags = SA_RESTART
      sigaction(number, &action, nil)
    }
    return wakeup
  }

  /// What has arrived so far.
  public static var arrivals: Arrivals {
    Arrivals(
      interrupts: interrupts.load(ordering: .sequentiallyConsistent),
      terminations: terminations.load(ordering: .sequentiallyConsistent))
  }

  private static func note(_ number: Int32) {
    if number == SIGINT {
      interrupts.wrappingAdd(1, ordering: .sequentiallyConsistent)
    } else {
      terminations.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }
    let saved = errno
    var one: UInt64 = 1
    _ = write(descriptor.load(ordering: .sequentiallyConsistent), &one, 8)
    errno = saved
  }
}
