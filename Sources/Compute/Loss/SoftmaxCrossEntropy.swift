/// Sums over the samples of a batch.
public struct ClassificationSums: Hashable, Sendable {
  /// The losses, not weighted.
  public var lossSum: Double
  /// Samples whose label has the largest logit.
  public var top1: Int
  /// Samples whose label is among the five largest logits.
  public var top5: Int
}

/// Softmax cross-entropy with label smoothing, and its gradient.
///
/// loss = −Σ_j q_j log softmax(z)_j with q_j = (1 − e) [j = label] + e / classes, summed over the samples. A label is among
/// the first k if fewer than k other logits are not at or below its own, so NaN counts against it.
///
/// - Parameters:
///   - logits: [batch] × classes as a 1×1 tensor.
///   - labels: one for each sample, each below the number of classes.
///   - smoothing: e.
///   - weight: multiplies the gradient, not the returned loss.
///   - gradient: weight · (softmax(z) − q) for each sample, not divided by the batch; may be the memory of `logits`.
///   - scratch: `softmaxCrossEntropyScratchCount(batch:)` floats, their contents lost.
/// - Source: Szegedy et al., "Rethinking the Inception architecture", 2016, section 7.
@discardableResult
public func softmaxCrossEntropy(
  logits: PanelTensor, labels: UnsafeBufferPointer<Int32>, smoothing: Double, weight: Double,
  gradient: PanelTensor?, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) -> ClassificationSums {
  require(logits.height == 1 && logits.width == 1, "logits are a tensor of one pixel")
  require(labels.count >= logits.batch, "every sample has a label")
  if let gradient { require(gradient.hasShape(of: logits), "a gradient has the shape of its tensor") }
  let classes = logits.channels
  let results = UnsafeMutableRawPointer(scratch).bindMemory(to: SampleResult.self, capacity: logits.batch)
  pool.forEach(logits.batch) { sample, _ in
    let label = Int(labels[sample])
    require(label >= 0 && label < classes, "label \(label) is not one of \(classes) classes")
    let own = logit(logits, sample, label), above = logitsAbove(own, logits, sample)
    // With d = z − max z, the loss is log Σ e^d − Σ q d: large logits do not cancel.
    let maximum = largestLogit(logits, sample)
    let sums = exponentials(logits, sample, maximum, into: gradient)
    let expected =
      (1 - smoothing) * (Double(own) - Double(maximum)) + smoothing / Double(classes) * sums.distances
    results[sample] = SampleResult(
      loss: Elementary.log(sums.exponentials) - expected, above: own.isNaN ? Int.max : above)
    guard let gradient else { return }
    let factor = Float(weight / sums.exponentials), spread = Row(repeating: Float(weight * smoothing / Double(classes)))
    for panel in 0..<gradient.panels {
      let row = gradient.panel(panel) + sample * rowWidth
      store(load(row) * factor - spread, row)
    }
    gradient.panel(label / rowWidth)[sample * rowWidth + label % rowWidth] -= Float(weight * (1 - smoothing))
    clearSpareLanes(gradient, sample)
  }
  return (0..<logits.batch).reduce(into: ClassificationSums(lossSum: 0, top1: 0, top5: 0)) { sums, sample in
    sums.lossSum += results[sample].loss
    if results[sample].above < 1 { sums.top1 += 1 }
    if results[sample].above < 5 { sums.top5 += 1 }
  }
}

/// Floats of scratch that a softmax cross-entropy needs.
public func softmaxCrossEntropyScratchCount(batch: Int) -> Int {
  batch * MemoryLayout<SampleResult>.stride / MemoryLayout<Float>.stride
}

/// Softmax cross-entropy of labels in an array, with scratch of its own.
@discardableResult
public func softmaxCrossEntropy(
  logits: PanelTensor, labels: [Int32], smoothing: Double, weight: Double, gradient: PanelTensor? = nil,
  pool: ThreadPool = ThreadPool(threads: 1)
) -> ClassificationSums {
  let scratch = FloatStorage(count: softmaxCrossEntropyScratchCount(batch: logits.batch))
  return labels.withUnsafeBufferPointer {
    softmaxCrossEntropy(
      logits: logits, labels: $0, smoothing: smoothing, weight: weight, gradient: gradient, scratch: scratch.pointer,
      pool: pool)
  }
}

