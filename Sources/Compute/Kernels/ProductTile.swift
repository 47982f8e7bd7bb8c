import CPlatform

/// What an output panel of a product is made of.
struct ProductColumns {
  /// A row of 16 for each element of the other matrix' rows.
  let weights: FloatPointer
  /// 16 floats to start every row's sum from, or nil to start from the output.
  let start: FloatPointer?
  /// The first row.
  let output: MutableFloatPointer

  /// What the sums of some rows start from.
  ///
  /// - Parameters:
  ///   - first: floats up to the first of these rows.
  ///   - step: floats from one row to the next.
  @inline(__always)
  func sums(_ rows: Int, at first: Int, step: Int = rowWidth) -> TileSums {
    if let start { return TileSums(repeating: load(start)) }
    let source = output + first
    return TileSums(rows) { load(source + $0 * step) }
  }

  @inline(__always)
  func put(_ sums: TileSums, _ rows: Int, at first: Int, step: Int = rowWidth, adding: Bool) {
    let firstRow = output + first
    sums.forEach(rows) { index, sum in
      let target = firstRow + index * step
      store(adding ? load(target) + sum : sum, target)
    }
  }
}

/// What a product asks memory for while it computes: what it has not read yet, and soon will.
struct ProductPrefetches {
  /// Where the panels of a tensor that is not in a near cache begin, for each that is multiplied; nil if it is.
  var rows: UnsafePointer<MutableFloatPointer>?
  /// How far behind the tile's own rows those lie that are asked for.
  var distance = 0
  /// The weights that come next: a line of them with each panel of a tile, so that a block asks for as many as it reads.
  var weights: FloatPointer?
}

/// The matrix whose rows are multiplied.
private struct ProductPanels {
  /// Where its panels begin; a row is 16 floats of each.
  let table: UnsafePointer<MutableFloatPointer>
  let count: Int
  /// Floats from there to the first row.
  let offset: Int
  let prefetches: ProductPrefetches

  /// Rows of a tile for which a line of the next weights is asked for: those of a block that is as long as the convolutions'.
  private static let rowsPerLine = PointwiseConvolution.blockPixels / rowWidth

  /// Calls a body with each column's element of the first of some rows, a row's width from the next one's, and the floats up
  /// to the column's weights.
  @inline(__always)
  func forEach(_ rows: Int, from first: Int, _ body: (_ a: FloatPointer, _ weight: Int) -> Void) {
    for panel in 0..<count {
      var a = FloatPointer(table[panel]) + offset + first * rowWidth
      let weights = panel * rowWidth * rowWidth
      if let table = prefetches.rows {
        let next = FloatPointer(table[panel]) + offset + (first + prefetches.distance) * rowWidth
        for row in 0..<rows { platform_prefetch(next + row * rowWidth) }
      }
      if let next = prefetches.weights {
        platform_prefetch(next + (first / Self.rowsPerLine * count + panel) * rowWidth)
      }
      // Two at a time: the compiler does not unroll this, and a loop's end costs 3 % (measured).
      for pair in 0..<rowWidth / 2 {
        body(a, weights + 2 * pair * rowWidth)
        body(a + 1, weights + (2 * pair + 1) * rowWidth)
        a += 2
      }
    }
  }
}

/// The product tile: some rows × 16 or 32 columns of a matrix product on panels, accumulated in registers over all of k.
///
/// out[row][0..<16] = start + Σ over panels, Σ over k in 0..<16, panel[row][k] · weights[panel][k][0..<16], one fused
/// multiply-add after the other. A tile that starts from the output continues such a sum, so cutting the panels into
/// blocks does not change the result; nor does it who shares a tile.
///
/// - Parameter rows: a literal at every call.
@inline(__always)
private func productTile(
  _ rows: Int, _ panels: ProductPanels, from first: Int, _ columns: ProductColumns, adding: Bool
) {
  var sums = columns.sums(rows, at: first * rowWidth)
  panels.forEach(rows, from: first) { a, weight in
    sums.add(rows, { a[$0 * rowWidth] }, times: load(columns.weights + weight))
  }
  columns.put(sums, rows, at: first * rowWidth, adding: adding)
}

@inline(__always)
private func productTile(
  _ rows: Int, _ panels: ProductPanels, from first: Int, _ columns: ProductColumns, _ others: ProductColumns,
  adding: Bool
) {
  var sums = columns.sums(rows, at: first * rowWidth), otherSums = others.sums(rows, at: first * rowWidth)
  panels.forEach(rows, from: first) { a, weight in
    TileSums.add(
      rows, { a[$0 * rowWidth] }, to: &sums, times: load(columns.weights + weight), to: &otherSums,
      times: load(others.weights + weight))
  }
  columns.put(sums, rows, at: first * rowWidth, adding: adding)
  others.put(otherSums, rows, at: first * rowWidth, adding: adding)
}

/// Consecutive rows of a matrix product on panels, for one output panel, or for two where a tile has as many (`tilePanels`).
///
/// - Parameters:
///   - panels: where the matrix's panels begin; a row is 16 floats of each.
///   - offset: floats from there to the first row.
///   - adding: whether the sums are added to what was in the output: long sums that are sums of short ones are more
///     exact.
@inline(never)
func productBlock(
  _ panels: UnsafePointer<MutableFloatPointer>, _ panelCount: Int, offset: Int, rows: Int, _ columns: ProductColumns,
  and others: ProductColumns? = nil, adding: Bool = false,
  prefetches: ProductPrefetches = ProductPrefetches()
) {
  let panels = ProductPanels(table: panels, count: panelCount, offset: offset, prefetches: prefetches)
  #if LANES_16
    if let others {
      return forEachTile(of: rows) { productTile($0, panels, from: $1, columns, others, adding: adding) }
    }
  #endif
  forEachTile(of: rows) { productTile($0, panels, from: $1, columns, adding: adding) }
}
