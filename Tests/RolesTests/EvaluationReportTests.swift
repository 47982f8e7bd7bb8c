import Foundation
import Models
import Testing

@testable import Roles
@testable import Training

@Suite struct EvaluationReportTests {
  private struct JSON: Decodable {
    struct Class: Decodable {
      let name: String, samples: Int, accuracy: Double?
    }
    let top1: Double, top5: Double, loss: Double, samples: Int, crops: Int, undecided: Int
    let classes: [Class]
    let confusion: [[Int]]?
  }

  /// Counts by true class and by what was answered, made into a report.
  private func report(
    _ counts: [(label: Int, answer: Int, count: Int)], classes: Int, crops: String = "center", undecided: Int = 0,
    name: String = "class"
  ) throws -> EvaluationReport {
    var table = ConfusionTable(classes: classes)
    for (label, answer, count) in counts {
      for _ in 0..<count { table.add(label: label, scores: (0..<classes).map { $0 == answer ? 1.0 : 0 }) }
    }
    for _ in 0..<undecided { table.add(label: 0, scores: [Double](repeating: .nan, count: classes)) }
    let samples = counts.reduce(undecided) { $0 + $1.count }
    let right = counts.reduce(0) { $0 + ($1.label == $1.answer ? $1.count : 0) }
    let sums = [Double(samples), 0.5 * Double(samples), 0, 0, Double(right), Double(samples)]
    let model = try Model(ModelCatalog.definition(named: "googlenet"), classes: 3, imageSize: 64, width: 0.1)
    let metrics = sums.withUnsafeBufferPointer { EvaluationMetrics(statistics: $0, model: model) }
    return EvaluationReport(
      checkpoint: "run", crops: try PictureOptions(crops: crops).crops,
      result: EvaluationResult(metrics: metrics, confusion: table), classNames: (0..<classes).map { "\(name) \($0)" })
  }

  @Test func fewClassesAreAllListed() throws {
    let report = try report([(0, 0, 3), (0, 2, 1), (0, 1, 2), (2, 2, 4)], classes: 4)
    #expect(
      report.text == """
        run: top-1 70.00 %, top-5 100.00 %, loss 0.50000 on 10 samples
        accuracy of each class:
           50.00 % of 6  class 0, taken for class 1 2 times
          100.00 % of 4  class 2
        classes without samples: 2
        """)
  }

  @Test func ofManyClassesTheWorstAndTheBest() throws {
    let counts = (0..<30).flatMap { [($0, $0, $0 + 1), ($0, ($0 + 1) % 30, 30 - $0)] }
    let lines = try report(counts, classes: 30).text.split(separator: "\n").map(String.init)
    #expect(lines.count == 24 && lines[1] == "worst 10 of 30 classes:" && lines[12] == "best 10:")
    #expect(lines[2] == "    3.23 % of 31  class 0, taken for class 1 30 times")
    #expect(lines[11].contains("class 9,") && lines[13].contains("class 29,") && lines[22].contains("class 20,"))
    #expect(lines[13].hasSuffix("taken for class 0 once"))
    #expect(lines[23].contains("--json"))
  }

  @Test func programsGetTheTable() throws {
    let report = try report([(0, 0, 3), (0, 2, 1), (2, 2, 4)], classes: 3, crops: "10", undecided: 2)
    #expect(!report.json.contains("\n"))
    let json = try JSONDecoder().decode(JSON.self, from: Data(report.json.utf8))
    #expect(json.top1 == 0.7 && json.top5 == 1 && json.loss == 0.5 && json.samples == 10)
    #expect(json.crops == 10 && json.undecided == 2)
    #expect(json.confusion == [[3, 0, 1], [0, 0, 0], [0, 0, 4]])
    #expect(json.classes.map(\.name) == ["class 0", "class 1", "class 2"])
    #expect(json.classes.map(\.samples) == [6, 0, 4] && json.classes.map(\.accuracy) == [0.5, nil, 1])
    #expect(report.text.contains("10 crops") && report.text.contains("2 samples were not numbers"))
  }

  /// A table of thousands of classes squared is not printed.
  @Test func aHugeTableIsLeftOut() throws {
    let report = try report([(2000, 2048, 1)], classes: 2049)
    #expect(!report.isTablePrinted)
    #expect(try JSONDecoder().decode(JSON.self, from: Data(report.json.utf8)).confusion == nil)
    #expect(report.text.contains("2000, taken for class 2048 once"))
  }

  /// Names come from files, and can make a terminal do things.
  @Test func namesDoNoHarm() throws {
    let text = try report([(0, 2, 1)], classes: 3, name: "\u{1B}]0;x").text
    #expect(text.contains("\u{FFFD}]0;x 0, taken for \u{FFFD}]0;x 2 once") && !text.contains("\u{1B}"))
    let prediction = Prediction(index: 0, name: "\u{1B}[2J", probability: 0.5)
    let predictions = PredictionReport([("a.png", [prediction])])
    #expect(predictions.text == "a.png: \u{FFFD}[2J 50.0 %")
    #expect(predictions.json.contains("\\u001b"))
  }

  @Test func namesThatDifferAreSaid() {
    let remark = differenceOfNames(["a", "b", "c"], ["a", "c", "b"])
    #expect(remark?.hasPrefix("class 1 is 'b' in the checkpoint and 'c' in the data") == true)
    #expect(differenceOfNames(["a", "b"], ["a", "b"]) == nil && differenceOfNames([], ["a"]) == nil)
  }
}
