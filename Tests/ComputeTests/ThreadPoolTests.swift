import Synchronization
import Testing

@testable import Compute

@Suite("Thread pool")
struct ThreadPoolTests {
  @Test("Every item is done once, whatever the number of threads", arguments: [1, 2, 3, 7])
  func items(_ threads: Int) {
    let pool = ThreadPool(threads: threads)
    for count in [0, 1, 2, 5, 100, 1000] {
      let done = FloatStorage(count: count), pointer = UnsafeMutablePointer(done.pointer)
      pool.forEach(count) { item, thread in
        #expect((0..<threads).contains(thread))
        pointer[item] += 1
      }
      pool.ranges(count) { range, _ in for item in range { pointer[item] += 10 } }
      pool.forEach(count, reversed: true) { item, _ in pointer[item] += 100 }
      #expect((0..<count).allSatisfy { pointer[$0] == 111 })
    }
  }

  @Test("A thread goes through its range from either end", arguments: [1, 2])
  func order(_ threads: Int) {
    let pool = ThreadPool(threads: threads), half = 100 / threads
    for reversed in [false, true] {
      // Each thread's first item, while the other waits for it: its own, as nobody can have helped yet.
      let first = FloatStorage(count: threads), pointer = UnsafeMutablePointer(first.pointer)
      let started = Atomic<Int>(0), deadline = ContinuousClock.now + .seconds(60)
      pool.forEach(100, reversed: reversed) { item, thread in
        guard pointer[thread] == 0 else { return }
        pointer[thread] = Float(item + 1)
        started.wrappingAdd(1, ordering: .releasing)
        while started.load(ordering: .acquiring) < threads && ContinuousClock.now < deadline {}
      }
      #expect((0..<threads).allSatisfy { pointer[$0] == Float(reversed ? ($0 + 1) * half : $0 * half + 1) })
    }
  }

  @Test("A thread that has no items left does those of one that is held up")
  func help() {
    let pool = ThreadPool(threads: 2), done = Atomic<Int>(0), deadline = ContinuousClock.now + .seconds(60)
    pool.forEach(100) { item, _ in
      if item == 0 {
        while done.load(ordering: .acquiring) < 99 && ContinuousClock.now < deadline {}
        #expect(done.load(ordering: .acquiring) == 99)
      }
      done.wrappingAdd(1, ordering: .releasing)
    }
    #expect(done.load(ordering: .acquiring) == 100)
  }

  @Test("Many short loops one after the other, with sleeps of the helpers between some")
  func manyLoops() {
    let pool = ThreadPool(threads: 3), total = Atomic<Int>(0)
    var expected = 0
    for loop in 0..<2000 {
      pool.forEach(4) { item, _ in total.wrappingAdd(item, ordering: .relaxed) }
      expected += 6
      // Long enough for the helpers to have gone to sleep, now and then.
      if loop % 500 == 499 {
        var x = 1.0
        for _ in 0..<2_000_000 { x = 1 + 1 / x }
        #expect(x > 1)
      }
    }
    #expect(total.load(ordering: .relaxed) == expected)
  }

  @Test("Pools come and go")
  func lifetimes() {
    for threads in 1...8 {
      let pool = ThreadPool(threads: threads), total = Atomic<Int>(0)
      pool.ranges(threads) { range, _ in total.wrappingAdd(range.count, ordering: .relaxed) }
      #expect(total.load(ordering: .relaxed) == threads)
    }
  }

  @Test("The floating-point environment is the standard one")
  func environment() { #expect(floatingPointEnvironmentIsStandard()) }

  @Test("A loop inside a loop is refused")
  func nested() async {
    await #expect(processExitsWith: .failure) {
      let pool = ThreadPool(threads: 2)
      pool.forEach(2) { _, _ in pool.forEach(2) { _, _ in } }
    }
  }
}
