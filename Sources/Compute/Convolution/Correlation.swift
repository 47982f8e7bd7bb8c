/// One pass of the direct method: windows over a tensor at the pixels of a grid, each of which is an output pixel.
///
/// A convolution's forward pass is one; its gradient with respect to the input is one for each phase of the stride. The
/// grid's pixels of all samples, in order, are cut into blocks of whole rows of the grid. The rows that a block needs are
/// first copied into scratch: normalised, with zeros around the image, and, where the only panel is not full, without the
/// unused lanes. One row of a window is then one run of consecutive floats in each panel.
struct Correlation: Sendable {
  /// Along one axis: where windows lie, and which output pixels are theirs.
  struct Axis: Sendable {
    /// Pixels of the input and of the output.
    let input, output: Int
    /// Windows.
    let grid: Int
    /// The input pixel that window 0 begins with (negative in the padding), and from one window to the next.
    let start, step: Int
    /// Pixels of a window.
    let kernel: Int
    /// The output pixel of window 0, and from one window to the next.
    let outputStart, outputStep: Int

    /// Pixels that this many consecutive windows touch.
    func span(_ windows: Int) -> Int { (windows - 1) * step + kernel }
  }

  let rows, columns: Axis
  let inputPanels, outputPanels: Int
  /// Floats of a pixel in a run: 16, or the channels of a single panel that is not full.
  let lanes: Int
  /// Grid pixels of a block: whole rows of the grid.
  let blockPixels: Int

  /// About as many pixels as keep a block's panels in the second-level cache; measured in the prototype of this design,
  /// where anything from 48 to 288 was within 3 %.
  private static let targetPixels = 96
  /// The same where a pixel is a few floats, which leaves the cache room for more of them: measured at the 7×7 stem, forward
  /// 3 % and the weights' gradient 6 % faster than 96.
  private static let targetImagePixels = 288
  /// The weights of a run block for a tile's output panels stay within half of a first-level cache.
  private static let weightRows = 288 / tilePanels

  init(rows: Axis, columns: Axis, inputChannels: Int, outputChannels: Int) {
    (self.rows, self.columns) = (rows, columns)
    inputPanels = dividedUp(inputChannels, rowWidth)
    outputPanels = dividedUp(outputChannels, rowWidth)
    lanes = inputChannels < rowWidth ? inputChannels : rowWidth
    let target = lanes < rowWidth ? Self.targetImagePixels : Self.targetPixels
    blockPixels = max(1, target / columns.grid) * columns.grid
  }

  /// Runs of a window: one for each input panel and row of the window.
  var runCount: Int { inputPanels * rows.kernel }
  /// Floats of a run.
  var runLength: Int { columns.kernel * lanes }
  /// Runs that are accumulated before the next output panel is begun.
  var runsPerBlock: Int { max(1, Self.weightRows / runLength) }
  /// Floats of the weights: [output panel][input panel][window row][window column][lane][16].
  var weightCount: Int { outputPanels * runCount * runLength * rowWidth }
  /// Floats of one output panel's weights.
  var panelWeightCount: Int { runCount * runLength * rowWidth }
  /// Grid pixels of a batch.
  func gridPixels(_ batch: Int) -> Int { batch * rows.grid * columns.grid }

  // MARK: Scratch

  /// Columns of a copied row.
  private var copyWidth: Int { columns.span(columns.grid) }
  /// Rows of a block's copy, at most.
  private var copyHeight: Int {
    let gridRows = blockPixels / columns.grid
    let parts = min(gridRows, dividedUp(gridRows - 1, rows.grid) + 1)
    return gridRows * rows.step + parts * max(0, rows.kernel - rows.step)
  }
  /// Floats from panel to panel of a block's copy: an odd number of lines, so that panels fall into different sets.
  var copyPanelStride: Int {
    let lines = dividedUp(copyHeight * copyWidth * lanes, rowWidth)
    return (lines | 1) * rowWidth
  }
  /// Floats of scratch that hold a block's copy of this many panels and its pixel table.
  func blockScratch(panels: Int) -> Int {
    tableScratch + panels * copyPanelStride
  }
  /// Lines of a block, at most.
  private var blockLines: Int { hasSingleWindow ? 1 : blockPixels / columns.grid }
  private var hasSingleWindow: Bool { rows.grid * columns.grid == 1 }
  /// Floats that hold the two integers of each line.
  private var tableScratch: Int { dividedUp(4 * blockLines, rowWidth) * rowWidth }
  /// Floats that hold an integer for each run.
  var runScratch: Int { dividedUp(2 * runCount, rowWidth) * rowWidth }

