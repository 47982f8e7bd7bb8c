/// The weights of a pass.
enum WinogradFilters {
  /// At the points, as `pack` or `packTransposed` wrote them.
  case packed(FloatPointer)
  /// As they are, [outputChannels, inputChannels, kernelHeight, kernelWidth].
  case unpacked(FloatPointer)
}

/// Convolutions of stride 1 by Winograd's method: tiles of the input and the filters are transformed to points, where a
/// convolution is one matrix product for each point; the output is transformed back. The gradients are the exact
/// adjoints.
///
/// V = B′ d B and U = G g G′ are the data and the filters at the points, M = Σ V U, Y = A′ M A. Backward, one transform
/// of the output's gradient, dM = A dY A′, gives both dU = V′ dM with dg = G′ dU G, and dV = dM U′ with dX = B dV B′,
/// where tiles that overlap are added. All matrices are in panels, [point][panel][tile][16]. Rows and columns each have
/// their own scheme.
///
/// - Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015.
struct Winograd: Sendable {
  let geometry: ConvolutionGeometry
  let rows, columns: WinogradAxis
  let inputPanels, outputPanels: Int
  /// Tiles of a strip whose columns are transformed before its tiles are, while they are in the first-level cache.
  let chunkTiles: Int

  /// Whether windows of this shape are computed so. Those of four taps are not, whose errors are twice as large.
  static func suits(_ geometry: ConvolutionGeometry) -> Bool {
    takes(geometry) && geometry.kernelHeight != 4 && geometry.kernelWidth != 4
  }

  /// Whether windows of this shape can be computed so. With a few channels only, the unused lanes of a panel cost more than
  /// is saved.
  static func takes(_ geometry: ConvolutionGeometry) -> Bool {
    guard geometry.strideHeight == 1 && geometry.strideWidth == 1 else { return false }
    guard geometry.paddingHeight < geometry.kernelHeight && geometry.paddingWidth < geometry.kernelWidth else {
      return false
    }
    guard WinogradScheme(taps: geometry.kernelHeight) != nil && WinogradScheme(taps: geometry.kernelWidth) != nil else {
      return false
    }
    let taps = geometry.kernelHeight * geometry.kernelWidth
    // The errors of the axes multiply: those of nine points are too large beside another axis'.
    guard taps == 7 || (geometry.kernelHeight != 7 && geometry.kernelWidth != 7) else { return false }
    return taps > 1 && geometry.inputChannels >= fewestChannels && geometry.outputChannels >= fewestChannels
  }

  private static let fewestChannels = 12

  init(_ geometry: ConvolutionGeometry, inputHeight: Int, inputWidth: Int) {
    self.init(
      geometry, inputHeight: inputHeight, inputWidth: inputWidth, outputHeight: geometry.outputHeight(inputHeight),
      outputWidth: geometry.outputWidth(inputWidth))
  }

  /// The same for an output that takes more or less padding below and on the right.
  init(_ geometry: ConvolutionGeometry, inputHeight: Int, inputWidth: Int, outputHeight: Int, outputWidth: Int) {
    guard Self.takes(geometry), let vertical = WinogradScheme(taps: geometry.kernelHeight),
      let horizontal = WinogradScheme(taps: geometry.kernelWidth)
    else { fatalError("Winograd's method does not take this window") }
    self.geometry = geometry
    rows = WinogradAxis(vertical, input: inputHeight, output: outputHeight, padding: geometry.paddingHeight)
    columns = WinogradAxis(horizontal, input: inputWidth, output: outputWidth, padding: geometry.paddingWidth)
    inputPanels = dividedUp(geometry.inputChannels, rowWidth)
    outputPanels = dividedUp(geometry.outputChannels, rowWidth)
    chunkTiles = Self.chunkColumns / horizontal.outputs
  }

  private static let chunkColumns = 32

  // MARK: Sizes

  /// Points at which data, filters and outputs are evaluated.
  var points: Int { rows.scheme.points * columns.scheme.points }

  /// Floats from one point's filters to the next's: an odd number of lines, so that they fall into different sets of a
  /// cache.
  var filterSlice: Int { inputPanels * outputPanels * rowWidth * rowWidth + rowWidth }
  /// Floats from one point's matrix to the next's, for some panels of so many tiles; again an odd number of lines.
  func slice(panels: Int, tiles: Int) -> Int { (panels * tiles | 1) * rowWidth }

  /// Floats of the filters at the points, [point][output panel][16 · input panels][16].
  var packedCount: Int { points * filterSlice }
  /// Floats of the transposed filters, [point][input panel][16 · output panels][16].
  var packedTransposedCount: Int { points * filterSlice }

  /// Columns of a chunk.
  var bufferColumns: Int { chunkTiles * columns.scheme.outputs + columns.overlap }
  /// Floats that hold a chunk's transformed columns.
  var bufferFloats: Int { rows.scheme.points * bufferColumns * rowWidth }
  /// Floats that hold the lines that a strip leaves to the next.
  var carryFloats: Int { rows.overlap * columns.input * rowWidth }
  /// Floats that hold the addresses of some panels.
  func tableFloats(_ panels: Int) -> Int { dividedUp(2 * panels, rowWidth) * rowWidth }

  /// Floats of scratch that any of the calls needs.
  func scratchCount(batch: Int, threads: Int) -> Int {
    max(forwardScratch(batch: batch, threads: threads), backwardScratch(batch: batch, threads: threads))
  }

  /// The range of a block's tiles that take a point.
  @inline(__always)
  func range(_ point: Int, _ block: WinogradBlock) -> Range<Int> {
    let row = point / columns.scheme.points, column = point % columns.scheme.points
    return block.range(rows.users(row), columns.users(column))
  }

  /// Writes where the panels of a matrix begin at its first point.
  @inline(__always)
  func writeTable(
    _ matrix: MutableFloatPointer, panels: Int, panelFloats: Int, at scratch: MutableFloatPointer
  ) -> UnsafePointer<MutableFloatPointer> {
    let table = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: MutableFloatPointer.self)
    for panel in 0..<panels { table[panel] = matrix + panel * panelFloats }
    return UnsafePointer(table)
  }

  /// Panels that are summed up at a time, about: 128 channels. Their weights fit a first-level cache, and sums of short
  /// sums are more exact than long ones. Part of the result: a constant.
  static let chunkPanels = 8

  /// Products of some rows of a matrix in panels with some output panels' weights.
  ///
  /// - Parameters:
  ///   - offset: floats from the table's addresses to the first row.
  ///   - outputs: how many output panels.
  ///   - weights: those of the first; the next one's follow.
  ///   - outputFloats: floats from one output panel to the next.
  @inline(__always)
  func multiply(
    _ table: UnsafePointer<MutableFloatPointer>, panels: Int, offset: Int, rows: Int, outputs: Int,
    _ weights: FloatPointer, zeros: FloatPointer, into output: MutableFloatPointer, outputFloats: Int
  ) {
    let chunks = dividedUp(panels, Self.chunkPanels)
    for panel in stride(from: 0, to: outputs, by: tilePanels) {
      for chunk in 0..<chunks {
        let first = panels * chunk / chunks, end = panels * (chunk + 1) / chunks
        @inline(__always) func columns(_ panel: Int) -> ProductColumns {
          ProductColumns(
            weights: weights + (panel * panels + first) * rowWidth * rowWidth, start: zeros,
            output: output + panel * outputFloats)
        }
        productBlock(
          table + first, end - first, offset: offset, rows: rows, columns(panel),
          and: panel + 1 < min(outputs, panel + tilePanels) ? columns(panel + 1) : nil, adding: chunk > 0)
      }
    }
  }
}
