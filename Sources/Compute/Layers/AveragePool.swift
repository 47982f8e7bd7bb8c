/// The mean of each window. If `countsPadding`, padded zeros count as values (PyTorch's `count_include_pad`).
///
/// - Parameter scratch: `geometry.scratchCount` floats, their contents lost.
public func averagePoolForward(
  _ x: Activation, into y: PanelTensor, geometry: PoolGeometry, countsPadding: Bool,
  scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  geometry.check(x.tensor, y)
  AverageWindows(x.tensor, y, geometry, countsPadding: countsPadding).forward(x, y, scratch, pool)
}

/// Spreads each output's gradient over its window; adds to `dx` if `accumulate`, and overwrites it otherwise.
///
/// - Parameter scratch: `geometry.scratchCount` floats, their contents lost.
public func averagePoolBackward(
  _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, geometry: PoolGeometry, countsPadding: Bool,
  scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  geometry.check(dx, dy)
  AverageWindows(dx, dy, geometry, countsPadding: countsPadding).backward(dy, dx, accumulate, scratch, pool)
}

/// The means of y.height × y.width windows that cover `x`; where they do not divide it, neighbours overlap.
///
/// - Parameter scratch: `adaptiveAveragePoolScratchCount` floats, their contents lost.
public func adaptiveAveragePoolForward(
  _ x: Activation, into y: PanelTensor, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  AverageWindows(adaptive: x.tensor, y).forward(x, y, scratch, pool)
}

/// Spreads each output's gradient over its window; adds to `dx` if `accumulate`, and overwrites it otherwise.
///
/// - Parameter scratch: `adaptiveAveragePoolScratchCount` floats, their contents lost.
public func adaptiveAveragePoolBackward(
  _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  AverageWindows(adaptive: dx, dy).backward(dy, dx, accumulate, scratch, pool)
}

/// Floats of scratch that both directions of an adaptive average pool need.
public func adaptiveAveragePoolScratchCount(
  height: Int, width: Int, outputHeight: Int, outputWidth: Int, threads: Int
) -> Int {
  let rows = PoolAxis(adaptive: outputHeight, pixels: height), columns = PoolAxis(adaptive: outputWidth, pixels: width)
  return threads * AverageWindows.scratchCount(rows, columns)
}

/// Where the windows of an average pool lie and what their sums are divided by.
///
/// Sums are taken along a row first, and then over the rows.
private struct AverageWindows {
  let rows, columns: PoolAxis
  /// What divides a sum where padding counts.
  private let counting: PoolGeometry?

  init(_ x: PanelTensor, _ y: PanelTensor, _ geometry: PoolGeometry, countsPadding: Bool) {
    rows = PoolAxis(geometry, pixels: x.height)
    columns = PoolAxis(geometry, pixels: x.width)
    counting = countsPadding ? geometry : nil
  }

  init(adaptive x: PanelTensor, _ y: PanelTensor) {
    require(x.batch == y.batch && x.channels == y.channels, "the tensors of a pool have one batch and channel count")
    rows = PoolAxis(adaptive: y.height, pixels: x.height)
    columns = PoolAxis(adaptive: y.width, pixels: x.width)
    counting = nil
  }

  /// Floats of one thread's scratch.
  static func scratchCount(_ rows: PoolAxis, _ columns: PoolAxis) -> Int {
    max(columns.pixels, columns.windows) * rowWidth
      + max(rows.largestWindow * columns.windows, rows.largestCover * columns.pixels) * rowWidth
  }

  /// Values that an output is the mean of, along each axis.
  @inline(__always) private func countedRows(_ window: Int) -> Int {
    counting?.countedSize(window, of: rows.pixels) ?? rows.window(window).count
  }
  @inline(__always) private func countedColumns(_ window: Int) -> Int {
    counting?.countedSize(window, of: columns.pixels) ?? columns.window(window).count
  }

  func forward(_ x: Activation, _ y: PanelTensor, _ scratch: MutableFloatPointer, _ pool: ThreadPool) {
    let blocks = PoolBlocks(y), scratchCount = Self.scratchCount(rows, columns)
    pool.forEach(blocks.count) { block, thread in
      let panel = blocks.panel(block), width = columns.pixels, outputs = columns.windows
      let source = FloatPointer(x.tensor.panel(panel)), target = y.panel(panel)
      let normalization = x.normalization?.panel(panel)
      let ring = PoolRing(
        scratch + thread * scratchCount, line: max(width, outputs), rows: rows.largestWindow,
        rowFloats: outputs * rowWidth)
      blocks.forEachWindow(
        block, sources: { rows.window($0) },
        reduce: { sample, row in
          let line = ring.normalized(source + (sample * rows.pixels + row) * width * rowWidth, width, normalization)
          sumRanges(line, outputs, into: ring.row(row)) { columns.window($0) }
        },
        combine: { sample, row, sources in
          let line = target + (sample * rows.windows + row) * outputs * rowWidth, height = countedRows(row)
          for column in 0..<outputs {
            let share = 1 / Float(height * countedColumns(column))
            store(ring.sum(sources, column) * share, line + column * rowWidth)
          }
        })
    }
  }

  func backward(
    _ dy: PanelTensor, _ dx: PanelTensor, _ accumulate: Bool, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let blocks = PoolBlocks(dx), scratchCount = Self.scratchCount(rows, columns)
    pool.forEach(blocks.count) { block, thread in
      let panel = blocks.panel(block), width = columns.pixels, outputs = columns.windows
      let source = FloatPointer(dy.panel(panel)), target = dx.panel(panel)
      let ring = PoolRing(
        scratch + thread * scratchCount, line: max(width, outputs), rows: rows.largestCover,
        rowFloats: width * rowWidth)
      blocks.forEachWindow(
        block, sources: { rows.windows(of: $0) },
        reduce: { sample, row in
          let gradients = source + (sample * rows.windows + row) * outputs * rowWidth, height = countedRows(row)
          for column in 0..<outputs {
            let share = 1 / Float(height * countedColumns(column))
            store(load(gradients + column * rowWidth) * share, ring.line + column * rowWidth)
          }
          sumRanges(FloatPointer(ring.line), width, into: ring.row(row)) { columns.windows(of: $0) }
        },
        combine: { sample, row, sources in
          let line = target + (sample * rows.pixels + row) * width * rowWidth
          for column in 0..<width {
            let sum = ring.sum(sources, column), pixel = line + column * rowWidth
            store(accumulate ? load(pixel) + sum : sum, pixel)
          }
        })
    }
  }
}

/// The sums over ranges of a line of pixels.
@inline(__always)
private func sumRanges(
  _ line: FloatPointer, _ count: Int, into target: MutableFloatPointer, _ range: (_ index: Int) -> Range<Int>
) {
  for index in 0..<count {
    let pixels = range(index)
    var sum = Row.zero
    for pixel in pixels { sum += load(line + pixel * rowWidth) }
    store(sum, target + index * rowWidth)
  }
}

extension PoolRing {
  /// The sum over some rows of one of their pixels.
  @inline(__always) fileprivate func sum(_ rows: Range<Int>, _ pixel: Int) -> Row {
    var sum = Row.zero
    for row in rows { sum += load(self.row(row) + pixel * rowWidth) }
    return sum
  }
}
