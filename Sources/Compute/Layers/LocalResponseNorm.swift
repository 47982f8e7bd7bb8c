/// y_c = x_c s_c^−β with s_c = k + α/size Σ x_j² over the `size` channels around c.
///
/// - Parameters:
///   - size: odd, at most 33.
///   - k: positive.
/// - Source: Krizhevsky et al. 2012, section 3.3; α is divided by the size as Caffe and PyTorch do.
public func localResponseNormForward(
  _ x: PanelTensor, into y: PanelTensor, size: Int, alpha: Double, beta: Double, k: Double, pool: ThreadPool
) {
  require(y.hasShape(of: x), "a response norm keeps its input's shape")
  let norm = ResponseNorm(size: size, alpha: alpha, beta: beta, k: k)
  forEachSample(of: x, pool) { panel, sample, rows in
    withNeighbours { buffer in
      for index in sample * rows..<(sample + 1) * rows {
        let value = load(x.panel(panel) + index * rowWidth)
        let scale = norm.scale(x, panel, index, buffer)
        store(value * norm.power(scale), y.panel(panel) + index * rowWidth)
      }
    }
  }
}

/// The gradient of `localResponseNormForward`; adds to `dx` if `accumulate`, and overwrites it otherwise.
///
/// dx_c = dy_c s_c^−β − 2αβ/size x_c Σ dy_j y_j / s_j over the same channels. `dx` is not the memory of another argument.
public func localResponseNormBackward(
  _ x: PanelTensor, _ y: PanelTensor, _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, size: Int,
  alpha: Double, beta: Double, k: Double, pool: ThreadPool
) {
  require(
    y.hasShape(of: x) && dy.hasShape(of: x) && dx.hasShape(of: x), "the tensors of a response norm have one shape")
  let norm = ResponseNorm(size: size, alpha: alpha, beta: beta, k: k)
  let factor = Row(repeating: Float(-2 * alpha * beta / Double(size)))
  forEachSample(of: x, pool) { panel, sample, rows in
    withNeighbours { buffer in
      for index in sample * rows..<(sample + 1) * rows {
        let offset = index * rowWidth
        // dy y / s of this panel and the channels around it.
        for neighbour in panel - 1...panel + 1 {
          var ratio = Row.zero
          if neighbour >= 0 && neighbour < x.panels {
            let scale = norm.scale(x, neighbour, index, buffer + 3 * rowWidth)
            ratio = load(dy.panel(neighbour) + offset) * load(y.panel(neighbour) + offset) / scale
          }
          store(ratio, buffer + (neighbour - panel + 1) * rowWidth)
        }
        let scale = norm.scale(x, panel, index, buffer + 3 * rowWidth)
        let own = load(dy.panel(panel) + offset) * norm.power(scale)
        let target = dx.panel(panel) + offset
        let gradient = own.addingProduct(factor * load(x.panel(panel) + offset), norm.windowSum(buffer))
        store(accumulate ? load(target) + gradient : gradient, target)
      }
    }
  }
}

private struct ResponseNorm {
  let reach: Int
  let share, k, beta: Float
  let isThreeQuarters: Bool

  init(size: Int, alpha: Double, beta: Double, k: Double) {
    require(
      size > 0 && size % 2 == 1 && size <= 2 * rowWidth + 1,
      "a response norm spans an odd number of channels, at most 33")
    require(k > 0 && alpha >= 0, "a response norm needs a positive k and an alpha that is not negative")
    reach = size / 2
    (share, self.k, self.beta) = (Float(alpha / Double(size)), Float(k), Float(beta))
    isThreeQuarters = beta == 0.75
  }

  /// s of one row: k + α/size Σ x².
  @inline(__always)
  func scale(_ x: PanelTensor, _ panel: Int, _ index: Int, _ buffer: MutableFloatPointer) -> Row {
    for neighbour in panel - 1...panel + 1 {
      let exists = neighbour >= 0 && neighbour < x.panels
      let value = exists ? load(x.panel(neighbour) + index * rowWidth) : Row.zero
      store(value * value, buffer + (neighbour - panel + 1) * rowWidth)
    }
    return Row(repeating: k).addingProduct(Row(repeating: share), windowSum(buffer))
  }

  /// The sum over the window of each of the 16 channels in the middle of 48.
  @inline(__always) func windowSum(_ buffer: MutableFloatPointer) -> Row {
    var sum = load(buffer + rowWidth - reach)
    for shift in 1..<2 * reach + 1 { sum += load(buffer + rowWidth - reach + shift) }
    return sum
  }

  /// s^−β.
  @inline(__always) func power(_ scale: Row) -> Row {
    if isThreeQuarters {
      let root = scale.squareRoot()
      return 1 / (root * root.squareRoot())
    }
    return Elementary.expFloat(Elementary.logFloat(scale) * -beta)
  }
}

/// Two times 48 floats on the stack.
@inline(__always) private func withNeighbours(_ body: (MutableFloatPointer) -> Void) {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: 6 * rowWidth) { buffer in
    if let start = buffer.baseAddress { body(start) }
  }
}
