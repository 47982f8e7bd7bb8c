/// The mean of each window. If `countsPadding`, padded zeros count as values (PyTorch's `count_include_pad`).
public func averagePoolForward(
  _ x: PanelTensor, into y: PanelTensor, geometry: PoolGeometry, countsPadding: Bool, pool: ThreadPool
) {
  geometry.check(x, y)
  averageForward(x, y, Windows(geometry: geometry, countsPadding: countsPadding, x, y), pool)
}

/// Spreads each output's gradient over its window; adds to `dx` if `accumulate`, and overwrites it otherwise.
public func averagePoolBackward(
  _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, geometry: PoolGeometry, countsPadding: Bool,
  pool: ThreadPool
) {
  geometry.check(dx, dy)
  averageBackward(dy, dx, accumulate, Windows(geometry: geometry, countsPadding: countsPadding, dx, dy), pool)
}

/// The means of y.height × y.width windows that cover `x`; where they do not divide it, neighbours overlap.
public func adaptiveAveragePoolForward(_ x: PanelTensor, into y: PanelTensor, pool: ThreadPool) {
  require(x.batch == y.batch && x.channels == y.channels, "the tensors of a pool have one batch and channel count")
  averageForward(x, y, Windows(geometry: nil, countsPadding: false, x, y), pool)
}

/// Spreads each output's gradient over its window; adds to `dx` if `accumulate`, and overwrites it otherwise.
public func adaptiveAveragePoolBackward(_ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, pool: ThreadPool) {
  require(dx.batch == dy.batch && dx.channels == dy.channels, "the tensors of a pool have one batch and channel count")
  averageBackward(dy, dx, accumulate, Windows(geometry: nil, countsPadding: false, dx, dy), pool)
}

/// Where the windows of an average pool lie and what their sums are divided by; adaptive ones without a geometry.
private struct Windows {
  let geometry: PoolGeometry?
  let countsPadding: Bool
  let height, width, outputHeight, outputWidth: Int

  init(geometry: PoolGeometry?, countsPadding: Bool, _ x: PanelTensor, _ y: PanelTensor) {
    (self.geometry, self.countsPadding) = (geometry, countsPadding)
    (height, width, outputHeight, outputWidth) = (x.height, x.width, y.height, y.width)
  }

  @inline(__always) func rows(_ index: Int) -> Range<Int> { range(index, of: height, outputHeight) }
  @inline(__always) func columns(_ index: Int) -> Range<Int> { range(index, of: width, outputWidth) }

  @inline(__always) private func range(_ index: Int, of n: Int, _ outputs: Int) -> Range<Int> {
    if let geometry { return geometry.window(index, of: n) }
    return index * n / outputs..<dividedUp((index + 1) * n, outputs)
  }

  /// 1 / the number of values that an output is the mean of.
  @inline(__always) func share(_ row: Int, _ column: Int) -> Float {
    if countsPadding, let geometry {
      return 1 / Float(geometry.countedSize(row, of: height) * geometry.countedSize(column, of: width))
    }
    return 1 / Float(rows(row).count * columns(column).count)
  }
}

private func averageForward(_ x: PanelTensor, _ y: PanelTensor, _ windows: Windows, _ pool: ThreadPool) {
  let batch = x.batch
  pool.forEach(x.panels * batch) { item, _ in
    let panel = item / batch, sample = item % batch
    let source = FloatPointer(x.panel(panel)) + sample * x.height * x.width * rowWidth
    let target = y.panel(panel) + sample * y.height * y.width * rowWidth
    for outputRow in 0..<y.height {
      for outputColumn in 0..<y.width {
        var sum = Row.zero
        for row in windows.rows(outputRow) {
          for column in windows.columns(outputColumn) { sum += load(source + (row * x.width + column) * rowWidth) }
        }
        let share = Row(repeating: windows.share(outputRow, outputColumn))
        store(sum * share, target + (outputRow * y.width + outputColumn) * rowWidth)
      }
    }
  }
}

private func averageBackward(
  _ dy: PanelTensor, _ dx: PanelTensor, _ accumulate: Bool, _ windows: Windows, _ pool: ThreadPool
) {
  let batch = dx.batch, area = dx.height * dx.width
  pool.forEach(dx.panels * batch) { item, _ in
    let panel = item / batch, sample = item % batch
    let gradients = FloatPointer(dy.panel(panel)) + sample * dy.height * dy.width * rowWidth
    let target = dx.panel(panel) + sample * area * rowWidth
    if !accumulate { clearRows(target, area) }
    for outputRow in 0..<dy.height {
      for outputColumn in 0..<dy.width {
        let gradient =
          load(gradients + (outputRow * dy.width + outputColumn) * rowWidth) * windows.share(outputRow, outputColumn)
        for row in windows.rows(outputRow) {
          for column in windows.columns(outputColumn) {
            let pixel = target + (row * dx.width + column) * rowWidth
            store(load(pixel) + gradient, pixel)
          }
        }
      }
    }
  }
}
