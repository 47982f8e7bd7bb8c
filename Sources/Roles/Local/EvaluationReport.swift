import Datasets
import Foundation
import Interchange
import Training

/// What `trainer evaluate` prints.
public struct EvaluationReport {
  private let checkpoint: String
  private let crops: CropScheme
  private let result: EvaluationResult
  private let classNames: [String]

  /// As many classes as this are all listed for people; of more, the worst and the best.
  static let listLimit = 20
  /// Of so many classes at most is the confusion table printed.
  static let tableLimit = 2048

  init(checkpoint: String, crops: CropScheme, result: EvaluationResult, classNames: [String]) {
    (self.checkpoint, self.crops, self.result, self.classNames) = (checkpoint, crops, result, classNames)
  }

  /// For people: the totals, and how well classes are recognized.
  public var text: String {
    let metrics = result.metrics
    var lines = [
      "\(checkpoint): top-1 \(Self.percent(metrics.top1)), top-5 \(Self.percent(metrics.top5)), "
        + "loss \(StatusLine.number(metrics.loss, decimals: 5)) on \(metrics.samples) samples"
    ]
    if crops != .center {
      lines.append(
        "probabilities are means over \(crops.count) crops, the loss is -log of the label's mean probability")
    }
    if result.confusion.undecided > 0 {
      lines.append("outputs for \(result.confusion.undecided) samples were not numbers: they count as wrong")
    }
    let seen = classNames.indices.filter { result.confusion.samples[$0] > 0 }
    if seen.count <= Self.listLimit {
      lines += ["accuracy of each class:"] + seen.map(line)
    } else {
      // Classes that are equally well recognized stand in their own order.
      let sorted = seen.sorted { (accuracy($0), $0) < (accuracy($1), $1) }
      let count = Self.listLimit / 2
      lines += ["worst \(count) of \(seen.count) classes:"] + sorted.prefix(count).map(line)
      lines += ["best \(count):"] + sorted.suffix(count).reversed().map(line)
      lines.append("all classes\(isTablePrinted ? ", and the confusion table" : ""): --json")
    }
    let unseen = classNames.count - seen.count
    if unseen > 0 { lines.append("classes without samples: \(unseen)") }
    return lines.joined(separator: "\n")
  }

  /// `{"classes":[{"accuracy":…, "name":…, "samples":…}, …], "confusion":[[…], …], "crops":…, "loss":…, "samples":…,
  /// "top1":…, "top5":…, "undecided":…}`: in `confusion`, a row for each class and in it how many of its samples were
  /// taken for each class; `accuracy` is missing where a class has no samples, `confusion` above `tableLimit` classes.
  public var json: String {
    struct Class: Encodable {
      let name: String, samples: Int, accuracy: Double?
    }
    struct Fields: Encodable {
      let top1: Double, top5: Double, loss: Double, samples: Int
      let crops: Int, undecided: Int, classes: [Class], confusion: [[Int]]?
    }
    let (metrics, table) = (result.metrics, result.confusion)
    let classes = classNames.enumerated().map {
      Class(name: $1, samples: table.samples[$0], accuracy: table.accuracy(of: $0))
    }
    let rows = isTablePrinted ? (0..<table.classes).map { row in (0..<table.classes).map { table[row, $0] } } : nil
    return jsonLine(
      Fields(
        top1: metrics.top1, top5: metrics.top5, loss: metrics.loss, samples: metrics.samples, crops: crops.count,
        undecided: table.undecided, classes: classes, confusion: rows))
  }

  /// Whether `json` has the confusion table.
  var isTablePrinted: Bool { result.confusion.classes <= Self.tableLimit }

  private func accuracy(_ label: Int) -> Double { result.confusion.accuracy(of: label) ?? 0 }

  /// `  83.33 % of 12  cat, taken for dog 2 times`
  private func line(_ label: Int) -> String {
    let number = StatusLine.number(accuracy(label) * 100, decimals: 2)
    var text = String(repeating: " ", count: max(0, 8 - number.count)) + number
    text += " % of \(result.confusion.samples[label])  \(printable(classNames[label]))"
    if let mistake = result.confusion.commonestMistake(of: label) {
      let times = mistake.count == 1 ? "once" : "\(mistake.count) times"
      text += ", taken for \(printable(classNames[mistake.answer])) \(times)"
    }
    return text
  }

  private static func percent(_ share: Double) -> String { StatusLine.number(share * 100, decimals: 2) + " %" }
}
