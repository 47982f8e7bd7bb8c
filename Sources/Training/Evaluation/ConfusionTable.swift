/// How often samples of each class were taken for each class.
///
/// A sample is taken for its own class where that counts as a right answer, ties included; otherwise for the first of the
/// likeliest classes. Where an output is not a number, it is wrong and taken for no class.
public struct ConfusionTable: Hashable, Sendable {
  /// How many classes there are.
  public let classes: Int
  /// Samples of each class.
  public private(set) var samples: [Int]
  /// Samples of which some output was not a number.
  public private(set) var undecided = 0
  /// Counts by class · classes + the class that was taken for it; there are no more than samples.
  private var counts: [Int: Int] = [:]

  /// A table of nothing yet.
  public init(classes: Int) {
    precondition(classes > 0, "a table has classes")
    self.classes = classes
    samples = Array(repeating: 0, count: classes)
  }

  /// Notes a sample.
  ///
  /// - Parameter scores: one for each class, of any scale.
  public mutating func add<Scores: RandomAccessCollection>(label: Int, scores: Scores)
  where Scores.Element: BinaryFloatingPoint {
    precondition(scores.count == classes && (0..<classes).contains(label), "a score for each class")
    samples[label] += 1
    guard let answer = Self.answer(label: label, scores: scores) else {
      undecided += 1
      return
    }
    counts[label * classes + answer, default: 0] += 1
  }

  /// How many samples of a class were taken for another, or for itself.
  public subscript(label: Int, answer: Int) -> Int {
    precondition((0..<classes).contains(label) && (0..<classes).contains(answer), "two classes")
    return counts[label * classes + answer] ?? 0
  }

  /// The share of a class's samples that were recognized; nil where it has none.
  public func accuracy(of label: Int) -> Double? {
    samples[label] == 0 ? nil : Double(self[label, label]) / Double(samples[label])
  }

  /// The class that a class's samples were most often taken for besides itself, and how often; nil if never.
  public func commonestMistake(of label: Int) -> (answer: Int, count: Int)? {
    var result: (answer: Int, count: Int)?
    for answer in 0..<classes where answer != label {
      let count = self[label, answer]
      if count > result?.count ?? 0 { result = (answer, count) }
    }
    return result
  }

  /// The class that a sample is taken for.
  private static func answer<Scores: RandomAccessCollection>(label: Int, scores: Scores) -> Int?
  where Scores.Element: BinaryFloatingPoint {
    var best = label
    // From the label on, so that it wins its ties; of other classes the first.
    var highest = scores[scores.index(scores.startIndex, offsetBy: label)]
    for (index, score) in scores.enumerated() {
      if score.isNaN { return nil }
      if score > highest { (best, highest) = (index, score) }
    }
    return best
  }
}

/// What an evaluation found.
public struct EvaluationResult: Hashable, Sendable {
  /// Means over the samples.
  public var metrics: EvaluationMetrics
  /// What was taken for what; its diagonal adds up to the right answers of `metrics`.
  public var confusion: ConfusionTable

  /// Both of one evaluation.
  public init(metrics: EvaluationMetrics, confusion: ConfusionTable) {
    (self.metrics, self.confusion) = (metrics, confusion)
  }
}