/// What is added up of a sample, in the order of the samples.
private struct SampleResult {
  let loss: Double
  /// Other logits that are not at or below the label's.
  let above: Int
}

/// The probabilities of the classes, as [batch][classes]. `probabilities` may not overlap the logits.
public func softmax(_ logits: PanelTensor, into probabilities: UnsafeMutablePointer<Float>) {
  require(logits.height == 1 && logits.width == 1, "logits are a tensor of one pixel")
  let classes = logits.channels
  for sample in 0..<logits.batch {
    let maximum = largestLogit(logits, sample)
    let total = exponentials(logits, sample, maximum, into: nil).exponentials
    let target = probabilities + sample * classes
    for panel in 0..<logits.panels {
      let row = Elementary.expFloat(load(logits.panel(panel) + sample * rowWidth) - Row(repeating: maximum))
      for lane in 0..<min(rowWidth, classes - panel * rowWidth) {
        target[panel * rowWidth + lane] = Float(Double(row[lane]) / total)
      }
    }
  }
}

@inline(__always) private func logit(_ logits: PanelTensor, _ sample: Int, _ index: Int) -> Float {
  logits.panel(index / rowWidth)[sample * rowWidth + index % rowWidth]
}

/// Calls a body with the rows of a sample's logits that are whole, and another with each logit of one that is not.
@inline(__always)
private func forEachRow(
  _ logits: PanelTensor, _ sample: Int, _ body: (_ row: Row) -> Void, rest: (_ logit: Float) -> Void
) {
  let whole = logits.channels / rowWidth
  for panel in 0..<whole { body(load(logits.panel(panel) + sample * rowWidth)) }
  for index in whole * rowWidth..<logits.channels { rest(logit(logits, sample, index)) }
}

/// Logits of a sample that are not at or below a given one.
private func logitsAbove(_ own: Float, _ logits: PanelTensor, _ sample: Int) -> Int {
  var counts = SIMD16<Int32>.zero, count = 0
  forEachRow(logits, sample) { row in
    counts = choose(row .<= Row(repeating: own), counts, counts &+ 1)
  } rest: {
    count += $0 <= own ? 0 : 1
  }
  return count + Int(counts.wrappedSum())
}

/// The largest logit of a sample, NaN if there is one.
private func largestLogit(_ logits: PanelTensor, _ sample: Int) -> Float {
  var row = Row(repeating: -.infinity), maximum = -Float.infinity
  @inline(__always) func take(_ value: Float) { if value > maximum || value.isNaN { maximum = value } }
  forEachRow(logits, sample) {
    row = larger(row, $0)
  } rest: {
    if !maximum.isNaN { take($0) }
  }
  for lane in 0..<rowWidth where !maximum.isNaN { take(row[lane]) }
  return maximum
}

/// Σ e^(z − maximum) and Σ (z − maximum) over the classes in their order. Writes the terms of the first, if there is
/// somewhere to: that may be where the logits are.
private func exponentials(
  _ logits: PanelTensor, _ sample: Int, _ maximum: Float, into target: PanelTensor?
) -> (exponentials: Double, distances: Double) {
  var sums = (exponentials: 0.0, distances: 0.0)
  for panel in 0..<logits.panels {
    let row = load(logits.panel(panel) + sample * rowWidth), powers = Elementary.expFloat(row - Row(repeating: maximum))
    if let target { store(powers, target.panel(panel) + sample * rowWidth) }
    let terms = WideRow(powers), distances = WideRow(row) - WideRow(repeating: Double(maximum))
    for lane in 0..<min(rowWidth, logits.channels - panel * rowWidth) {
      sums.exponentials += terms[lane]
      sums.distances += distances[lane]
    }
  }
  return sums
}
