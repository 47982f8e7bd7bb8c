import Foundation
import Glibc
import Transport

/// `trainer train`: a coordinator and some workers as child processes on a private endpoint of this machine.
///
/// There is no second way to train: this is a cluster on one host. A child that is killed is started again, the coordinator
/// to continue the run; Ctrl-C is passed to the coordinator once, which saves a checkpoint and sends its workers home.
public final class Supervisor {
  /// What to start.
  public struct Options: Sendable {
    /// Options of the run, as the coordinator's command line takes them.
    public var runArguments: [String]
    /// The run's directory.
    public var output: String
    /// Whether the run is continued.
    public var resuming: Bool
    /// How many workers.
    public var workers: Int
    /// Compute threads of each.
    public var threads: Int

    /// Collects what to start.
    public init(runArguments: [String], output: String, resuming: Bool, workers: Int, threads: Int) {
      (self.runArguments, self.output, self.resuming) = (runArguments, output, resuming)
      (self.workers, self.threads) = (workers, threads)
    }
  }

  private let options: Options
  private let executable: String
  private let folder: String
  private var coordinator: ChildProcess
  private var workers: [Int: ChildProcess] = [:]
  private var restarts: [ContinuousClock.Instant] = []

  /// How many times in how long a child may be killed before it is given up: a crash that repeats is not an accident.
  private static let restartLimit = 30, restartWindow = Duration.seconds(60)

  /// Starts the coordinator.
  public init(_ options: Options) throws(Failure) {
    self.options = options
    guard let path = realpath("/proc/self/exe", nil) else {
      throw Failure(.temporary, "cannot find this program's own file")
    }
    executable = String(cString: path)
    free(path)
    var template = Array((NSTemporaryDirectory() + "trainer-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else {
      throw Failure(.cannotWrite, "cannot make a temporary folder: \(String(cString: strerror(errno)))")
    }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    coordinator = try Self.startCoordinator(executable, options, folder: folder, isRestart: false)
  }

  /// Supervises until the coordinator ends; the exit code is the coordinator's.
  public func run() throws(Failure) -> Int32 {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let signals = SignalWatch.start()
    for index in 0..<options.workers { workers[index] = try startWorker(index) }
    var forwarded = 0
    while true {
      let ended = wait(alsoFor: signals.fileDescriptor)
      signals.clear()
      let arrivals = SignalWatch.arrivals
      if arrivals.count > forwarded {
        if forwarded == 0 {
          coordinator.signal(arrivals.terminations > 0 ? SIGTERM : SIGINT)
        } else {
          killAll()
          return arrivals.exitCode.rawValue
        }
        forwarded = arrivals.count
      }
      for descriptor in ended {
        if descriptor == coordinator.descriptor {
          switch coordinator.reap() {
          case .exited(let code):
            dismissWorkers()
            return code
          case .killed(let signal):
            if forwarded > 0 { killAll(); return arrivals.exitCode.rawValue }
            try noteRestart("the coordinator", signal)
            coordinator = try Self.startCoordinator(executable, options, folder: folder, isRestart: true)
          }
        } else if let (index, worker) = workers.first(where: { $0.value.descriptor == descriptor }) {
          workers[index] = nil
          switch worker.reap() {
          case .exited(0): break
          case .exited(let code):
            // The coordinator was told why; without any worker left it would wait for ever.
            say("worker \(index + 1) ended with exit code \(code)")
            if workers.isEmpty {
              coordinator.signal(SIGTERM)
              _ = coordinator.reap()
              return code
            }
          case .killed(let signal):
            if forwarded > 0 { break }
            try noteRestart("worker \(index + 1)", signal)
            workers[index] = try startWorker(index)
          }
        }
      }
    }
  }

  private static func startCoordinator(
    _ executable: String, _ options: Options, folder: String, isRestart: Bool
  ) throws(Failure) -> ChildProcess {
    try ChildProcess(
      executable: executable, arguments: coordinatorArguments(options, folder: folder, isRestart: isRestart))
  }

  /// The coordinator's command line.
  static func coordinatorArguments(_ options: Options, folder: String, isRestart: Bool) -> [String] {
    var arguments = [
      "coordinator", "--bind", "ipc://\(folder)/control", "--supervisor", String(getpid()), "--expected-workers",
      String(options.workers),
    ]
    arguments += options.runArguments
    if options.resuming { return arguments + ["--resume", options.output] }
    // One that is started again may have been killed before there was a run to continue.
    return arguments + ["--output", options.output] + (isRestart ? ["--resume", "auto"] : [])
  }

  private func startWorker(_ index: Int) throws(Failure) -> ChildProcess {
    try ChildProcess(
      executable: executable,
      arguments: [
        "worker", "--coordinator", "ipc://\(folder)/control", "--threads", String(options.threads),
        "--name", "worker-\(index + 1)", "--supervisor", String(getpid()),
      ])
  }

  private func noteRestart(_ who: String, _ signal: Int32) throws(Failure) {
    let now = ContinuousClock.now
    restarts = restarts.filter { now - $0 < Self.restartWindow } + [now]
    guard restarts.count <= Self.restartLimit else {
      killAll()
      throw Failure(
        .temporary,
        "\(who) was ended by signal \(signal), and \(restarts.count) times something was in \(Self.restartWindow.components.seconds) s; "
          + "look for the cause (memory?), then continue with --resume \(options.output)")
    }
    say("\(who) was ended by signal \(signal); starting it again")
  }

  /// Ends the workers: the coordinator has ended, and may have had no chance to tell them.
  private func dismissWorkers() {
    for worker in workers.values { worker.signal(SIGTERM) }
    let deadline = ContinuousClock.now + .seconds(5)
    while !workers.isEmpty && ContinuousClock.now < deadline {
      var items = workers.values.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
      _ = poll(&items, nfds_t(items.count), 100)
      for item in items where item.revents != 0 {
        guard let (index, worker) = workers.first(where: { $0.value.descriptor == item.fd }) else { continue }
        _ = worker.reap()
        workers[index] = nil
      }
    }
    for worker in workers.values {
      worker.signal(SIGKILL)
      _ = worker.reap()
    }
    workers = [:]
  }

  private func killAll() {
    coordinator.signal(SIGKILL)
    for worker in workers.values { worker.signal(SIGKILL) }
  }

  private func wait(alsoFor signals: Int32) -> [Int32] {
    let children = [coordinator.descriptor] + workers.values.map(\.descriptor)
    var items = ([signals] + children).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while poll(&items, nfds_t(items.count), -1) < 0 && errno == EINTR {}
    return items.filter { $0.fd != signals && $0.revents != 0 }.map(\.fd)
  }

  private func say(_ text: String) { FileHandle.standardError.write(Data("trainer: \(text)\n".utf8)) }
}
