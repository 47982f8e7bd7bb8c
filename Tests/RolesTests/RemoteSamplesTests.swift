import Datasets
import Foundation
import Synchronization
import Testing
import Wire

@testable import Roles

@Suite struct RemoteSamplesTests {
  private let start = ContinuousClock.now

  private func sample(_ label: Int) -> EncodedSample {
    EncodedSample(bytes: [UInt8(label)], label: label, encoding: .grey, height: 1, width: 1, channels: 1)
  }

  private func samples(_ wake: @escaping @Sendable () -> Void = {}) -> RemoteSamples {
    RemoteSamples(count: 10_000, set: .training, wake: wake)
  }

  @Test func requestsStayWithinTheCredit() throws {
    let remote = samples()
    remote.prefetch(Array(0..<100))
    #expect(remote.isWaiting)
    #expect(remote.nextRequest(at: start) == Array(0..<RemoteSamples.credit))
    #expect(remote.nextRequest(at: start).isEmpty)
    for index in 0..<10 { remote.deliver(index, sample(index)) }
    #expect(remote.nextRequest(at: start) == Array(RemoteSamples.credit..<RemoteSamples.credit + 10))
    #expect(try remote.sample(at: 3) == sample(3))
  }

  @Test func nothingIsAskedForTwice() {
    let remote = samples()
    remote.prefetch([1, 2, 2])
    remote.prefetch([2, 3])
    #expect(remote.nextRequest(at: start) == [1, 2, 3])
    remote.deliver(1, sample(1))
    remote.prefetch([1, 2, 3])
    #expect(remote.nextRequest(at: start).isEmpty)
  }

  @Test func anOverdueSampleIsAskedForAgain() throws {
    let remote = samples()
    remote.prefetch([5, 4])
    #expect(remote.nextRequest(at: start) == [5, 4])
    #expect(remote.nextRequest(at: start + .milliseconds(2900)).isEmpty)
    remote.deliver(5, sample(5))
    #expect(remote.nextRequest(at: start + .seconds(3)) == [4])
    #expect(remote.nextRequest(at: start + .seconds(4)).isEmpty)
    #expect(remote.nextRequest(at: start + .seconds(6)) == [4])
    remote.deliver(4, sample(4))
    #expect(!remote.isWaiting)
  }

  @Test func aNewConnectionIsAskedForWhatTheOldOneOwed() {
    let remote = samples()
    remote.prefetch([7, 8, 9])
    #expect(remote.nextRequest(at: start) == [7, 8, 9])
    remote.deliver(8, sample(8))
    remote.prefetch([1])
    remote.connectionRemade()
    #expect(remote.nextRequest(at: start) == [7, 9, 1])
  }

  /// An answer of the old connection that still comes is taken, and its copy of the new one is dropped.
  @Test func answersThatNobodyWaitsForAreDropped() throws {
    let remote = samples()
    remote.deliver(1, sample(9))
    remote.prefetch([1])
    #expect(remote.nextRequest(at: start) == [1])
    remote.deliver(1, sample(1))
    remote.deliver(1, sample(2))
    #expect(try remote.sample(at: 1) == sample(1))
    #expect(!remote.isWaiting)
  }

  @Test func aLoaderWaitsUntilItsSampleComes() async throws {
    let (asked, continuation) = AsyncStream.makeStream(of: Void.self)
    let remote = samples { continuation.yield() }
    remote.prefetch([1, 2])
    let expected = sample(3)
    let received = Mutex<EncodedSample?>(nil)
    let (ended, end) = AsyncStream.makeStream(of: Void.self)
    Thread.detachNewThread {
      let sample = try? remote.sample(at: 3)
      received.withLock { $0 = sample }
      end.finish()
    }
    // Woken once for the announcement and once for the loader, whose sample goes first: somebody waits for it.
    var wakes = 0
    for await _ in asked {
      wakes += 1
      if wakes == 2 { break }
    }
    #expect(remote.nextRequest(at: start) == [3, 1, 2])
    remote.deliver(3, expected)
    for await _ in ended {}
    #expect(received.withLock { $0 } == expected)
  }

  @Test func closingEndsEveryWait() async {
    let (asked, continuation) = AsyncStream.makeStream(of: Void.self)
    let remote = samples { continuation.yield() }
    let failures = Mutex(0)
    let (ended, end) = AsyncStream.makeStream(of: Void.self)
    for index in 0..<2 {
      Thread.detachNewThread {
        do { _ = try remote.sample(at: index) } catch {
          if error is RemoteSamples.Closed { failures.withLock { $0 += 1 } }
        }
        end.yield()
      }
    }
    var wakes = 0
    for await _ in asked {
      wakes += 1
      if wakes == 2 { break }
    }
    remote.close()
    var ends = 0
    for await _ in ended {
      ends += 1
      if ends == 2 { break }
    }
    #expect(failures.withLock { $0 } == 2)
    #expect(throws: RemoteSamples.Closed.self) { try remote.sample(at: 5) }
  }

  /// What nobody takes, because its leaf went elsewhere, does not fill the memory: the oldest go, and are asked for again.
  @Test func samplesThatNobodyTakesMakeRoom() async throws {
    let remote = samples()
    for start in stride(from: 0, to: 4128, by: 32) {
      remote.prefetch(Array(start..<start + 32))
      for index in remote.nextRequest(at: self.start) { remote.deliver(index, sample(index % 256)) }
    }
    remote.prefetch([0, 31, 32, 4127])
    #expect(remote.nextRequest(at: start) == [0, 31])
    #expect(try remote.sample(at: 32) == sample(32))
  }
}
