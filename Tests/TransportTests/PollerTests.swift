import Foundation
import Glibc
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(2))) struct PollerTests {
  @Test func timesOut() {
    let wakeup = Wakeup()
    #expect(Poller([wakeup]).wait(atMost: .zero).isEmpty)
    #expect(Poller([wakeup]).wait(atMost: .milliseconds(1)).isEmpty)
    #expect(Poller().wait(atMost: .zero).isEmpty)
  }

  @Test func aWakeupIsKeptUntilCleared() {
    let wakeup = Wakeup(), other = Wakeup()
    let poller = Poller([other, wakeup])
    wakeup.signal()
    wakeup.signal()
    for _ in 0..<2 {
      let ready = poller.wait(atMost: nil)
      #expect(ready.contains(wakeup) && !ready.contains(other))
    }
    #expect(wakeup.clear())
    #expect(!wakeup.clear())
    #expect(poller.wait(atMost: .zero).isEmpty)
    other.signal()
    poller.remove(other)
    #expect(poller.wait(atMost: .zero).isEmpty)
  }

  @Test func anotherThreadWakesAPoller() {
    let wakeup = Wakeup()
    for _ in 0..<100 {
      Thread.detachNewThread { wakeup.signal() }
      #expect(Poller([wakeup]).wait(atMost: .seconds(30)).contains(wakeup))
      wakeup.clear()
    }
  }

  /// Signals interrupt the library's waits; they are no reason to return.
  @Test func signalsDoNotEndAWait() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    sigaction(SIGUSR2, &action, nil)
    let wakeup = Wakeup(), waiting = pthread_self()
    Thread.detachNewThread {
      for _ in 0..<200 {
        pthread_kill(waiting, SIGUSR2)
        sched_yield()
      }
      wakeup.signal()
    }
    #expect(Poller([wakeup]).wait(atMost: .seconds(30)).contains(wakeup))
  }

  /// Sockets that have more than was read are found again.
  @Test func unreadMessagesAreFoundAgain() throws {
    let context = MessageContext(), router = RouterSocket(context, .small), dealer = DealerSocket(context, .small)
    let poller = Poller([router])
    try dealer.connect(try router.bind(Place.ipv4.endpoint))
    for i in 0..<10 { try dealer.send([UInt8(i)], on: poller) }
    for i in 0..<10 {
      #expect(poller.wait(atMost: .seconds(30)).contains(router))
      #expect(router.arrival()?.bytes == [UInt8(i)])
    }
    #expect(poller.wait(atMost: .zero).isEmpty)
  }
}
