/// The largest value of each window; padding is not a value, and NaN wins over every number.
///
/// Every row of the input is normalised and reduced to the largest pixels of its windows once, and then the rows of each
/// window to its value.
///
/// - Parameters:
///   - y: plain values: whoever reads them applies no normalisation.
///   - winners: which pixel of its window each value is, the first of the largest ones in the order of rows, or the first
///     NaN if there is one; nil if no gradient is wanted.
///   - scratch: `geometry.scratchCount` floats, their contents lost.
public func maxPoolForward(
  _ x: Activation, into y: PanelTensor, winners: Winners?, geometry: PoolGeometry,
  scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  geometry.check(x.tensor, y)
  require(geometry.kernel <= 33, "a word has a bit for each pixel of a window but the first")
  let blocks = PoolBlocks(y), scratchCount = MaxPoolScratch.floatCount(geometry, width: x.tensor.width)
  pool.forEach(blocks.count) { block, thread in
    let rows = MaxPoolRows(
      x: x.tensor, y: y, normalization: x.normalization, winners: winners, geometry: geometry,
      scratch: MaxPoolScratch(scratch + thread * scratchCount, geometry, width: x.tensor.width),
      panel: blocks.panel(block))
    // To think of NaN takes longer, and there seldom is one.
    if !rows.write(blocks, block, knowsNaN: false) { _ = rows.write(blocks, block, knowsNaN: true) }
  }
}

/// The memory of one thread of a max pool.
struct MaxPoolScratch {
  /// Rows of windows, [rows][windows][16], as many rows as a window has or more: in the forward pass what the latest rows
  /// of the input were reduced to; in the backward pass the gradients of that.
  private let ring: MutableFloatPointer
  /// Rows for what does not exist, [windows][16].
  let before, behind: MutableFloatPointer
  /// One row of pixels and the padding around it.
  let line: MutableFloatPointer
  /// Sixteen floats.
  let sum: MutableFloatPointer
  /// Words for winners that nobody wants, or of windows that do not exist.
  let words: UnsafeMutablePointer<Int32>
  private let rows, rowFloats: Int

  init(_ pointer: MutableFloatPointer, _ geometry: PoolGeometry, width: Int) {
    (rows, rowFloats) = (Self.rows(geometry), geometry.outputSize(width) * rowWidth)
    ring = pointer
    before = ring + rows * rowFloats
    behind = before + rowFloats
    line = behind + rowFloats
    sum = line + Self.linePixels(geometry, width) * rowWidth
    words = UnsafeMutableRawPointer(sum + rowWidth).assumingMemoryBound(to: Int32.self)
  }

  static func floatCount(_ geometry: PoolGeometry, width: Int) -> Int {
    let windows = geometry.outputSize(width), words = Winners.wordsPerRow(geometry, width: width)
    return ((rows(geometry) + 2) * windows + linePixels(geometry, width) + 1 + words) * rowWidth
  }

  /// A power of two, so that a row is found without a division.
  private static func rows(_ geometry: PoolGeometry) -> Int {
    var rows = 1
    while rows < geometry.kernel { rows *= 2 }
    return rows
  }

  private static func linePixels(_ geometry: PoolGeometry, _ width: Int) -> Int {
    width + 2 * geometry.padding + geometry.kernel + geometry.stride
  }

  /// The memory of a row of the input, counted with the padding above it.
  @inline(__always) func row(_ paddedRow: Int) -> MutableFloatPointer { ring + (paddedRow & (rows - 1)) * rowFloats }

  /// Zeroes the memory of all rows, and the row before.
  func clear() { clearRows(ring, (rows + 1) * rowFloats / rowWidth) }
}

/// The forward pass of one panel.
private struct MaxPoolRows {
  let x: PanelTensor
  let y: PanelTensor
  let normalization: Normalization?
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
    var current = -1, next = 0, ownFirst = 0
    blocks.forEachRow(block) { sample, row in
      let first = row * geometry.stride - geometry.padding, end = first + geometry.kernel
      if sample != current {
        (current, next) = (sample, max(0, first))
        // Rows above are those of windows of the block before, which writes their winners.
        ownFirst = row == 0 ? 0 : end - geometry.stride
      }
      for source in max(next, first)..<max(next, first, min(end, x.height)) {
        reduce(sample, source, isOwn: source >= ownFirst, knowsNaN: knowsNaN)
      }
      next = max(next, end)
      combine(sample, row, knowsNaN: knowsNaN)
    }
    let sum = load(scratch.sum)
    return knowsNaN || all(sum .== sum)
  }

  /// Reduces a row of the input.
  private func reduce(_ sample: Int, _ row: Int, isOwn: Bool, knowsNaN: Bool) {
    let winners = isOwn ? winners?.columns(panel, sample, row) : nil
    ColumnMaxima(
      line: FloatPointer(x.panel(panel)) + (sample * x.height + row) * x.width * rowWidth,
      normalization: normalization, panel: panel, maxima: scratch.row(row + geometry.padding),
      winners: winners ?? scratch.words, sum: scratch.sum, width: x.width, windows: y.width,
      padding: geometry.padding
    ).write(geometry, knowsNaN: knowsNaN)
  }

  /// Writes a row of the output.
  private func combine(_ sample: Int, _ row: Int, knowsNaN: Bool) {
    RowMaxima(
      scratch: scratch, first: row * geometry.stride, existing: geometry.padding..<x.height + geometry.padding,
      winners: winners?.rows(panel, sample, row) ?? scratch.words,
      y: y.panel(panel) + (sample * y.height + row) * y.width * rowWidth, windows: y.width
    ).write(geometry.kernel, knowsNaN: knowsNaN)
  }
}
