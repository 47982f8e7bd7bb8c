import CPlatform

/// Gives each output's gradient to the pixel that won its window.
///
/// A pixel's sum is taken over the windows in each column of windows first, from the top, and then over the columns.
///
/// - Parameters:
///   - winners: as `maxPoolForward` wrote them.
///   - accumulate: adds to `dx` instead of overwriting it.
///   - scratch: `geometry.scratchCount` floats, their contents lost.
public func maxPoolBackward(
  winners: Winners, _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, geometry: PoolGeometry,
  scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  let gradient = MaxPoolGradient(winners: winners, dy, into: dx, accumulate: accumulate, geometry: geometry)
  let blocks = PoolBlocks(dx), scratchCount = MaxPoolScratch.floatCount(geometry, width: dx.width)
  pool.forEach(blocks.count) { block, thread in
    let rows = blocks.rows(block)
    gradient.write(
      blocks.panel(block), rows, into: dx.panel(blocks.panel(block)) + rows.lowerBound * dx.width * rowWidth,
      MaxPoolScratch(scratch + thread * scratchCount, geometry, width: dx.width), streamed: dx.isStreamed)
  }
}

/// The gradient of a max pool, of which a caller may have some rows at a time.
struct MaxPoolGradient {
  private let winners: Winners
  private let dy, dx: PanelTensor
  private let accumulate: Bool
  private let geometry: PoolGeometry
  /// The blocks of `dx` that `rows` computes.
  let blocks: PoolBlocks

  /// Pixels of a block, about: a quarter of a second-level cache, and so many that the rows of windows above, which are
  /// done again, are few.
  private static let blockPixels = 2048

  /// What `maxPoolBackward` is told.
  init(winners: Winners, _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, geometry: PoolGeometry) {
    geometry.check(dx, dy)
    (self.winners, self.dy, self.dx) = (winners, dy, dx)
    (self.accumulate, self.geometry) = (accumulate, geometry)
    blocks = PoolBlocks(dx, pixels: Self.blockPixels)
  }

  /// Floats of one thread's scratch.
  static func floatCount(_ geometry: PoolGeometry, width: Int) -> Int {
    MaxPoolScratch.floatCount(geometry, width: width)
      + PoolBlocks.blockRows(width: width, pixels: blockPixels) * width * rowWidth
  }

  /// Computes a block of `dx`.
  ///
  /// - Parameter scratch: that of all threads.
  /// - Returns: where its rows are in the thread's.
  func rows(_ block: Int, _ scratch: MutableFloatPointer, _ thread: Int) -> FloatPointer {
    require(!accumulate, "what is added to is not read here")
    let own = scratch + thread * Self.floatCount(geometry, width: dx.width)
    let pixels = own + MaxPoolScratch.floatCount(geometry, width: dx.width)
    write(
      blocks.panel(block), blocks.rows(block), into: pixels, MaxPoolScratch(own, geometry, width: dx.width),
      streamed: false)
    return FloatPointer(pixels)
  }

  /// Writes consecutive rows of a panel of `dx` to a place.
  fileprivate func write(
    _ panel: Int, _ rows: Range<Int>, into target: MutableFloatPointer, _ scratch: MaxPoolScratch, streamed: Bool
  ) {
    let axis = PoolAxis(geometry, pixels: dx.height)
    var (sample, row) = rows.lowerBound.quotientAndRemainder(dividingBy: dx.height)
    var next = -1, line = target
    for _ in rows {
      if next < 0 || row == 0 {
        next = axis.windows(of: row).lowerBound
        scratch.clear(next * geometry.stride..<next * geometry.stride + geometry.kernel)
      }
      let paddedRow = row + geometry.padding
      // Also those below the last, which give nothing.
      while next * geometry.stride <= paddedRow {
        add(panel, sample, next, scratch)
        next += 1
      }
      finish(panel, sample, row, into: line, scratch, streamed: streamed)
      line += dx.width * rowWidth
      row += 1
      if row == dx.height { (sample, row) = (sample + 1, 0) }
    }
  }

