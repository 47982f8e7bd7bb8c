/// The largest value of each window; padding is not a value, and NaN wins over every number.
public func maxPoolForward(_ x: PanelTensor, into y: PanelTensor, geometry: PoolGeometry, pool: ThreadPool) {
  geometry.check(x, y)
  let height = y.height, batch = x.batch
  pool.forEach(x.panels * batch) { item, _ in
    let panel = item / batch, sample = item % batch
    let source = FloatPointer(x.panel(panel)) + sample * x.height * x.width * rowWidth
    let target = y.panel(panel) + sample * height * y.width * rowWidth
    for outputRow in 0..<height {
      let rows = geometry.window(outputRow, of: x.height)
      let line = target + outputRow * y.width * rowWidth
      if geometry.kernel == 3 && geometry.stride <= 2 {
        maxLine3(source, rows, x.width, geometry, y.width, line)
      } else {
        maxLine(source, rows, x.width, geometry, y.width, line)
      }
    }
  }
}

/// Gives each output's gradient to the first largest value of its window, in the order of rows; to the first NaN if there
/// is one.
///
/// - Parameters:
///   - x, y: what the forward pass read and wrote.
///   - accumulate: adds to `dx` instead of overwriting it.
public func maxPoolBackward(
  _ x: PanelTensor, _ y: PanelTensor, _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool,
  geometry: PoolGeometry, pool: ThreadPool
) {
  geometry.check(x, y)
  require(dy.hasShape(of: y) && dx.hasShape(of: x), "gradients have the shapes of their tensors")
  let batch = x.batch, width = x.width, area = x.height * width
  pool.forEach(x.panels * batch) { item, _ in
    let panel = item / batch, sample = item % batch
    let source = FloatPointer(x.panel(panel)) + sample * area * rowWidth
    let outputs = sample * y.height * y.width * rowWidth
    let maxima = FloatPointer(y.panel(panel)) + outputs, gradients = FloatPointer(dy.panel(panel)) + outputs
    let target = dx.panel(panel) + sample * area * rowWidth
    if !accumulate { clearRows(target, area) }
    for outputRow in 0..<y.height {
      let rows = geometry.window(outputRow, of: x.height)
      for outputColumn in 0..<y.width {
        let columns = geometry.window(outputColumn, of: width)
        let output = (outputRow * y.width + outputColumn) * rowWidth
        let maximum = load(maxima + output)
        // What is left to give away; zero in the lanes whose maximum was found.
        var rest = load(gradients + output)
        let isNaN = maximum .!= maximum
        for row in rows {
          for column in columns {
            let pixel = (row * width + column) * rowWidth
            let value = load(source + pixel)
            let found = (value .== maximum) .| (isNaN .& (value .!= value))
            store(load(target + pixel) + Row.zero.replacing(with: rest, where: found), target + pixel)
            rest = rest.replacing(with: Row.zero, where: found)
          }
        }
      }
    }
  }
}

/// One row of outputs.
private func maxLine(
  _ source: FloatPointer, _ rows: Range<Int>, _ width: Int, _ geometry: PoolGeometry, _ outputs: Int,
  _ target: MutableFloatPointer
) {
  for output in 0..<outputs {
    let columns = geometry.window(output, of: width)
    var maximum = Row(repeating: -.infinity)
    for row in rows {
      for column in columns { maximum = larger(maximum, load(source + (row * width + column) * rowWidth)) }
    }
    store(maximum, target + output * rowWidth)
  }
}

/// One row of outputs of windows of 3 pixels at a stride of 1 or 2: neighbours share the maxima of columns.
private func maxLine3(
  _ source: FloatPointer, _ rows: Range<Int>, _ width: Int, _ geometry: PoolGeometry, _ outputs: Int,
  _ target: MutableFloatPointer
) {
  @inline(__always) func column(_ index: Int) -> Row {
    var maximum = Row(repeating: -.infinity)
    guard index >= 0 && index < width else { return maximum }
    for row in rows { maximum = larger(maximum, load(source + (row * width + index) * rowWidth)) }
    return maximum
  }
  let start = -geometry.padding
  var first = column(start), second = column(start + 1)
  for output in 0..<outputs {
    let third = column(start + output * geometry.stride + 2)
    store(larger(larger(first, second), third), target + output * rowWidth)
    if geometry.stride == 1 {
      (first, second) = (second, third)
    } else {
      (first, second) = (third, column(start + output * 2 + 3))
    }
  }
}
