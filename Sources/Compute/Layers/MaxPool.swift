/// The largest value of each window; padding is not a value, and NaN wins over every number.
///
/// Every row of the input is normalised and reduced to the largest pixels of its windows once, and then the rows of each
/// window to its value.
///
/// - Parameters:
///   - y: plain values: whoever reads them applies no normalisation; or, if `keepsStored`, what is stored of the pixels that
///     won, for readers that normalise it as those of `x` do.
///   - keepsStored: see `y`. A normalisation keeps or reverses the order of a channel's values, so that the largest is found
///     without it; of values that it makes equal, the one that wins is the outermost, and not the first.
///   - winners: which pixel of its window each value is, the first of the largest ones in the order of rows, or the first
///     NaN if there is one; nil if no gradient is wanted.
///   - scratch: `geometry.scratchCount` floats, their contents lost.
public func maxPoolForward(
  _ x: Activation, into y: PanelTensor, keepsStored: Bool = false, winners: Winners?, geometry: PoolGeometry,
  scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  geometry.check(x.tensor, y)
  require(geometry.kernel <= 33, "a word has a bit for each pixel of a window but the first")
  let blocks = PoolBlocks(y), scratchCount = MaxPoolScratch.floatCount(geometry, width: x.tensor.width)
  pool.forEach(blocks.count) { block, thread in
    let panel = blocks.panel(block)
    let rows = MaxPoolRows(
      x: x.tensor, y: y, normalization: x.normalization, keepsStored: keepsStored, winners: winners, geometry: geometry,
      scratch: MaxPoolScratch(scratch + thread * scratchCount, geometry, width: x.tensor.width), panel: panel)
    // To think of NaN takes longer, and there seldom is one.
    if !rows.write(blocks, block, knowsNaN: false) { _ = rows.write(blocks, block, knowsNaN: true) }
  }
}

/// The memory of one thread of a max pool.
struct MaxPoolScratch {
  /// Rows of windows: in the forward pass what the latest rows of the input, counted with the padding above it, were
  /// reduced to; in the backward pass the gradients of that.
  let ring: RowRing
  /// Rows for what does not exist, [windows][16].
  let before, behind: MutableFloatPointer
  /// One row of pixels and the padding around it.
  let line: MutableFloatPointer
  /// Sixteen floats.
  let sum: MutableFloatPointer
  /// Words for winners that nobody wants, or of windows that do not exist.
  let words: UnsafeMutablePointer<Int32>
  private let windows: Int

  init(_ pointer: MutableFloatPointer, _ geometry: PoolGeometry, width: Int) {
    windows = geometry.outputSize(width)
    ring = RowRing(pointer, windows, atLeast: geometry.kernel)
    before = ring.end
    behind = before + windows * rowWidth
    line = behind + windows * rowWidth
    sum = line + Self.linePixels(geometry, width) * rowWidth
    words = UnsafeMutableRawPointer(sum + rowWidth).assumingMemoryBound(to: Int32.self)
  }

  static func floatCount(_ geometry: PoolGeometry, width: Int) -> Int {
    let windows = geometry.outputSize(width), words = Winners.wordsPerRow(geometry, width: width)
    return RowRing.floatCount(windows, atLeast: geometry.kernel)
      + (2 * windows + linePixels(geometry, width) + 1 + words) * rowWidth
  }

  private static func linePixels(_ geometry: PoolGeometry, _ width: Int) -> Int {
    width + 2 * geometry.padding + geometry.kernel + geometry.stride
  }

  /// Zeroes the memory of some rows, and the row before.
  func clear(_ rows: Range<Int>) {
    for row in rows { clearRows(ring.row(row), windows) }
    clearRows(before, windows)
  }
}

/// The forward pass of one panel.
private struct MaxPoolRows {
  let x: PanelTensor
  let y: PanelTensor
  let normalization: Normalization?
  let keepsStored: Bool
  let winners: Winners?
  let geometry: PoolGeometry
  let scratch: MaxPoolScratch
  let panel: Int

  /// Writes the rows of a block.
  ///
  /// - Returns: whether it is right: without regard to NaN, it is not if there was one.
  func write(_ blocks: PoolBlocks, _ block: Int, knowsNaN: Bool) -> Bool {
    for window in 0..<y.width {
      store(paddingBefore, scratch.before + window * rowWidth)
      store(paddingBehind, scratch.behind + window * rowWidth)
    }
    store(.zero, scratch.sum)
    let axis = PoolAxis(geometry, pixels: x.height), start = blocks.start(block)
    blocks.forEachWindow(
      block, rowsAtOnce: axis.windowCount(within: scratch.ring.rows), sources: { axis.window($0) },
      reduce: { sample, rows in
        // Rows above are those of windows of the block before, which writes their winners.
        let ownFirst = sample == start.sample && start.row > 0 ? axis.window(start.row - 1).upperBound : 0
        let middle = min(rows.upperBound, max(rows.lowerBound, ownFirst))
        reduce(sample, rows.lowerBound..<middle, isOwn: false, knowsNaN: knowsNaN)
        reduce(sample, middle..<rows.upperBound, isOwn: true, knowsNaN: knowsNaN)
      },
      combine: { sample, rows in combine(sample, rows, knowsNaN: knowsNaN) })
    let sum = load(scratch.sum)
    return knowsNaN || all(sum .== sum)
  }

  /// Reduces rows of the input.
  private func reduce(_ sample: Int, _ rows: Range<Int>, isOwn: Bool, knowsNaN: Bool) {
    guard !rows.isEmpty else { return }
    ColumnMaxima(
      line: FloatPointer(x.panel(panel)) + (sample * x.height + rows.lowerBound) * x.width * rowWidth,
      rows: rows.lowerBound + geometry.padding..<rows.upperBound + geometry.padding,
      normalization: normalization, panel: panel, keepsStored: keepsStored, scratch: scratch,
      winners: isOwn ? winners?.columns(panel, sample, rows.lowerBound) : nil, width: x.width, windows: y.width,
      padding: geometry.padding
    ).write(geometry, knowsNaN: knowsNaN)
  }

  /// Writes rows of the output.
  private func combine(_ sample: Int, _ rows: Range<Int>, knowsNaN: Bool) {
    RowMaxima(
      scratch: scratch, rows: rows, existing: geometry.padding..<x.height + geometry.padding,
      winners: winners?.rows(panel, sample, rows.lowerBound),
      y: y.panel(panel) + (sample * y.height + rows.lowerBound) * y.width * rowWidth, isStreamed: y.isStreamed,
      normalization: keepsStored ? normalization : nil, panel: panel, windows: y.width
    ).write(geometry, knowsNaN: knowsNaN)
  }
}
