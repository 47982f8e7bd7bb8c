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
struct AverageWindows {
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
      + WindowRanges.floatCount(columns)
  }

  /// Divides one row of outputs, or of their gradients, by the numbers of values that they are means of.
  @inline(__always)
  private func scale(_ source: FloatPointer, by row: Int, into target: MutableFloatPointer) {
    let height = counting?.countedSize(row, of: rows.pixels) ?? rows.window(row).count
    var width = 0, share = Row.zero
    for column in 0..<columns.windows {
      let counted = counting?.countedSize(column, of: columns.pixels) ?? columns.window(column).count
      // Divides only where the number changes.
      if counted != width { (width, share) = (counted, Row(repeating: 1 / Float(height * counted))) }
      store(load(source + column * rowWidth) * share, target + column * rowWidth)
    }
  }

  func forward(_ x: Activation, _ y: PanelTensor, _ scratch: MutableFloatPointer, _ pool: ThreadPool) {
    let blocks = PoolBlocks(y), scratchCount = Self.scratchCount(rows, columns)
    pool.forEach(blocks.count) { block, thread in
      let panel = blocks.panel(block), width = columns.pixels, outputs = columns.windows
      let source = FloatPointer(x.tensor.panel(panel)), target = y.panel(panel)
      let normalization = x.normalization?.panel(panel)
      let ranges = WindowRanges(columns, scratch + thread * scratchCount)
      let ring = PoolRing(
        ranges.end, line: max(width, outputs), rows: rows.largestWindow, rowFloats: outputs * rowWidth)
      blocks.forEachWindow(
        block, sources: { rows.window($0) },
        reduce: { sample, row in
          let line = ring.normalized(source + (sample * rows.pixels + row) * width * rowWidth, width, normalization)
          sumRanges(line, outputs, columns.commonWindow, into: ring.row(row)) { ranges[$0] }
        },
        combine: { sample, row, sources in
          let line = target + (sample * rows.windows + row) * outputs * rowWidth
          ring.forEachSum(sources, outputs) { column, sum in store(sum, line + column * rowWidth) }
          scale(line, by: row, into: line)
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
          scale(source + (sample * rows.windows + row) * outputs * rowWidth, by: row, into: ring.line)
          sumRanges(FloatPointer(ring.line), width, columns.commonCover, into: ring.row(row)) {
            columns.windows(of: $0)
          }
        },
        combine: { sample, row, sources in
          let line = target + (sample * rows.pixels + row) * width * rowWidth
          ring.forEachSum(sources, width) { column, sum in
            let pixel = line + column * rowWidth
            store(accumulate ? load(pixel) + sum : sum, pixel)
          }
        })
    }
  }
}

/// The pixels of the windows of an axis, in the memory of one thread: the divisions that give them would take longer than
/// the sums.
private struct WindowRanges {
  private let bounds: UnsafeMutablePointer<(Int32, Int32)>
  /// The first float behind them.
  let end: MutableFloatPointer

  init(_ axis: PoolAxis, _ memory: MutableFloatPointer) {
    bounds = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: (Int32, Int32).self)
    end = memory + Self.floatCount(axis)
    for index in 0..<axis.windows {
      let range = axis.window(index)
      bounds[index] = (Int32(truncatingIfNeeded: range.lowerBound), Int32(truncatingIfNeeded: range.upperBound))
    }
  }

  static func floatCount(_ axis: PoolAxis) -> Int { dividedUp(2 * axis.windows, rowWidth) * rowWidth }

  @inline(__always) subscript(index: Int) -> Range<Int> {
    let (lower, upper) = bounds[index]
    return Int(lower)..<Int(upper)
  }
}

/// The sums over ranges of a line of pixels.
///
/// - Parameter common: indices whose ranges all have three pixels, each range one further than the one before.
@inline(__always)
private func sumRanges(
  _ line: FloatPointer, _ count: Int, _ common: Range<Int>, into target: MutableFloatPointer,
  _ range: (_ index: Int) -> Range<Int>
) {
  @inline(__always) func put(_ index: Int) {
    var sum = Row.zero
    for pixel in range(index) { sum += load(line + pixel * rowWidth) }
    store(sum, target + index * rowWidth)
  }
  for index in 0..<common.lowerBound { put(index) }
  if !common.isEmpty {
    let first = line + (range(common.lowerBound).lowerBound - common.lowerBound) * rowWidth
    for index in common {
      let pixel = first + index * rowWidth
      store((load(pixel) + load(pixel + rowWidth)) + load(pixel + 2 * rowWidth), target + index * rowWidth)
    }
  }
  for index in common.upperBound..<count { put(index) }
}

extension PoolRing {
  /// Calls a body with the sum over some rows of each of their pixels.
  @inline(__always)
  fileprivate func forEachSum(_ rows: Range<Int>, _ pixels: Int, _ body: (_ pixel: Int, _ sum: Row) -> Void) {
    guard !rows.isEmpty else {
      for pixel in 0..<pixels { body(pixel, .zero) }
      return
    }
    let first = row(rows.lowerBound)
    if rows.count == 3 {
      let second = row(after: first), third = row(after: second)
      for pixel in 0..<pixels {
        let offset = pixel * rowWidth
        body(pixel, (load(first + offset) + load(second + offset)) + load(third + offset))
      }
      return
    }
    for pixel in 0..<pixels {
      var sum = load(first + pixel * rowWidth), line = first
      for _ in 1..<max(1, rows.count) {
        line = row(after: line)
        sum += load(line + pixel * rowWidth)
      }
      body(pixel, sum)
    }
  }
}
