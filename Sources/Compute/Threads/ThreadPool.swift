import CPlatform
import Glibc
import Synchronization

/// Writes down the words of a closure that is only lent.
@_silgen_name("platform_lend")
private func lend(_ body: (Int) -> Void, _ closure: UnsafeMutablePointer<platform_closure>)

/// Calls a closure by its words.
@_silgen_name("platform_call")
private func call(_ function: UnsafeRawPointer?, _ context: UnsafeRawPointer?, _ argument: Int)

/// Threads that share the loops of the kernels; the caller is thread 0.
///
/// Between two loops a thread first spins, because the next loop of a training step comes within microseconds, and then
/// sleeps. Loops are called from one thread at a time and never from inside a loop. Which thread takes an item is left to
/// chance, so no result may depend on it.
///
/// Sendable because all that changes is atomic or guarded by the crew's mutex.
public final class ThreadPool: @unchecked Sendable {
  /// How many threads share a loop, the caller included.
  public let threads: Int
  private let crew: Crew
  private var helpers: [pthread_t] = []

  /// Starts `threads - 1` threads, each of which checks its floating-point environment first.
  public init(threads: Int) {
    require(threads > 0, "a pool has at least one thread")
    require(floatingPointEnvironmentIsStandard(), Crew.environmentMessage)
    self.threads = threads
    crew = Crew(helpers: threads - 1)
    for index in 1..<max(1, threads) { helpers.append(crew.startHelper(index)) }
  }

  deinit {
    crew.stop()
    for helper in helpers { pthread_join(helper, nil) }
  }

  /// Calls `body` once for every item of 0..<items. Items must not depend on each other.
  ///
  /// Each thread begins with its own range of them, the same whenever there are as many items, and then helps the others:
  /// what one loop has left in a core's caches, the next one finds there. That is worth most where cores do not share them.
  ///
  /// - Parameter reversed: whether each range is taken from its end, where the loop before was last.
  public func forEach(_ items: Int, reversed: Bool = false, _ body: (_ item: Int, _ thread: Int) -> Void) {
    // Stores past the caches do not wait their turn: whoever is told of the loop's results sees them.
    defer { platform_stream_end() }
    if threads == 1 || items <= 1 {
      for item in 0..<max(0, items) { body(reversed ? items - 1 - item : item, 0) }
      return
    }
    let crew = self.crew
    crew.deal(items)
    crew.run { thread in
      while let item = crew.nextItem(for: thread, of: items, reversed: reversed) { body(item, thread) }
    }
  }

  /// Splits 0..<count into one range for each thread and calls `body` for those that are not empty.
  public func ranges(_ count: Int, _ body: (_ range: Range<Int>, _ thread: Int) -> Void) {
    defer { platform_stream_end() }
    if threads == 1 || count <= 1 {
      if count > 0 { body(0..<count, 0) }
      return
    }
    let threads = self.threads
    crew.run { thread in
      let range = count * thread / threads..<count * (thread + 1) / threads
      if !range.isEmpty { body(range, thread) }
    }
  }
}

/// What the threads of a pool share; it outlives the pool by as long as they take to end.
private final class Crew: @unchecked Sendable {
  static let environmentMessage =
    "the floating-point environment is not the standard one (round to nearest, subnormal numbers kept): something in this process changed it"

  private static let counterStride = 128 / MemoryLayout<Atomic<Int>>.stride
  /// Looks at a counter before a waiting thread lets others have its core: a microsecond or two.
  private static let spinsBeforeYield = 4_000
  /// How long a helper then goes on looking before it sleeps: longer than a thread waits for another to end a loop, which may
  /// be for an item of hundreds of microseconds. Being woken takes tens of them, as long as all of a short layer.
  private static let timeBeforeSleep = Duration.milliseconds(1)
  private static let spinsBetweenYields = 100

  private let helpers: Int
  /// Counts loops; a helper waits for it to change.
  private let generation = Atomic<Int>(0)
  /// Helpers that have not finished the loop yet.
  private let pending = Atomic<Int>(0)
  /// The next item of each thread's range, on a pair of cache lines of its own.
  private let nextItems: UnsafeMutablePointer<Atomic<Int>>
  private let sleeping = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private let busy = Atomic<Bool>(false)
  /// The body of the loop at hand, lent by `run` until all have finished. Written before `generation` changes and read
  /// after, so never by two threads at once.
  private var body = platform_closure()
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  init(helpers: Int) {
    self.helpers = helpers
    nextItems =
      UnsafeMutableRawPointer
      .allocate(byteCount: 128 * (helpers + 1), alignment: 128)
      .bindMemory(to: Atomic<Int>.self, capacity: Self.counterStride * (helpers + 1))
    for thread in 0...helpers { (nextItems + Self.counterStride * thread).initialize(to: Atomic(0)) }
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
    nextItems.deallocate()
  }

