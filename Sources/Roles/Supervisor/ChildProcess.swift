import CPlatform
import Glibc

/// A child process in a process group of its own, so that a terminal's Ctrl-C reaches its supervisor alone.
struct ChildProcess {
  /// How a process ended.
  enum End: Equatable {
    case exited(Int32)
    case killed(signal: Int32)
  }

  let pid: pid_t
  /// Readable once the process has ended.
  let descriptor: Int32

  /// Starts a program with this process's standard streams.
  init(executable: String, arguments: [String]) throws(Failure) {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    var argv: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
    defer { argv.forEach { free($0) } }
    var pid: pid_t = 0
    let error = posix_spawn(&pid, executable, nil, &attributes, &argv, environ)
    guard error == 0 else {
      throw Failure(.temporary, "cannot start \(executable): \(String(cString: strerror(error)))")
    }
    self.pid = pid
    descriptor = platform_pidfd_open(pid)
    guard descriptor >= 0 else {
      let reason = String(cString: strerror(errno))
      kill(pid, SIGKILL)
      throw Failure(.temporary, "cannot watch process \(pid): \(reason)")
    }
  }

  func signal(_ number: Int32) { kill(pid, number) }

  /// How it ended, once `descriptor` is readable; frees what it held.
  func reap() -> End {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    close(descriptor)
    let signal = status & 0x7f
    return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
  }
}

/// Makes this process end with its supervisor. `supervisor` is the supervisor's process id, from the command line.
public func endWithSupervisor(_ supervisor: Int32) throws(Failure) {
  let error = platform_signal_at_parent_exit(SIGTERM)
  guard error == 0 else {
    throw Failure(.temporary, "cannot follow the supervisor: \(String(cString: strerror(error)))")
  }
  // It may have ended before the kernel was asked.
  guard getppid() == supervisor else { throw Failure(.terminated, "the supervisor ended") }
}
