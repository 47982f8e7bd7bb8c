/// Batch normalisation over samples and pixels, with a ReLU behind it if wanted.
///
/// One thread works on one panel, and passes over it while it is in the cache. Sums are taken in single precision over
/// chunks of rows and in double precision over the chunks; those of the squares are taken around a channel's first
/// values' mean, so that a large mean does not cancel a small variance away.
///
/// - Source: Ioffe and Szegedy, "Batch normalization", ICML 2015.
public struct BatchNorm: Sendable {
  /// How many channels it normalises.
  public let channels: Int
  /// What is added to the variance.
  public let epsilon: Double

  /// Rows that are added up in single precision. Part of the result: a constant.
  static let chunk = 128

  /// A normalisation of this many channels.
  public init(channels: Int, epsilon: Double) {
    require(channels > 0 && epsilon > 0, "a batch norm has channels and a positive epsilon")
    (self.channels, self.epsilon) = (channels, epsilon)
  }

  /// z = γ (y − mean) / √(variance + ε) + β with the batch's own mean and biased variance, then max(z, 0) if `relu`.
  ///
  /// - Parameters:
  ///   - gamma, beta, savedMean, savedInverse: [16 · panels]; beyond the channels γ and β are zero.
  ///   - z: may be the same memory as `y` if no gradient is wanted.
  ///   - mean, variance: [channels]; the variance is the unbiased one, that is, times n / (n − 1).
  public func forward(
    _ y: PanelTensor, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, relu: Bool, into z: PanelTensor,
    savedMean: UnsafeMutablePointer<Float>, savedInverse: UnsafeMutablePointer<Float>,
    mean: UnsafeMutablePointer<Double>, variance: UnsafeMutablePointer<Double>, pool: ThreadPool
  ) {
    require(y.channels == channels && z.hasShape(of: y), "the tensors of a batch norm have its channels and one shape")
    require(y.pixels > 1, "a batch norm in training needs more than one value per channel")
    let count = y.pixels, channels = self.channels, epsilon = self.epsilon
    pool.forEach(y.panels) { panel, _ in
      let source = FloatPointer(y.panel(panel)), first = panel * rowWidth
      let (wideMean, wideVariance) = Self.moments(source, count)
      let center = Row(wideMean)
      let inverse = Row(inverseRoots(wideVariance + epsilon))
      store(center, savedMean + first)
      store(inverse, savedInverse + first)
      let unbiased = wideVariance * (Double(count) / Double(count - 1))
      for lane in 0..<min(rowWidth, channels - first) {
        mean[first + lane] = wideMean[lane]
        variance[first + lane] = unbiased[lane]
      }
      Self.normalize(
        source, count, center: center, scale: inverse * load(gamma + first), shift: load(beta + first), relu: relu,
        into: z.panel(panel))
    }
  }

  /// z = γ (y − running mean) / √(running variance + ε) + β, then max(z, 0) if `relu`. All arrays are [16 · panels].
  public func evaluate(
    _ y: PanelTensor, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>, runningMean: UnsafePointer<Float>,
    runningVariance: UnsafePointer<Float>, relu: Bool, into z: PanelTensor, pool: ThreadPool
  ) {
    require(y.channels == channels && z.hasShape(of: y), "the tensors of a batch norm have its channels and one shape")
    let epsilon = self.epsilon, batch = y.batch, area = y.height * y.width
    pool.forEach(y.panels * batch) { item, _ in
      let panel = item / batch, start = item % batch * area * rowWidth, first = panel * rowWidth
      let inverse = Row(inverseRoots(WideRow(load(runningVariance + first)) + epsilon))
      Self.normalize(
        FloatPointer(y.panel(panel)) + start, area, center: load(runningMean + first),
        scale: inverse * load(gamma + first), shift: load(beta + first), relu: relu, into: z.panel(panel) + start)
    }
  }