  func startHelper(_ index: Int) -> pthread_t {
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Helper(crew: self, index: index)).toOpaque()
    let error = pthread_create(
      &thread, nil,
      { raw in
        guard let raw else { return nil }
        let helper = Unmanaged<Helper>.fromOpaque(raw).takeRetainedValue()
        helper.crew.serve(helper.index)
        return nil
      }, argument)
    require(error == 0, "no compute thread could be started (error \(error)): use fewer --threads")
    return thread
  }

  func stop() {
    stopping.store(true, ordering: .sequentiallyConsistent)
    announce()
  }

  /// Gives each thread its range of some items.
  func deal(_ items: Int) {
    for thread in 0...helpers {
      nextItem(of: thread).pointee.store(range(of: thread, items).lowerBound, ordering: .relaxed)
    }
  }

  /// An item of a thread's own range, or of another's where there is none left.
  @inline(__always) func nextItem(for thread: Int, of items: Int, reversed: Bool) -> Int? {
    for distance in 0...helpers {
      let owner = (thread + distance) % (helpers + 1), range = range(of: owner, items)
      let next = nextItem(of: owner)
      // A look first: a range that has ended is not counted any further.
      guard next.pointee.load(ordering: .relaxed) < range.upperBound else { continue }
      let item = next.pointee.wrappingAdd(1, ordering: .relaxed).oldValue
      if item < range.upperBound { return reversed ? range.lowerBound + range.upperBound - 1 - item : item }
    }
    return nil
  }

  @inline(__always) private func range(of thread: Int, _ items: Int) -> Range<Int> {
    items * thread / (helpers + 1)..<items * (thread + 1) / (helpers + 1)
  }

  @inline(__always) private func nextItem(of thread: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    nextItems + Self.counterStride * thread
  }

  /// Runs a body on every thread and returns when all have finished.
  func run(_ body: (Int) -> Void) {
    require(!busy.exchange(true, ordering: .acquiring), "the loops of a pool are called one after the other")
    lend(body, &self.body)
    pending.store(helpers, ordering: .relaxed)
    announce()
    body(0)
    var spins = 0
    while pending.load(ordering: .acquiring) != 0 {
      spins += 1
      // The helper that is waited for may need this very core.
      if spins > Self.spinsBeforeYield { sched_yield() }
    }
    self.body = platform_closure()
    busy.store(false, ordering: .releasing)
  }

  private func announce() {
    generation.wrappingAdd(1, ordering: .sequentiallyConsistent)
    guard sleeping.load(ordering: .sequentiallyConsistent) > 0 else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  private func serve(_ index: Int) {
    require(floatingPointEnvironmentIsStandard(), Self.environmentMessage)
    var seen = 0
    while true {
      waitForChange(of: seen)
      seen += 1
      if stopping.load(ordering: .sequentiallyConsistent) { return }
      call(body.function, body.context, index)
      // The caller sees what a helper stored past the caches.
      platform_stream_end()
      pending.wrappingSubtract(1, ordering: .acquiringAndReleasing)
    }
  }

  private func waitForChange(of seen: Int) {
    for _ in 0..<Self.spinsBeforeYield where generation.load(ordering: .acquiring) != seen { return }
    let start = ContinuousClock.now
    repeat {
      for _ in 0..<Self.spinsBetweenYields where generation.load(ordering: .acquiring) != seen { return }
      // The thread that is waited for may need this very core.
      sched_yield()
    } while ContinuousClock.now - start < Self.timeBeforeSleep
    pthread_mutex_lock(mutex)
    sleeping.wrappingAdd(1, ordering: .sequentiallyConsistent)
    while generation.load(ordering: .sequentiallyConsistent) == seen { pthread_cond_wait(condition, mutex) }
    sleeping.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    pthread_mutex_unlock(mutex)
  }
}

private final class Helper {
  let crew: Crew
  let index: Int

  init(crew: Crew, index: Int) { (self.crew, self.index) = (crew, index) }
}
