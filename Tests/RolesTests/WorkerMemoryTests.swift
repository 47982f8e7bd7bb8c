import Compute
import Coordination
import Lockstep
import Testing
import Wire

@testable import Roles

@Suite struct WorkerMemoryTests {
  private func memory(frozen: Int = 0) -> WorkerMemory {
    WorkerMemory(parameterCount: 100 + frozen, trainedCount: 100, bufferCount: 0, statisticsCount: 7)
  }

  @Test func aSumIsKeptUntilItIsFreedAndItsMemoryUsedAgain() {
    var memory = memory()
    let pass = Pass(.training, step: 1), next = Pass(.training, step: 2)
    let a = memory.makeSum(pass, Subtree(0, 1)), b = memory.makeSum(pass, Subtree(1, 2))
    #expect(a.gradient.count == 100 && a.statistics == Array(repeating: 0, count: 7))
    #expect(a.gradient !== b.gradient)
    #expect(memory.sum(pass, Subtree(0, 1)) === a && memory.sum(pass, Subtree(1, 2)) === b)
    #expect(memory.sum(next, Subtree(0, 1)) == nil && memory.sum(pass, Subtree(0, 2)) == nil)

    a.statistics[0] = 5
    memory.freeSum(pass, Subtree(0, 1))
    #expect(memory.sum(pass, Subtree(0, 1)) == nil)
    let c = memory.makeSum(next, Subtree(0, 1))
    #expect(c.gradient === a.gradient && c.statistics[0] == 0)
    memory.freeSum(pass, Subtree(0, 1))
    #expect(memory.makeSum(next, Subtree(1, 2)).gradient !== c.gradient)
  }

  @Test func evaluationTakesNoMemoryForGradients() {
    var memory = memory()
    let evaluation = Pass(.evaluation, step: 1)
    #expect(memory.makeSum(evaluation, Subtree(0, 1)).gradient.count == 1)
    memory.freeSum(evaluation, Subtree(0, 1))
    #expect(memory.makeSum(Pass(.training, step: 1), Subtree(0, 1)).gradient.count == 100)
  }

  @Test func aVersionArrivesInOnePlace() {
    var memory = memory()
    #expect(memory.arena == nil)
    let arena = memory.arena(for: Weights(version: 3))
    #expect(arena.weights == Weights(version: 3) && arena.parameters.count == 100 && arena.buffers.count == 0)
    #expect(memory.arena(for: Weights(version: 3)) === arena && memory.arena === arena)
    #expect(memory.arena(for: Weights(version: 3, isAveraged: true)) !== arena)
  }

  @Test func frozenParametersAreInEveryArena() {
    var memory = memory(frozen: 3)
    #expect(memory.makeSum(Pass(.training, step: 1), Subtree(0, 1)).gradient.count == 100)
    var inUse: [VersionArena] = []
    for version in 0..<9 {
      let arena = memory.arena(for: Weights(version: version))
      // They come in the middle of a version.
      if version == 0 { for i in 0..<3 { memory.frozen.pointer[i] = Float(5 + i) } }
      for i in 0..<100 { arena.parameters.pointer[i] = Float(version) }
      memory.completeArena()
      #expect(arena.parameters.values == Array(repeating: Float(version), count: 100) + [5, 6, 7])
      inUse = (inUse + [arena]).suffix(2)
    }
  }

  /// The engine may still read the version before: memory is used again only when nobody holds it any more.
  @Test func aVersionThatIsInUseIsNotOverwritten() {
    var memory = memory()
    var first: VersionArena? = memory.arena(for: Weights(version: 1))
    let firstPlace = first?.parameters
    let secondPlace = memory.arena(for: Weights(version: 2)).parameters
    #expect(secondPlace !== firstPlace)
    let thirdPlace = memory.arena(for: Weights(version: 3)).parameters
    #expect(thirdPlace !== firstPlace)
    first = nil
    let places = (4..<8).map { memory.arena(for: Weights(version: $0)).parameters }
    #expect(places.contains { $0 === firstPlace })
    // However many versions come, a few places are enough.
    let all = [secondPlace, thirdPlace] + (8..<100).map { memory.arena(for: Weights(version: $0)).parameters }
    #expect(Set(all.map(ObjectIdentifier.init)).count <= 4)
  }
}