  /// Gives the gradients of a row of windows to what the rows under them were reduced to.
  private func add(_ panel: Int, _ sample: Int, _ row: Int, _ scratch: MaxPoolScratch) {
    let exists = row < dy.height
    RowParts(
      dy: exists
        ? FloatPointer(dy.panel(panel)) + (sample * dy.height + row) * dy.width * rowWidth
        : FloatPointer(scratch.before),
      winners: UnsafePointer(exists ? winners.rows(panel, sample, row) : scratch.words), scratch: scratch,
      first: row * geometry.stride, windows: dy.width
    ).add(geometry)
  }

  /// Gives those of what a row was reduced to to its pixels.
  private func finish(
    _ panel: Int, _ sample: Int, _ row: Int, into line: MutableFloatPointer, _ scratch: MaxPoolScratch, streamed: Bool
  ) {
    let paddedRow = row + geometry.padding, isInWindows = paddedRow % geometry.stride < geometry.kernel
    ColumnParts(
      gradient: FloatPointer(isInWindows ? scratch.ring.row(paddedRow) : scratch.before),
      winners: UnsafePointer(winners.columns(panel, sample, row)),
      dx: line, line: scratch.line, width: dx.width,
      windows: dy.width, padding: geometry.padding
    ).write(geometry, accumulate: accumulate, streamed: streamed)
  }
}

/// The gradients of a row of windows, given to the rows that won: to what these were reduced to.
private struct RowParts {
  let dy: FloatPointer
  let winners: UnsafePointer<Int32>
  let scratch: MaxPoolScratch
  /// The first row of the windows, counted with the padding above.
  let first: Int
  let windows: Int

  func add(_ geometry: PoolGeometry) {
    switch (geometry.kernel, geometry.stride) {
    case (3, 1): addThreeByOne()
    case (3, 2): addThreeByTwo()
    case (2, 2): addTwoByTwo()
    default: addAny(geometry)
    }
  }

  // Literal sizes, as in the forward pass.
  @inline(never) private func addThreeByOne() { add(3, 1) }
  @inline(never) private func addThreeByTwo() { add(3, 2) }
  @inline(never) private func addTwoByTwo() { add(2, 2) }
  @inline(never) private func addAny(_ geometry: PoolGeometry) { add(geometry.kernel, geometry.stride) }

  /// A row that windows above have too has a sum; the others are written for the first time.
  @inline(__always)
  private func add(_ kernel: Int, _ stride: Int) {
    let lines = (scratch.ring.row(first), scratch.ring.row(first + 1), scratch.ring.row(first + 2))
    var window = 0, source = winners
    while window < windows {
      let end = min(windows, window + WinnerWord.windows(kernel))
      var word = WinnerWord(source)
      while window < end {
        platform_prefetch(dy + (window + windows) * rowWidth)
        word.split(load(dy + window * rowWidth), kernel: kernel) { index, part in
          let line =
            index == 0 ? lines.0 : index == 1 ? lines.1 : index == 2 ? lines.2 : scratch.ring.row(first + index)
          let target = line + window * rowWidth
          store(index + stride < kernel ? load(target) + part : part, target)
        }
        window += 1
      }
      source += rowWidth
    }
  }
}

/// The gradients of what a row of the input was reduced to, given to the pixels that won.
private struct ColumnParts {
  let gradient: FloatPointer
  let winners: UnsafePointer<Int32>
  let dx: MutableFloatPointer
  /// The sums of the row's pixels and those of the padding, [pixels][16], where they do not stay in registers.
  let line: MutableFloatPointer
  let width, windows, padding: Int

  func write(_ geometry: PoolGeometry, accumulate: Bool, streamed: Bool) {
    switch (geometry.kernel, geometry.stride, accumulate) {
    case (3, 2, false) where streamed: streamThreeByTwo()
    case (2, 2, false) where streamed: streamTwoByTwo()
    case (3, 1, false): writeThreeByOne()
    case (3, 1, true): addThreeByOne()
    case (3, 2, false): writeThreeByTwo()
    case (3, 2, true): addThreeByTwo()
    case (2, 2, false): writeTwoByTwo()
    default: writeAny(geometry, accumulate: accumulate)
    }
  }

