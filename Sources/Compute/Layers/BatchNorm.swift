/// Batch normalisation over samples and pixels, with a ReLU behind it if wanted.
///
/// Where it can, it only makes a `Normalization` out of the moments that the writer of its input gathered: the readers
/// apply it as they load. `forward` and `evaluate` are for readers that cannot.
///
/// - Source: Ioffe and Szegedy, "Batch normalization", ICML 2015.
public struct BatchNorm: Sendable {
  /// How many channels it normalises.
  public let channels: Int
  /// What is added to the variance.
  public let epsilon: Double

  /// A normalisation of this many channels.
  public init(channels: Int, epsilon: Double) {
    require(channels > 0 && epsilon > 0, "a batch norm has channels and a positive epsilon")
    (self.channels, self.epsilon) = (channels, epsilon)
  }

  var panels: Int { dividedUp(channels, rowWidth) }

  /// Floats of scratch that `forward` and `backward` need for a tensor of this many pixels, all samples together.
  public func scratchCount(pixels: Int) -> Int {
    let blocks = TwoPasses.mostBlocks(pixels: pixels)
    return max(Moments.floatCount(panels: panels, blocks: blocks), GradientSums.floatCount(panels, blocks))
  }

  // MARK: Statistics

  /// Makes z = γ (y − mean) / √(variance + ε) + β, then max(z, 0) if `relu`, out of the moments of y: mean and biased
  /// variance of the batch itself.
  ///
  /// - Parameters:
  ///   - gamma, beta: [16 · panels]; zero beyond the channels.
  ///   - inverse: [16 · panels], overwritten with 1 / √(variance + ε), which `backward` reads.
  ///   - mean, variance: [channels], overwritten; the variance is the unbiased one, that is, times n / (n − 1).
  public func finish(
    _ moments: Moments, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, relu: Bool,
    into normalization: Normalization, inverse: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Double>,
    variance: UnsafeMutablePointer<Double>
  ) {
    require(moments.panels == panels, "moments have the panels of the batch norm's channels")
    for panel in 0..<panels {
      let (wideMean, wideVariance, count) = moments.combined(panel: panel)
      require(count > 1, "a batch norm in training needs more than one value per channel")
      let first = panel * rowWidth, inverses = Row(inverseRoots(wideVariance + epsilon))
      store(inverses, inverse + first)
      normalization.set(
        PanelNormalization(
          center: Row(wideMean), scale: inverses * load(gamma + first), shift: load(beta + first),
          floor: Self.floor(relu)), at: panel)
      let unbiased = wideVariance * (count / (count - 1))
      for lane in 0..<min(rowWidth, channels - first) {
        mean[first + lane] = wideMean[lane]
        variance[first + lane] = unbiased[lane]
      }
    }
  }

  /// Makes z = γ (y − running mean) / √(running variance + ε) + β, then max(z, 0) if `relu`. All vectors are
  /// [16 · panels], zero beyond the channels.
  public func finishEvaluation(
    runningMean: UnsafePointer<Float>, runningVariance: UnsafePointer<Float>, gamma: UnsafePointer<Float>,
    beta: UnsafePointer<Float>, relu: Bool, into normalization: Normalization
  ) {
    for panel in 0..<panels {
      let first = panel * rowWidth
      let inverses = Row(inverseRoots(WideRow(load(runningVariance + first)) + epsilon))
      normalization.set(
        PanelNormalization(
          center: load(runningMean + first), scale: inverses * load(gamma + first), shift: load(beta + first),
          floor: Self.floor(relu)), at: panel)
    }
  }

  private static func floor(_ relu: Bool) -> Row { Row(repeating: relu ? 0 : -.infinity) }

  // MARK: Forward

  /// Gathers the moments of y, finishes them, and writes z.
  ///
  /// - Parameters:
  ///   - z: may be the same memory as `y` if no gradient is wanted.
  ///   - gamma, beta, inverse, mean, variance: as in `finish`.
  ///   - scratch: `scratchCount(pixels:)` floats, their contents lost.
  public func forward(
    _ y: PanelTensor, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, relu: Bool, into z: PanelTensor,
    normalization: Normalization, inverse: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Double>,
    variance: UnsafeMutablePointer<Double>, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    require(y.channels == channels && z.hasShape(of: y), "the tensors of a batch norm have its channels and one shape")
    let passes = TwoPasses(y)
    let moments = Moments(records: scratch, panels: panels, blocks: passes.blocks)
    pool.forEach(panels * passes.blocks) { item, _ in
      let panel = item / passes.blocks, block = item % passes.blocks, rows = passes.rows(of: block)
      moments.gather(y.panel(panel) + rows.lowerBound * rowWidth, rows.count, block: block, panel: panel)
    }
    finish(
      moments, gamma: gamma, beta: beta, relu: relu, into: normalization, inverse: inverse, mean: mean,
      variance: variance)
    evaluate(y, normalization: normalization, into: z, pool: pool)
  }

  /// Writes z, given its normalisation. `z` may be the same memory as `y`.
  public func evaluate(_ y: PanelTensor, normalization: Normalization, into z: PanelTensor, pool: ThreadPool) {
    require(y.channels == channels && z.hasShape(of: y), "the tensors of a batch norm have its channels and one shape")
    let passes = TwoPasses(y)
    // From the end: what a pass over y read last is in the cache still.
    pool.forEach(panels * passes.blocks, reversed: true) { item, _ in
      let panel = item / passes.blocks, rows = passes.rows(of: item % passes.blocks)
      let start = rows.lowerBound * rowWidth
      copyRows(
        y.panel(panel) + start, rows.count, normalization: normalization.panel(panel), into: z.panel(panel) + start)
    }
  }
}

/// 1/√x lane by lane, correctly rounded twice.
@inline(__always) func inverseRoots(_ x: WideRow) -> WideRow {
  var result = WideRow.zero
  for lane in 0..<rowWidth { result[lane] = 1 / x[lane].squareRoot() }
  return result
}
