import Coordination
import Testing
import Transport

@testable import Roles

@Suite struct PeerTableTests {
  private let a = Transport.PeerID(bytes: [0, 1]), b = Transport.PeerID(bytes: [0, 2])

  @Test func aConnectionKeepsItsNumber() {
    var table = PeerTable(firstNumber: 100)
    let first = table.number(of: a, descriptor: 5), second = table.number(of: b, descriptor: nil)
    #expect([first.number, second.number] == [100, 101])
    #expect(table.number(of: a, descriptor: 5) == first && table.number(of: b, descriptor: 6) == second)
    #expect(table.name(of: first) == a && table.name(of: second) == b)
    #expect(table.name(of: Coordination.PeerID(99)) == nil)
  }

  @Test func theEndOfAConnectionIsFoundByItsDescriptor() {
    var table = PeerTable(firstNumber: 0)
    let first = table.number(of: a, descriptor: 5), second = table.number(of: b, descriptor: 6)
    #expect(table.endConnection(descriptor: 5) == first)
    #expect(table.endConnection(descriptor: 5) == nil && table.endConnection(descriptor: 7) == nil)
    // Its messages that came before are still its own.
    #expect(table.number(of: a, descriptor: nil) == first)
    table.remove(first)
    #expect(table.name(of: first) == nil && table.name(of: second) == b)
    // What it still sends comes from a stranger: a number is never used twice.
    #expect(table.number(of: a, descriptor: nil).number == 2)
  }

  @Test func aRemovedPeersDescriptorMeansNobody() {
    var table = PeerTable(firstNumber: 0)
    let first = table.number(of: a, descriptor: 5)
    table.remove(first)
    #expect(table.name(of: first) == nil && table.endConnection(descriptor: 5) == nil)
  }

  /// The system gives the number of a closed descriptor to the next connection.
  @Test func aDescriptorMayBelongToALaterConnection() {
    var table = PeerTable(firstNumber: 0)
    _ = table.number(of: a, descriptor: 5)
    let second = table.number(of: b, descriptor: 5)
    #expect(table.endConnection(descriptor: 5) == second)
    #expect(table.endConnection(descriptor: 5) == nil)
  }
}