  /// Writes where each run begins, relative to a window's first pixel in the first panel.
  func writeRuns(into scratch: MutableFloatPointer) -> UnsafePointer<Int> {
    let runs = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Int.self)
    for panel in 0..<inputPanels {
      for row in 0..<rows.kernel { runs[panel * rows.kernel + row] = runOffset(panel: panel, row: row) }
    }
    return UnsafePointer(runs)
  }

  /// Where a window's row begins in a panel, relative to the window's first pixel in the first panel.
  @inline(__always) func runOffset(panel: Int, row: Int) -> Int { panel * copyPanelStride + row * copyLine }

  // MARK: Blocks

  /// Prepares a block: its lines and its copy of some panels.
  ///
  /// - Returns: its pixels as lines, and the copy that they lie in.
  @inline(never)
  func prepare(
    _ x: PixelSource, panels: Range<Int>, block: Range<Int>, scratch: MutableFloatPointer
  ) -> (lines: PixelLines, input: FloatPointer) {
    let starts = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Int.self), outputs = starts + blockLines
    let copy = scratch + tableScratch, pixelsOfSample = rows.grid * columns.grid
    var pixel = block.lowerBound, copiedRows = 0, line = 0
    // One part for each sample that the block touches.
    while pixel < block.upperBound {
      let sample = pixel / pixelsOfSample
      let end = min(block.upperBound, (sample + 1) * pixelsOfSample)
      let (first, last) = (pixel - sample * pixelsOfSample, end - 1 - sample * pixelsOfSample)
      let gridRows = first / columns.grid..<last / columns.grid + 1
      let height = rows.span(gridRows.count)
      for panel in panels {
        copyPart(
          x, panel, sample, rows.start + gridRows.lowerBound * rows.step, height,
          into: copy + (panel - panels.lowerBound) * copyPanelStride + copiedRows * copyLine)
      }
      for row in gridRows where line < blockLines {
        starts[line] = (copiedRows + (row - gridRows.lowerBound) * rows.step) * copyLine
        outputs[line] = output(sample, row)
        line += 1
      }
      copiedRows += height
      pixel = end
    }
    return (lines(starts, outputs, block.count), FloatPointer(copy))
  }

  /// Floats of a copied row.
  private var copyLine: Int { copyWidth * lanes }

  /// Floats up to the output pixel of a row's first window.
  private func output(_ sample: Int, _ row: Int) -> Int {
    let line = (sample * rows.output + rows.outputStart + row * rows.outputStep) * columns.output
    return (line + columns.outputStart) * rowWidth
  }

  /// The rows of the grid in a block; or, if each sample has one window only, those of all samples as one line.
  private func lines(_ starts: UnsafePointer<Int>, _ outputs: UnsafePointer<Int>, _ count: Int) -> PixelLines {
    if hasSingleWindow {
      return PixelLines(
        starts: starts, outputs: outputs, count: 1, length: count, step: rows.span(1) * copyLine,
        outputStep: rows.output * columns.output * rowWidth)
    }
    return PixelLines(
      starts: starts, outputs: outputs, count: count / columns.grid, length: columns.grid, step: columns.step * lanes,
      outputStep: columns.outputStep * rowWidth)
  }

  /// Copies some rows of one sample and panel, normalised, with zeros where they lie beyond the image.
  private func copyPart(
    _ x: PixelSource, _ panel: Int, _ sample: Int, _ firstRow: Int, _ height: Int, into target: MutableFloatPointer
  ) {
    let normalization = x.normalization?.panel(panel)
    let width = copyWidth, left = min(width, max(0, -columns.start))
    let inside = max(left, min(width, columns.input - columns.start))
    let lineLength = copyLine
    for row in 0..<height {
      let line = target + row * lineLength, inputRow = firstRow + row
      guard inputRow >= 0 && inputRow < rows.input else {
        clear(line, lineLength)
        continue
      }
      let start = (sample * rows.input + inputRow) * columns.input + columns.start + left
      let source = x.first + panel * x.panelStride + start * x.pixelFloats
      clear(line, left * lanes)
      clear(line + inside * lanes, lineLength - inside * lanes)
      let pixels = line + left * lanes, count = inside - left
      if lanes == rowWidth {
        copyRows(source, count, normalization: normalization, into: pixels)
      } else if x.pixelFloats == lanes {
        pixels.update(from: source, count: count * lanes)
      } else {
        for column in 0..<count {
          let value = load(source + column * rowWidth), seen = normalization?(value) ?? value
          for lane in 0..<lanes { pixels[column * lanes + lane] = seen[lane] }
        }
      }
    }
  }

  private func clear(_ floats: MutableFloatPointer, _ count: Int) { floats.update(repeating: 0, count: count) }
}

/// Where a correlation's input lies: panels, or images.
struct PixelSource {
  let first: FloatPointer
  /// Floats from panel to panel and from pixel to pixel.
  let panelStride, pixelFloats: Int
  let normalization: Normalization?

  init(_ x: Activation) {
    (first, panelStride, pixelFloats) = (FloatPointer(x.tensor.pointer), x.tensor.panelStride, rowWidth)
    normalization = x.normalization
  }

  init(_ images: Images) {
    (first, panelStride, pixelFloats) = (FloatPointer(images.pointer), 0, images.channels)
    normalization = nil
  }
}