  @inline(never) private func writeThreeByOne() { write(3, 1, accumulate: false) }
  @inline(never) private func addThreeByOne() { write(3, 1, accumulate: true) }
  @inline(never) private func writeThreeByTwo() { write(3, 2, accumulate: false) }
  @inline(never) private func addThreeByTwo() { write(3, 2, accumulate: true) }
  @inline(never) private func writeTwoByTwo() { write(2, 2, accumulate: false) }

  @inline(never) private func streamThreeByTwo() { write(3, 2, accumulate: false, streamed: true) }
  @inline(never) private func streamTwoByTwo() { write(2, 2, accumulate: false, streamed: true) }

  /// For windows of two or three pixels, one or two apart: sums that are not complete stay in registers.
  @inline(__always)
  private func write(_ kernel: Int, _ stride: Int, accumulate: Bool, streamed: Bool = false) {
    // The sums of the next window's first pixels.
    var first = Row.zero, second = Row.zero
    @inline(__always) func finish(_ sum: Row, _ pixel: Int, isInner: Bool) {
      guard isInner || (pixel >= 0 && pixel < width) else { return }
      if streamed { return store(sum, dx + pixel * rowWidth, streamed: true) }
      put(sum, pixel, accumulate: accumulate)
    }
    @inline(__always) func add(_ parts: (Row, Row, Row), _ window: Int, isInner: Bool) {
      let start = window * stride - padding
      finish(stride < kernel ? first + parts.0 : parts.0, start, isInner: isInner)
      if stride == 2 { finish(parts.1, start + 1, isInner: isInner) }
      (first, second) = stride == 1 ? (second + parts.1, parts.2) : (parts.2, .zero)
    }
    // Those whose complete pixels all exist.
    let inner = dividedUp(padding, stride)..<max(dividedUp(padding, stride), (width + padding - stride) / stride + 1)
    var window = 0, source = winners
    while window < windows {
      let end = min(windows, window + WinnerWord.windows(kernel))
      var word = WinnerWord(source)
      @inline(__always) func addNext(isInner: Bool) {
        var parts = (Row.zero, Row.zero, Row.zero)
        word.split(load(gradient + window * rowWidth), kernel: kernel) { index, part in
          switch index {
          case 0: parts.0 = part
          case 1: parts.1 = part
          default: parts.2 = part
          }
        }
        add(parts, window, isInner: isInner)
        window += 1
      }
      while window < min(end, inner.lowerBound) { addNext(isInner: false) }
      while window < min(end, inner.upperBound) {
        let next = dx + (window * stride + width) * rowWidth
        if !streamed {
          platform_prefetch_to_write(next)
          if stride == 2 { platform_prefetch_to_write(next + rowWidth) }
        }
        addNext(isInner: true)
      }
      while window < end { addNext(isInner: false) }
      source += rowWidth
    }
    while window * stride - padding < width {
      add((.zero, .zero, .zero), window, isInner: false)
      window += 1
    }
  }

  @inline(never) private func writeAny(_ geometry: PoolGeometry, accumulate: Bool) {
    clearRows(line, width + padding + geometry.kernel)
    var word = WinnerWord()
    for window in 0..<windows {
      let place = window % WinnerWord.windows(geometry.kernel)
      if place == 0 { word = WinnerWord(winners + window / WinnerWord.windows(geometry.kernel) * rowWidth) }
      word.split(load(gradient + window * rowWidth), kernel: geometry.kernel) { index, part in
        let target = line + (window * geometry.stride + index) * rowWidth
        store(load(target) + part, target)
      }
    }
    for pixel in 0..<width { put(load(line + (pixel + padding) * rowWidth), pixel, accumulate: accumulate) }
  }

  @inline(__always) private func put(_ sum: Row, _ pixel: Int, accumulate: Bool) {
    let target = dx + pixel * rowWidth
    store(accumulate ? load(target) + sum : sum, target)
  }
}
