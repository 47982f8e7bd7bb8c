import CPlatform

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
    RangeTable.floatCount(columns.windows) + RangeTable.floatCount(columns.pixels) + columns.windows * rowWidth
      + max(
        RowRing.floatCount(columns.windows, atLeast: rows.largestWindow),
        RowRing.floatCount(columns.pixels, atLeast: rows.largestCover))
  }

  func forward(_ x: Activation, _ y: PanelTensor, _ scratch: MutableFloatPointer, _ pool: ThreadPool) {
    let blocks = PoolBlocks(y), scratchCount = Self.scratchCount(rows, columns), width = columns.pixels
    pool.forEach(blocks.count) { block, thread in
      let panel = blocks.panel(block)
      let source = FloatPointer(x.tensor.panel(panel)), target = y.panel(panel)
      let normalization = x.normalization?.panel(panel)
      let windows = RangeTable(scratch + thread * scratchCount, columns.windows, columns.commonWindow) {
        columns.window($0)
      }
      let ring = RowRing(windows.end, columns.windows, atLeast: rows.largestWindow)
      blocks.forEachWindow(
        block, rowsAtOnce: rows.windowCount(within: ring.rows), sources: { rows.window($0) },
        reduce: { sample, sources in
          for row in sources {
            let line = source + (sample * rows.pixels + row) * width * rowWidth
            // Rows to come: few of them are summed at a time, and memory is slower than the sums.
            for pixel in 0..<width { platform_prefetch(line + (4 * width + pixel) * rowWidth) }
            if let normalization {
              windows.sum(line, into: ring.row(row)) { normalization($0) }
            } else {
              windows.sum(line, into: ring.row(row)) { $0 }
            }
          }
        },
        combine: { sample, targets in
          for row in targets {
            let line = target + (sample * rows.windows + row) * columns.windows * rowWidth
            let sums = RowSums(ring, rows.window(row))
            forEachShare(row, windows) { column, share in
              store(sums(column) * share, line + column * rowWidth)
            }
          }
        })
    }
  }

  func backward(
    _ dy: PanelTensor, _ dx: PanelTensor, _ accumulate: Bool, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let blocks = PoolBlocks(dx), scratchCount = Self.scratchCount(rows, columns), width = columns.pixels
    pool.forEach(blocks.count) { block, thread in
      let panel = blocks.panel(block)
      let source = FloatPointer(dy.panel(panel)), target = dx.panel(panel)
      let windows = RangeTable(scratch + thread * scratchCount, columns.windows, columns.commonWindow) {
        columns.window($0)
      }
      let covers = RangeTable(windows.end, width, columns.commonCover) { columns.windows(of: $0) }
      let shares = covers.end
      let ring = RowRing(shares + columns.windows * rowWidth, width, atLeast: rows.largestCover)
      blocks.forEachWindow(
        block, rowsAtOnce: 1, sources: { rows.windows(of: $0) },
        reduce: { sample, sources in
          for row in sources {
            let line = source + (sample * rows.windows + row) * columns.windows * rowWidth
            forEachShare(row, windows) { column, share in
              store(load(line + column * rowWidth) * share, shares + column * rowWidth)
            }
            covers.sum(FloatPointer(shares), into: ring.row(row)) { $0 }
          }
        },
        combine: { sample, targets in
          for row in targets {
            let line = target + (sample * rows.pixels + row) * width * rowWidth
            let sums = RowSums(ring, rows.windows(of: row))
            for column in 0..<width {
              let pixel = line + column * rowWidth, sum = sums(column)
              platform_prefetch_to_write(pixel + prefetchedPixels * rowWidth)
              store(accumulate ? load(pixel) + sum : sum, pixel)
            }
          }
        })
    }
  }

  /// Calls a body with each window of a row, and one divided by the number of values that it is the mean of.
  @inline(__always)
  private func forEachShare(_ row: Int, _ windows: RangeTable, _ body: (_ column: Int, _ share: Row) -> Void) {
    let height = counting?.countedSize(row, of: rows.pixels) ?? rows.window(row).count
    var width = 0, share = Row.zero
    for column in 0..<columns.windows {
      let counted = counting?.countedSize(column, of: columns.pixels) ?? windows[column].count
      // Divides only where the number changes.
      if counted != width { (width, share) = (counted, Row(repeating: 1 / Float(height * counted))) }
      body(column, share)
    }
  }
}

/// Ranges along an axis, in the memory of one thread: the divisions that give them would take longer than the sums over
/// them.
private struct RangeTable {
  private let bounds: UnsafeMutablePointer<(Int32, Int32)>
  private let count: Int
  /// Ranges that all have three members, each range one further than the one before.
  private let common: Range<Int>
  /// The first float behind the table.
  let end: MutableFloatPointer

  init(_ memory: MutableFloatPointer, _ count: Int, _ common: Range<Int>, _ range: (_ index: Int) -> Range<Int>) {
    (self.count, self.common) = (count, common)
    bounds = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: (Int32, Int32).self)
    end = memory + Self.floatCount(count)
    for index in 0..<count {
      let range = range(index)
      bounds[index] = (Int32(truncatingIfNeeded: range.lowerBound), Int32(truncatingIfNeeded: range.upperBound))
    }
  }

  static func floatCount(_ count: Int) -> Int { dividedUp(2 * count, rowWidth) * rowWidth }

  @inline(__always) subscript(index: Int) -> Range<Int> {
    let (lower, upper) = bounds[index]
    return Int(lower)..<Int(upper)
  }

  /// Writes the sums of what a line of pixels has in each range, each pixel as `value` gives it.
  @inline(__always)
  func sum(_ line: FloatPointer, into target: MutableFloatPointer, _ value: (_ stored: Row) -> Row) {
    @inline(__always) func put(_ index: Int) {
      var sum = Row.zero
      for pixel in self[index] { sum += value(load(line + pixel * rowWidth)) }
      store(sum, target + index * rowWidth)
    }
    for index in 0..<common.lowerBound { put(index) }
    if !common.isEmpty {
      let start = line + self[common.lowerBound].lowerBound * rowWidth
      var first = value(load(start)), second = value(load(start + rowWidth))
      for index in common {
        let third = value(load(start + (index - common.lowerBound + 2) * rowWidth))
        store((first + second) + third, target + index * rowWidth)
        (first, second) = (second, third)
      }
    }
    for index in common.upperBound..<count { put(index) }
  }
}

/// The sums over some rows of a ring, pixel by pixel.
private struct RowSums {
  private let ring: RowRing
  private let rows: Range<Int>
  private let first, second, third: MutableFloatPointer

  @inline(__always) init(_ ring: RowRing, _ rows: Range<Int>) {
    (self.ring, self.rows) = (ring, rows)
    first = ring.row(rows.lowerBound)
    second = ring.row(rows.lowerBound + 1)
    third = ring.row(rows.lowerBound + 2)
  }

  @inline(__always) func callAsFunction(_ pixel: Int) -> Row {
    let offset = pixel * rowWidth
    if rows.count == 3 { return (load(first + offset) + load(second + offset)) + load(third + offset) }
    guard !rows.isEmpty else { return .zero }
    var sum = load(first + offset)
    for row in rows.dropFirst() { sum += load(ring.row(row) + offset) }
    return sum
  }
}