  /// Turns the gradient of z into the gradient of y, in place, and gives those of γ and β.
  ///
  /// Where the ReLU cut is computed again from `y`, with the very operations of `forward`.
  ///
  /// - Parameters:
  ///   - dgamma, dbeta: [channels], overwritten.
  public func backward(
    _ y: PanelTensor, dz: PanelTensor, gamma: UnsafePointer<Float>, beta: UnsafePointer<Float>,
    savedMean: UnsafePointer<Float>, savedInverse: UnsafePointer<Float>, relu: Bool,
    dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    require(y.channels == channels && dz.hasShape(of: y), "the tensors of a batch norm have its channels and one shape")
    let count = y.pixels, channels = self.channels
    pool.forEach(y.panels) { panel, _ in
      let source = FloatPointer(y.panel(panel)), gradient = dz.panel(panel), first = panel * rowWidth
      let center = load(savedMean + first), inverse = load(savedInverse + first)
      let scale = inverse * load(gamma + first), shift = load(beta + first)
      let sums =
        relu
        ? Self.gradientSums(source, gradient, count, center, scale, shift, relu: true)
        : Self.gradientSums(source, gradient, count, center, scale, shift, relu: false)
      let gammaGradient = sums.products * WideRow(inverse)
      for lane in 0..<min(rowWidth, channels - first) {
        dgamma[first + lane] = Float(gammaGradient[lane])
        dbeta[first + lane] = Float(sums.gradients[lane])
      }
      // dy = γ i (g − mean(g) − (y − mean) i² mean(g (y − mean)))
      let share = 1 / Double(count)
      let meanGradient = Row(sums.gradients * share)
      let slope = Row(gammaGradient * WideRow(inverse) * share)
      if relu {
        Self.applyGradient(source, gradient, count, center, scale, shift, meanGradient, slope, relu: true)
      } else {
        Self.applyGradient(source, gradient, count, center, scale, shift, meanGradient, slope, relu: false)
      }
    }
  }

  // MARK: One panel

  /// Mean and biased variance of each lane.
  @inline(never)
  private static func moments(_ source: FloatPointer, _ count: Int) -> (mean: WideRow, variance: WideRow) {
    // A first guess at the mean: deviations from it are of the size of the standard deviation.
    let sample = min(count, 16)
    var guess = Row.zero
    for index in 0..<sample { guess += load(source + index * rowWidth) }
    guess *= Row(repeating: 1 / Float(sample))
    var sums = WideRow.zero, squares = WideRow.zero
    var start = 0
    while start < count {
      let end = min(count, start + chunk)
      var sum = Row.zero, square = Row.zero
      for index in start..<end {
        let deviation = load(source + index * rowWidth) - guess
        sum += deviation
        square = square.addingProduct(deviation, deviation)
      }
      sums += WideRow(sum)
      squares += WideRow(square)
      start = end
    }
    let share = WideRow(repeating: 1 / Double(count))
    let offset = sums * share
    let variance = squares * share - offset * offset
    return (WideRow(guess) + offset, variance.replacing(with: 0, where: variance .< 0))
  }

  private static func normalize(
    _ source: FloatPointer, _ count: Int, center: Row, scale: Row, shift: Row, relu: Bool, into z: MutableFloatPointer
  ) {
    if relu {
      for index in 0..<count {
        let value = shift.addingProduct(load(source + index * rowWidth) - center, scale)
        store(rectified(value), z + index * rowWidth)
      }
    } else {
      for index in 0..<count {
        store(shift.addingProduct(load(source + index * rowWidth) - center, scale), z + index * rowWidth)
      }
    }
  }

  /// Σ g and Σ g (y − mean), where g is the gradient that passes the ReLU.
  @inline(__always)
  private static func gradientSums(
    _ source: FloatPointer, _ gradient: MutableFloatPointer, _ count: Int, _ center: Row, _ scale: Row, _ shift: Row,
    relu: Bool
  ) -> (gradients: WideRow, products: WideRow) {
    var sums = WideRow.zero, products = WideRow.zero
    var start = 0
    while start < count {
      let end = min(count, start + chunk)
      var sum = Row.zero, product = Row.zero
      for index in start..<end {
        let deviation = load(source + index * rowWidth) - center
        var g = load(gradient + index * rowWidth)
        if relu { g = g.replacing(with: Row.zero, where: shift.addingProduct(deviation, scale) .<= Row.zero) }
        sum += g
        product = product.addingProduct(g, deviation)
      }
      sums += WideRow(sum)
      products += WideRow(product)
      start = end
    }
    return (sums, products)
  }

  @inline(__always)
  private static func applyGradient(
    _ source: FloatPointer, _ gradient: MutableFloatPointer, _ count: Int, _ center: Row, _ scale: Row, _ shift: Row,
    _ meanGradient: Row, _ slope: Row, relu: Bool
  ) {
    for index in 0..<count {
      let deviation = load(source + index * rowWidth) - center
      var g = load(gradient + index * rowWidth)
      if relu { g = g.replacing(with: Row.zero, where: shift.addingProduct(deviation, scale) .<= Row.zero) }
      store((g - meanGradient).addingProduct(-slope, deviation) * scale, gradient + index * rowWidth)
    }
  }
}

/// 1/√x lane by lane, correctly rounded twice.
@inline(__always) func inverseRoots(_ x: WideRow) -> WideRow {
  var result = WideRow.zero
  for lane in 0..<rowWidth { result[lane] = 1 / x[lane].squareRoot() }
  return result
}
