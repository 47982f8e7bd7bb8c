import Testing
import Wire

@testable import Coordination

@Suite struct PassSequenceTests {
  private func all(_ sequence: PassSequence) -> [String] {
    var (result, pass): ([String], Pass?) = ([], sequence.first(from: 0, isEvaluated: false))
    while let current = pass {
      result.append("\(current)")
      pass = sequence.next(after: current)
    }
    return result
  }

  @Test func versionsAreEvaluatedAfterFullEpochsAndAtTheEnd() {
    #expect(
      all(PassSequence(steps: 5, stepsPerEpoch: 2, hasValidation: true)) == [
        "training(1)", "training(2)", "evaluation(2)", "training(3)", "training(4)", "evaluation(4)", "training(5)",
        "evaluation(5)",
      ])
    #expect(all(PassSequence(steps: 2, stepsPerEpoch: 2, hasValidation: true)).suffix(1) == ["evaluation(2)"])
    #expect(all(PassSequence(steps: 2, stepsPerEpoch: 1, hasValidation: false)) == ["training(1)", "training(2)"])
    #expect(all(PassSequence(steps: 0, stepsPerEpoch: 1, hasValidation: true)).isEmpty)
  }

  @Test func aResumedRunEvaluatesItsVersionUnlessThatIsDone() {
    let sequence = PassSequence(steps: 5, stepsPerEpoch: 2, hasValidation: true)
    #expect(sequence.first(from: 2, isEvaluated: false) == Pass(.evaluation, step: 2))
    #expect(sequence.first(from: 2, isEvaluated: true) == Pass(.training, step: 3))
    #expect(sequence.first(from: 3, isEvaluated: false) == Pass(.training, step: 4))
    #expect(sequence.first(from: 5, isEvaluated: true) == nil)
  }
}
