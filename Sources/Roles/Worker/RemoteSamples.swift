import Datasets
import Foundation
import Lockstep
import Wire

/// Samples that the coordinator sends: what a worker without a copy of its own reads.
///
/// Loader threads wait in `sample(at:)`; the worker's event loop asks the coordinator and delivers. At most `credit` samples
/// are on their way at a time, so that no queue between the hosts can fill up.
final class RemoteSamples: SampleSource, @unchecked Sendable {
  /// Samples that are asked for and have not arrived, at most.
  static let credit = 32
  /// Samples that have arrived and wait to be taken, at most: some leaves ahead.
  private static let cacheLimit = 4096
  /// After this long without an answer, a sample is asked for again.
  private static let retryAfter = Duration.seconds(3)

  let count: Int
  let set: SampleSet
  private let wake: @Sendable () -> Void

  // Everything below is guarded by this condition's lock.
  private let condition = NSCondition()
  private var wanted: [Int] = []
  private var asked: [Int: ContinuousClock.Instant] = [:]
  private var arrived: [Int: EncodedSample] = [:]
  private var order: [Int] = []
  private var closed = false

  /// - Parameter wake: called from any thread when there is something new to ask for.
  init(count: Int, set: SampleSet, wake: @escaping @Sendable () -> Void) {
    (self.count, self.set, self.wake) = (count, set, wake)
  }

  /// Announces samples that will be needed soon.
  func prefetch(_ indices: [Int]) {
    condition.lock()
    for index in indices where arrived[index] == nil && asked[index] == nil && !wanted.contains(index) {
      wanted.append(index)
    }
    condition.unlock()
    wake()
  }

  func sample(at index: Int) throws -> EncodedSample {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if closed { throw Closed() }
      if let sample = arrived.removeValue(forKey: index) {
        order.removeAll { $0 == index }
        return sample
      }
      if asked[index] == nil && !wanted.contains(index) {
        wanted.insert(index, at: 0)
        wake()
      }
      condition.wait()
    }
  }

  /// The coordinator is gone for good, or the worker ends.
  struct Closed: Error {}

  /// Ends every wait.
  func close() {
    condition.lock()
    closed = true
    condition.broadcast()
    condition.unlock()
  }

  // What the event loop calls.

  /// What to ask for now: samples never asked for, and those whose answer is overdue.
  func nextRequest(at now: ContinuousClock.Instant) -> [Int] {
    condition.lock()
    defer { condition.unlock() }
    var request = asked.filter { now - $0.value >= Self.retryAfter }.map(\.key).sorted()
    let room = min(Self.credit - asked.count, wanted.count)
    if room > 0 {
      request += wanted.prefix(room)
      wanted.removeFirst(room)
    }
    for index in request { asked[index] = now }
    return request
  }

  /// A new connection was made: whatever was on its way on the old one is lost.
  func connectionRemade() {
    condition.lock()
    wanted = asked.keys.sorted() + wanted
    asked = [:]
    condition.unlock()
  }

  /// A sample has come.
  func deliver(_ index: Int, _ sample: EncodedSample) {
    condition.lock()
    defer { condition.unlock() }
    guard asked.removeValue(forKey: index) != nil, arrived[index] == nil else { return }
    arrived[index] = sample
    order.append(index)
    // What nobody took, because its leaf went to another worker, makes room for what is newer.
    if order.count > Self.cacheLimit { arrived[order.removeFirst()] = nil }
    condition.broadcast()
  }

  /// Whether answers are awaited, so that the loop keeps an eye on their time.
  var isWaiting: Bool {
    condition.lock()
    defer { condition.unlock() }
    return !asked.isEmpty || !wanted.isEmpty
  }
}
