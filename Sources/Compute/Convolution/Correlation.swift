/// One pass of the direct method: windows over a tensor at the pixels of a grid, each of which is an output pixel.
///
/// A convolution's forward pass is one; its gradient with respect to the input is one for each phase of the stride. The
/// grid's pixels of all samples, in order, are cut into blocks. Where windows reach over the image's edge, or where the
/// only panel is not full, the rows that a block needs are first copied into scratch, with zeros around them and without
/// the unused lanes. One row of a window is then one run of consecutive floats in each panel.
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

    var reachesOver: Bool { start < 0 || start + (grid - 1) * step + kernel > input }
    /// Pixels that this many consecutive windows touch.
    func span(_ windows: Int) -> Int { (windows - 1) * step + kernel }
  }

  let rows, columns: Axis
  let inputPanels, outputPanels: Int
  /// Floats of a pixel in a run: 16, or the channels of a single panel that is not full.
  let lanes: Int
  /// Whether blocks are copied into scratch.
  let copies: Bool
  /// Grid pixels of a block: whole rows of the grid if blocks are copied.
  let blockPixels: Int

  /// About as many pixels as keep a block's panels in the second-level cache; measured in the prototype of this design,
  /// where anything from 48 to 288 was within 3 %.
  private static let targetPixels = 96
  /// Floats of a run block's weights for one output panel stay within half of a first-level cache.
  private static let weightRows = 288

  init(rows: Axis, columns: Axis, inputChannels: Int, outputChannels: Int) {
    (self.rows, self.columns) = (rows, columns)
    inputPanels = dividedUp(inputChannels, rowWidth)
    outputPanels = dividedUp(outputChannels, rowWidth)
    lanes = inputChannels < rowWidth ? inputChannels : rowWidth
    copies = lanes < rowWidth || rows.reachesOver || columns.reachesOver
    blockPixels = copies ? max(1, Self.targetPixels / columns.grid) * columns.grid : Self.targetPixels
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
    tableScratch + (copies ? panels * copyPanelStride : 0)
  }
  /// Floats that hold the two integers of each pixel.
  private var tableScratch: Int { dividedUp(4 * blockPixels, rowWidth) * rowWidth }
  /// Floats that hold an integer for each run.
  var runScratch: Int { dividedUp(2 * runCount, rowWidth) * rowWidth }

  /// Writes where each run begins, relative to a window's first pixel in the first panel.
  func writeRuns(_ panelStride: Int, into scratch: MutableFloatPointer) -> UnsafePointer<Int> {
    let runs = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Int.self)
    for panel in 0..<inputPanels {
      for row in 0..<rows.kernel { runs[panel * rows.kernel + row] = runOffset(panel: panel, row: row, panelStride) }
    }
    return UnsafePointer(runs)
  }

  /// Where a window's row begins in a panel, relative to the window's first pixel in the first panel.
  @inline(__always) func runOffset(panel: Int, row: Int, _ panelStride: Int) -> Int {
    copies
      ? panel * copyPanelStride + row * copyWidth * lanes : panel * panelStride + row * columns.input * rowWidth
  }

  // MARK: Blocks

  /// Prepares a block: its pixel table and, where needed, its copy of some panels.
  ///
  /// - Returns: the table, and the address that its input offsets are relative to in the first of the panels.
  @inline(never)
  func prepare(
    _ x: PanelTensor, panels: Range<Int>, block: Range<Int>, scratch: MutableFloatPointer
  ) -> (pixels: PixelTable, input: FloatPointer) {
    let inputs = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: Int.self)
    let pixels = PixelTable(inputs: inputs, outputs: inputs + blockPixels)
    let copy = scratch + tableScratch
    let pixelsOfSample = rows.grid * columns.grid
    var pixel = block.lowerBound, copiedRows = 0
    // One part for each sample that the block touches.
    while pixel < block.upperBound {
      let sample = pixel / pixelsOfSample
      let end = min(block.upperBound, (sample + 1) * pixelsOfSample)
      let firstRow = (pixel - sample * pixelsOfSample) / columns.grid
      let lastRow = (end - 1 - sample * pixelsOfSample) / columns.grid
      let partStart = copiedRows * copyWidth * lanes
      if copies {
        let height = rows.span(lastRow - firstRow + 1)
        for panel in panels {
          copyPart(
            x, panel, sample, rows.start + firstRow * rows.step, height,
            into: copy + (panel - panels.lowerBound) * copyPanelStride + partStart)
        }
        copiedRows += height
      }
      fillTable(pixels, from: pixel - block.lowerBound, pixel..<end, sample, firstRow, partStart)
      pixel = end
    }
    return (pixels, copies ? FloatPointer(copy) : FloatPointer(x.panel(panels.lowerBound)))
  }

  /// Writes where the pixels of a part lie, all of one sample.
  private func fillTable(
    _ pixels: PixelTable, from start: Int, _ part: Range<Int>, _ sample: Int, _ firstRow: Int, _ partStart: Int
  ) {
    let inputStep = columns.step * lanes, outputStep = columns.outputStep * rowWidth
    var index = start, row = firstRow, column = part.lowerBound % columns.grid
    while index < start + part.count {
      let inputRow =
        copies
        ? partStart + (row - firstRow) * rows.step * copyWidth * lanes
        : ((sample * rows.input + rows.start + row * rows.step) * columns.input + columns.start) * rowWidth
      let outputRow = (sample * rows.output + rows.outputStart + row * rows.outputStep) * columns.output
      let outputStart = (outputRow + columns.outputStart) * rowWidth
      let end = min(columns.grid, column + start + part.count - index)
      while column < end {
        pixels.inputs[index] = inputRow + column * inputStep
        pixels.outputs[index] = outputStart + column * outputStep
        index += 1
        column += 1
      }
      column = 0
      row += 1
    }
  }

  /// Copies some rows of one sample and panel, with zeros where they lie beyond the image.
  private func copyPart(
    _ x: PanelTensor, _ panel: Int, _ sample: Int, _ firstRow: Int, _ height: Int, into target: MutableFloatPointer
  ) {
    let width = copyWidth, left = max(0, -columns.start)
    let inside = max(left, min(width, columns.input - columns.start))
    let lineLength = width * lanes
    for row in 0..<height {
      let line = target + row * lineLength, inputRow = firstRow + row
      guard inputRow >= 0 && inputRow < rows.input else {
        for index in 0..<lineLength { line[index] = 0 }
        continue
      }
      let source =
        FloatPointer(x.panel(panel)) + ((sample * rows.input + inputRow) * columns.input + columns.start) * rowWidth
      for index in 0..<left * lanes { line[index] = 0 }
      for index in inside * lanes..<lineLength { line[index] = 0 }
      if lanes == rowWidth {
        copyRows(source + left * rowWidth, inside - left, into: line + left * rowWidth)
      } else {
        for column in left..<inside {
          for lane in 0..<lanes { line[column * lanes + lane] = source[column * rowWidth + lane] }
        }
      }
    }
  }
}
