/// Floats of scratch that both directions of a response norm need.
public func localResponseNormScratchCount(channels: Int, threads: Int) -> Int {
  threads * ResponseNorm.scratchCount(channels)
}

/// y_c = x_c s_c^−β with s_c = k + α/size Σ x_j² over the `size` channels around c.
///
/// - Parameters:
///   - size: odd, at most 33.
///   - k: positive.
///   - scratch: `localResponseNormScratchCount` floats, their contents lost.
/// - Source: Krizhevsky et al. 2012, section 3.3; α is divided by the size as Caffe and PyTorch do.
public func localResponseNormForward(
  _ x: PanelTensor, into y: PanelTensor, size: Int, alpha: Double, beta: Double, k: Double,
  scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  require(y.hasShape(of: x), "a response norm keeps its input's shape")
  let norm = ResponseNorm(size: size, alpha: alpha, beta: beta, k: k, channels: x.channels)
  pool.forEach(dividedUp(x.pixels, ResponseNorm.blockPixels)) { block, thread in
    let first = block * ResponseNorm.blockPixels, count = min(ResponseNorm.blockPixels, x.pixels - first)
    let squares = scratch + thread * norm.scratchCount
    norm.gatherSquares(x, first, count, into: squares)
    for panel in 0..<x.panels {
      let source = x.panel(panel) + first * rowWidth, target = y.panel(panel) + first * rowWidth
      norm.forEachSum(squares, panel, count) { pixel, sum in
        store(load(source + pixel * rowWidth) * norm.powers(sum).scale, target + pixel * rowWidth)
      }
    }
  }
}

/// The gradient of `localResponseNormForward`; adds to `dx` if `accumulate`, and overwrites it otherwise.
///
/// dx_c = dy_c s_c^−β − 2αβ/size x_c Σ dy_j x_j s_j^(−β−1) over the same channels. `dx` is not the memory of another
/// argument.
///
/// - Parameter scratch: `localResponseNormScratchCount` floats, their contents lost.
public func localResponseNormBackward(
  _ x: PanelTensor, _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, size: Int, alpha: Double, beta: Double,
  k: Double, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  require(dy.hasShape(of: x) && dx.hasShape(of: x), "the tensors of a response norm have one shape")
  let norm = ResponseNorm(size: size, alpha: alpha, beta: beta, k: k, channels: x.channels)
  let factor = Row(repeating: Float(-2 * alpha * beta / Double(size)))
  pool.forEach(dividedUp(x.pixels, ResponseNorm.blockPixels)) { block, thread in
    let first = block * ResponseNorm.blockPixels, count = min(ResponseNorm.blockPixels, x.pixels - first)
    let squares = scratch + thread * norm.scratchCount, terms = squares + norm.lineFloats * ResponseNorm.blockPixels
    norm.gatherSquares(x, first, count, into: squares)
    norm.clearEnds(terms, count)
    // The part of the channel itself goes to dx at once, the terms of the sums to the scratch.
    for panel in 0..<x.panels {
      let offset = first * rowWidth
      let source = x.panel(panel) + offset, gradient = dy.panel(panel) + offset, target = dx.panel(panel) + offset
      norm.forEachSum(squares, panel, count) { pixel, sum in
        let (scale, inverse) = norm.powers(sum)
        let own = load(gradient + pixel * rowWidth) * scale
        store(own * load(source + pixel * rowWidth) * inverse, norm.row(terms, panel, pixel))
        let place = target + pixel * rowWidth
        store(accumulate ? load(place) + own : own, place)
      }
    }
    for panel in 0..<x.panels {
      let source = x.panel(panel) + first * rowWidth, target = dx.panel(panel) + first * rowWidth
      norm.forEachSum(terms, panel, count) { pixel, sum in
        let place = target + pixel * rowWidth
        store(load(place).addingProduct(factor * load(source + pixel * rowWidth), sum), place)
      }
    }
  }
}

/// A response norm's sums over channels, for a block of pixels: each pixel's channels are put in a line, with zeros before
/// the first and behind the last, so that the channels around 16 of them are loads from nearby.
private struct ResponseNorm {
  let reach: Int
  let share, k, beta: Row
  let isThreeQuarters: Bool
  let panels: Int

  /// Pixels of a block: one page of each panel. 16 and 32 were within 10 % of it: roots and divisions take half the time.
  static let blockPixels = 64

  init(size: Int, alpha: Double, beta: Double, k: Double, channels: Int) {
    require(
      size > 0 && size % 2 == 1 && size <= 2 * rowWidth + 1,
      "a response norm spans an odd number of channels, at most 33")
    require(k > 0 && alpha >= 0, "a response norm needs a positive k and an alpha that is not negative")
    reach = size / 2
    share = Row(repeating: Float(alpha / Double(size)))
    (self.k, self.beta) = (Row(repeating: Float(k)), Row(repeating: Float(beta)))
    isThreeQuarters = beta == 0.75
    panels = dividedUp(channels, rowWidth)
  }

  /// Floats of a pixel's line.
  var lineFloats: Int { (panels + 2) * rowWidth }

  /// Floats of one thread's scratch: two lines for each pixel.
  var scratchCount: Int { 2 * Self.blockPixels * lineFloats }
  static func scratchCount(_ channels: Int) -> Int {
    2 * blockPixels * (dividedUp(channels, rowWidth) + 2) * rowWidth
  }

  /// Where a panel's channels of a pixel are.
  @inline(__always) func row(_ lines: MutableFloatPointer, _ panel: Int, _ pixel: Int) -> MutableFloatPointer {
    lines + pixel * lineFloats + (panel + 1) * rowWidth
  }

  @inline(__always) func clearEnds(_ lines: MutableFloatPointer, _ count: Int) {
    for pixel in 0..<count {
      store(Row.zero, row(lines, -1, pixel))
      store(Row.zero, row(lines, panels, pixel))
    }
  }

  func gatherSquares(_ x: PanelTensor, _ first: Int, _ count: Int, into lines: MutableFloatPointer) {
    clearEnds(lines, count)
    for panel in 0..<panels {
      let source = x.panel(panel) + first * rowWidth
      for pixel in 0..<count {
        let value = load(source + pixel * rowWidth)
        store(value * value, row(lines, panel, pixel))
      }
    }
  }

  /// Calls a body with the sums over the windows of a panel's channels, pixel by pixel.
  @inline(__always)
  func forEachSum(
    _ lines: MutableFloatPointer, _ panel: Int, _ count: Int, _ body: (_ pixel: Int, _ sum: Row) -> Void
  ) {
    if reach == 2 {
      for pixel in 0..<count {
        let middle = row(lines, panel, pixel)
        body(pixel, (load(middle - 2) + load(middle - 1)) + load(middle) + (load(middle + 1) + load(middle + 2)))
      }
    } else {
      for pixel in 0..<count {
        let first = row(lines, panel, pixel) - reach
        var sum = load(first)
        for shift in 1..<2 * reach + 1 { sum += load(first + shift) }
        body(pixel, sum)
      }
    }
  }

  /// s^−β and 1/s, where s = k + share · sum.
  @inline(__always) func powers(_ sum: Row) -> (scale: Row, inverse: Row) {
    let s = k.addingProduct(share, sum)
    if isThreeQuarters {
      // s^−¼: its third power and its fourth cost no further root or division.
      let root = 1 / s.squareRoot().squareRoot(), square = root * root
      return (square * root, square * square)
    }
    return (Elementary.expFloat(Elementary.logFloat(s) * -beta), 1 / s)
  }
}
