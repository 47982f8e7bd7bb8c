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

  /// How many windows lie within some pixels, wherever these begin with one.
  func windowCount(within pixels: Int) -> Int {
    (pixels - largestWindow) / (isAdaptive ? self.pixels / windows + 1 : stride) + 1
  }
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

  init(_ target: PanelTensor, pixels: Int = blockPixels) {
    (rows, height) = (target.batch * target.height, target.height)
    blockRows = Self.blockRows(width: target.width, pixels: pixels)
    blocksOfPanel = dividedUp(rows, blockRows)
    count = blocksOfPanel * target.panels
  }

  /// Rows of a block of about so many pixels.
  static func blockRows(width: Int, pixels: Int) -> Int { max(8, dividedUp(pixels, width)) }

  /// The panel of a block.
  @inline(__always) func panel(_ block: Int) -> Int { block / blocksOfPanel }

  /// The rows of a block.
  @inline(__always) func rows(_ block: Int) -> Range<Int> {
    let first = block % blocksOfPanel * blockRows
    return first..<min(rows, first + blockRows)
  }

  /// Where a block begins.
  func start(_ block: Int) -> (sample: Int, row: Int) {
    let (sample, row) = rows(block).lowerBound.quotientAndRemainder(dividingBy: height)
    return (sample, row)
  }

  /// Calls a body for each sample that has rows in a block, with these.
  @inline(__always) func forEachSample(_ block: Int, _ body: (_ sample: Int, _ rows: Range<Int>) -> Void) {
    var (sample, row) = start(block), rest = rows(block).count
    while rest > 0 {
      let count = min(rest, height - row)
      body(sample, row..<row + count)
      (sample, row, rest) = (sample + 1, 0, rest - count)
    }
  }

  /// Calls `reduce` for rows of the source that a block needs, each of them once, and then `combine` for the rows of the
  /// target that are made of them and of earlier ones.
  ///
  /// - Parameters:
  ///   - rowsAtOnce: rows of the target at a time at most.
  ///   - sources: the rows that one of the target is made of; both ends grow with it.
  @inline(__always)
  func forEachWindow(
    _ block: Int, rowsAtOnce: Int, sources: (_ row: Int) -> Range<Int>,
    reduce: (_ sample: Int, _ rows: Range<Int>) -> Void, combine: (_ sample: Int, _ rows: Range<Int>) -> Void
  ) {
    forEachSample(block) { sample, rows in
      var row = rows.lowerBound, next = 0
      while row < rows.upperBound {
        let end = min(rows.upperBound, row + rowsAtOnce)
        let first = max(next, sources(row).lowerBound)
        next = max(first, sources(end - 1).upperBound)
        reduce(sample, first..<next)
        combine(sample, row..<end)
        row = end
      }
    }
  }
}

/// How many pixels before their turn memory is asked for them: a pool computes little, and row by row the CPU does not
/// foresee enough.
let prefetchedPixels = 32

/// The memory of one thread of a pool for the latest rows that it reduced.
struct RowRing {
  private let pointer: MutableFloatPointer
  private let rowFloats: Int
  /// How many rows it holds: a power of two, so that one is found without a division.
  let rows: Int

  /// - Parameters:
  ///   - width: pixels of a row.
  ///   - minimum: rows that it holds at least.
  init(_ pointer: MutableFloatPointer, _ width: Int, atLeast minimum: Int) {
    self.pointer = pointer
    rowFloats = width * rowWidth
    rows = Self.rows(width, atLeast: minimum)
  }

  static func floatCount(_ width: Int, atLeast minimum: Int) -> Int { rows(width, atLeast: minimum) * width * rowWidth }

  /// The first float behind it.
  var end: MutableFloatPointer { pointer + rows * rowFloats }

  /// Short rows are reduced several at a time, which takes less time than one by one; long ones are not, for memory gives
  /// most where reading and writing alternate often.
  private static func rows(_ width: Int, atLeast minimum: Int) -> Int {
    let pixels = 128
    var rows = 1
    while rows < minimum || 2 * rows * max(1, width) <= pixels { rows *= 2 }
    return rows
  }

  /// Where a row is.
  @inline(__always) func row(_ index: Int) -> MutableFloatPointer { pointer + (index & (rows - 1)) * rowFloats }
}
