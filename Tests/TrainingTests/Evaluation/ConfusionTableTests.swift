import Testing

@testable import Training

@Suite struct ConfusionTableTests {
  /// By hand: seven samples of three classes.
  @Test func countsWhatIsTakenForWhat() throws {
    var table = ConfusionTable(classes: 3)
    for (label, scores) in [
      (0, [0.5, 0.2, 0.3]), (0, [0.1, 0.2, 0.7]), (0, [0.1, 0.3, 0.6]), (0, [0.1, 0.8, 0.1]), (2, [0.1, 0.1, 0.8]),
    ] {
      table.add(label: label, scores: scores)
    }
    #expect((0..<3).map { row in (0..<3).map { table[row, $0] } } == [[1, 1, 2], [0, 0, 0], [0, 0, 1]])
    #expect(table.samples == [4, 0, 1])
    #expect(table.accuracy(of: 0) == 0.25 && table.accuracy(of: 1) == nil && table.accuracy(of: 2) == 1)
    let mistake = try #require(table.commonestMistake(of: 0))
    #expect(mistake.answer == 2 && mistake.count == 2)
    #expect(table.commonestMistake(of: 1) == nil && table.commonestMistake(of: 2) == nil)
  }

  /// A label that shares the first place is right, as for top-1; of others the first class counts.
  @Test func tiesAreForTheLabel() {
    var table = ConfusionTable(classes: 3)
    table.add(label: 2, scores: [Float(1), 1, 1])
    table.add(label: 0, scores: [Float(0), 1, 1])
    #expect(table[2, 2] == 1 && table[0, 1] == 1)
  }

  @Test(arguments: [[Float.nan, 1, 2], [1, .nan, 2], [.nan, .nan, .nan], [5, 1, .nan]])
  func whatIsNoNumberIsTakenForNothing(scores: [Float]) {
    var table = ConfusionTable(classes: 3)
    table.add(label: 0, scores: scores)
    #expect(table.undecided == 1 && table.samples == [1, 0, 0] && table.accuracy(of: 0) == 0)
    #expect((0..<3).allSatisfy { table[0, $0] == 0 })
  }

  @Test func rankOfALabel() {
    let probabilities = [0.1, 0.4, 0.4, 0.05, 0.05]
    #expect((0..<5).map { rank(of: $0, in: probabilities) } == [2, 0, 0, 3, 3])
    #expect(rank(of: 0, in: [0.5, .nan, 0.2]) == 1 && rank(of: 1, in: [0.5, .nan, 0.2]) == 3)
  }
}
