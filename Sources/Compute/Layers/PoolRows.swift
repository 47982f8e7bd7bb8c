import CPlatform

/// Where the windows of a pool lie along one axis.
struct PoolAxis {
  /// Pixels of the input.
  let pixels: Int
  /// Windows, which are the pixels of the output.
  let windows: Int
  private let kernel, stride, padding: Int

  /// The windows of a layer.
  init(_ geometry: PoolGeometry, pixels: Int) {
    (self.pixels, windows) = (pixels, geometry.outputSize(pixels))
    (kernel, stride, padding) = (geometry.kernel, geometry.stride, geometry.padding)
  }

  /// Windows that cover the input, window i from ⌊i n / windows⌋ up to ⌈(i + 1) n / windows⌉.
  init(adaptive windows: Int, pixels: Int) {
    (self.pixels, self.windows) = (pixels, windows)
    (kernel, stride, padding) = (0, 0, 0)
  }

  private var isAdaptive: Bool { kernel == 0 }

  /// The pixels of a window that exist.
  @inline(__always) func window(_ index: Int) -> Range<Int> {
    if isAdaptive { return index * pixels / windows..<dividedUp((index + 1) * pixels, windows) }
    let start = index * stride - padding
    return max(0, start)..<min(pixels, start + kernel)
  }

  /// The windows that a pixel belongs to.
  @inline(__always) func windows(of pixel: Int) -> Range<Int> {
    if isAdaptive { return pixel * windows / pixels..<dividedUp((pixel + 1) * windows, pixels) }
    let position = pixel + padding
    let first = max(0, (position - kernel + stride) / stride), end = min(windows, position / stride + 1)
    return first..<max(first, end)
  }

  /// Windows of three pixels that all exist and lie one pixel apart; empty if the layer has none such.
  var commonWindow: Range<Int> {
    guard kernel == 3 && stride == 1 else { return 0..<0 }
    let start = min(padding, windows)
    return start..<max(start, min(windows, pixels + padding - 2))
  }

  /// Pixels that belong to three windows one apart; empty if the layer has none such.
  var commonCover: Range<Int> {
    guard kernel == 3 && stride == 1 else { return 0..<0 }
    let start = 2 - padding
    return min(start, pixels)..<max(min(start, pixels), min(pixels, windows - padding))
  }

  /// At most how many pixels a window has, and how many windows a pixel belongs to.
  var largestWindow: Int { isAdaptive ? pixels / windows + 2 : kernel }
  var largestCover: Int { isAdaptive ? windows / pixels + 2 : dividedUp(kernel, stride) }
}

/// The rows of the output of a pool, or of the gradient of its input, cut into blocks for the threads.
///
/// A block is some consecutive rows of one panel; rows of all samples follow one another.
struct PoolBlocks {
  private let rows, height, blocksOfPanel, blockRows: Int
  /// Blocks of all panels.
  let count: Int

  /// Pixels of a block, about: with the kernels' rows and the normalised ones half a second-level cache at most; a block of
  /// fewer would often do rows again that its neighbour did. Unmeasured.
  private static let blockPixels = 1024

  init(_ target: PanelTensor) {
    (rows, height) = (target.batch * target.height, target.height)
    blockRows = max(8, dividedUp(Self.blockPixels, target.width))
    blocksOfPanel = dividedUp(rows, blockRows)
    count = blocksOfPanel * target.panels
  }

  /// The panel of a block.
  @inline(__always) func panel(_ block: Int) -> Int { block / blocksOfPanel }

  /// The rows of a block.
  @inline(__always) func rows(_ block: Int) -> Range<Int> {
    let first = block % blocksOfPanel * blockRows
    return first..<min(rows, first + blockRows)
  }

  /// Calls a body for each row of a block.
  @inline(__always) func forEachRow(_ block: Int, _ body: (_ sample: Int, _ row: Int) -> Void) {
    let rows = rows(block)
    var (sample, row) = rows.lowerBound.quotientAndRemainder(dividingBy: height)
    for _ in rows {
      body(sample, row)
      row += 1
      if row == height { (sample, row) = (sample + 1, 0) }
    }
  }

  /// Calls `reduce` once for each row of the source that a block needs, and then, for each row of the target, `combine`
  /// with the range of those rows that it is made of: rows that several targets need are reduced once.
  ///
  /// Both ends of the ranges grow with the target's row.
  @inline(__always)
  func forEachWindow(
    _ block: Int, sources: (_ row: Int) -> Range<Int>, reduce: (_ sample: Int, _ row: Int) -> Void,
    combine: (_ sample: Int, _ row: Int, _ sources: Range<Int>) -> Void
  ) {
    var current = -1, next = 0
    forEachRow(block) { sample, row in
      let range = sources(row)
      if sample != current { (current, next) = (sample, range.lowerBound) }
      let first = max(next, range.lowerBound)
      for source in first..<max(first, range.upperBound) { reduce(sample, source) }
      next = max(next, range.upperBound)
      combine(sample, row, range)
    }
  }
}

/// The memory of one thread of a pool: one line of pixels, and a ring of the latest reduced rows.
struct PoolRing {
  let line: MutableFloatPointer
  private let ring: MutableFloatPointer
  private let rows, rowFloats: Int

  /// - Parameters:
  ///   - line: pixels of the line.
  ///   - rows: rows that are needed at a time at most.
  ///   - rowFloats: floats of each.
  init(_ scratch: MutableFloatPointer, line pixels: Int, rows: Int, rowFloats: Int) {
    (line, ring) = (scratch, scratch + pixels * rowWidth)
    (self.rows, self.rowFloats) = (rows, rowFloats)
  }

  /// Where a row is.
  @inline(__always) func row(_ index: Int) -> MutableFloatPointer { ring + index % rows * rowFloats }

  /// Where the row after one is, given where that is.
  @inline(__always) func row(after row: MutableFloatPointer) -> MutableFloatPointer {
    row + rowFloats == ring + rows * rowFloats ? ring : row + rowFloats
  }

  /// A line of pixels as it is seen: as it is stored, or a normalised copy of it.
  @inline(__always)
  func normalized(_ pixels: FloatPointer, _ count: Int, _ normalization: PanelNormalization?) -> FloatPointer {
    // Rows to come: few of them are summed at a time, and memory is slower than the sums.
    for pixel in 0..<count { platform_prefetch(pixels + (4 * count + pixel) * rowWidth) }
    guard normalization != nil else { return pixels }
    copyRows(pixels, count, normalization: normalization, into: line)
    return FloatPointer(line)
  }
}
