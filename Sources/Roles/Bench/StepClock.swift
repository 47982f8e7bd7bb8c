/// A part of a measured step: one of the plan's steps, or what comes after them.
struct StepPart: Sendable {
  /// The layer, or what the part is about.
  var name: String
  var operation: String
  /// How it is computed, where there is a choice.
  var method = ""
  /// Of the whole batch.
  var multiplyAccumulates = 0
  /// Bytes of the tensors that the whole batch makes it read and write; 0 if unknown.
  var bytes = 0
}

/// When the parts of the steps began. A mark allocates nothing.
final class StepClock {
  /// For each step that was kept, the seconds of each part.
  private(set) var steps: [[Double]] = []
  private var marks: [ContinuousClock.Instant]

  init(parts: Int) { marks = Array(repeating: .now, count: parts + 1) }

  /// Part `index` begins now; one past the last, the step ends.
  func mark(_ index: Int) { marks[index] = .now }

  /// Counts the step that just ended.
  func keep() { steps.append(zip(marks, marks.dropFirst()).map { ($1 - $0) / .seconds(1) }) }

  /// Seconds from the first part's begin to the last one's end.
  var lastStep: Double { (marks[marks.count - 1] - marks[0]) / .seconds(1) }
}

extension [Double] {
  /// The value in the middle; of an even number, the larger of the two.
  var median: Double { isEmpty ? .nan : sorted()[count / 2] }
}
