import Lockstep

/// What `trainer bench engine` has measured.
public struct EngineBenchReport {
  /// A part of the step, or parts of one kind together.
  struct Row {
    var part: StepPart
    /// The median over the steps.
    var seconds: Double

    /// Floating-point operations a second, as many as a direct computation takes; 0 where nothing is multiplied.
    var flops: Double { Double(2 * part.multiplyAccumulates) / seconds }
    /// Bytes a second; 0 where they are unknown.
    var bytesPerSecond: Double { Double(part.bytes) / seconds }
    /// Whether memory sets its pace.
    var isMemoryBound: Bool { part.multiplyAccumulates == 0 }
  }

  let options: EngineBenchOptions
  let size: Int
  var peakResidentMebibytes = 0.0
  var copyBytesPerSecond = 0.0
  var peakFLOPS = 0.0
  private(set) var stepSeconds: [Double] = []
  private(set) var rows: [Row] = []
  private(set) var loss = Double.nan
  private(set) var stateHash: Digest?

  init(options: EngineBenchOptions, size: Int) { (self.options, self.size) = (options, size) }

  /// Takes what was measured of an engine.
  mutating func add(_ engine: BenchEngine) {
    add(parts: engine.parts, steps: engine.clock.steps)
    (loss, stateHash) = (engine.loss, engine.stateHash())
  }

  /// Takes the seconds of each part in each step.
  mutating func add(parts: [StepPart], steps: [[Double]]) {
    stepSeconds = steps.map { $0.reduce(0, +) }
    rows = parts.enumerated().map { index, part in Row(part: part, seconds: steps.map { $0[index] }.median) }
  }

  /// Rows of one operation and method together, in the order of their first.
  var totals: [Row] {
    var result: [Row] = []
    for row in rows {
      if let index = result.firstIndex(where: {
        $0.part.operation == row.part.operation && $0.part.method == row.part.method
      }) {
        result[index].part.multiplyAccumulates += row.part.multiplyAccumulates
        result[index].part.bytes += row.part.bytes
        result[index].seconds += row.seconds
      } else {
        result.append(row)
      }
    }
    return result
  }

  /// Of the median step.
  var imagesPerSecond: Double { Double(options.batch) / stepSeconds.median }
  /// Of the fastest step.
  var bestImagesPerSecond: Double { Double(options.batch) / (stepSeconds.min() ?? .nan) }
  /// Direct-equivalent operations of a step by the median step's time.
  var flops: Double { Double(2 * rows.reduce(0) { $0 + $1.part.multiplyAccumulates }) / stepSeconds.median }
}
