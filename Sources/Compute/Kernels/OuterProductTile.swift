/// Some rows of a 16 × 16 block of a product of a transposed panel with a panel.
///
/// - Parameter height: a literal at every call.
@inline(__always)
private func outerProductTile(
  _ height: Int, _ a: FloatPointer, _ b: FloatPointer, rows: Int, accumulate: Bool, _ block: MutableFloatPointer
) {
  var sums = TileSums(repeating: .zero)
  forEachRow(rows) { row in sums.add(height, { a[row + $0] }, times: load(b + row)) }
  put(sums, height, accumulate: accumulate, block)
}

/// The same rows of two blocks.
@inline(__always)
private func outerProductTile(
  _ height: Int, _ a: FloatPointer, _ b: FloatPointer, _ d: FloatPointer, rows: Int, accumulate: Bool,
  _ block: MutableFloatPointer, _ other: MutableFloatPointer
) {
  var sums = TileSums(repeating: .zero), otherSums = sums
  forEachRow(rows) { row in
    TileSums.add(height, { a[row + $0] }, to: &sums, times: load(b + row), to: &otherSums, times: load(d + row))
  }
  put(sums, height, accumulate: accumulate, block)
  put(otherSums, height, accumulate: accumulate, other)
}

/// Calls a body with the floats up to each row.
@inline(__always)
private func forEachRow(_ rows: Int, _ body: (_ row: Int) -> Void) {
  var row = 0
  // Two rows at a time: the compiler does not unroll this, and a loop's end costs 3 % (measured).
  for _ in 0..<rows / 2 {
    body(row)
    body(row + rowWidth)
    row += 2 * rowWidth
  }
  if rows % 2 == 1 { body(row) }
}

@inline(__always)
private func put(_ sums: TileSums, _ height: Int, accumulate: Bool, _ block: MutableFloatPointer) {
  sums.forEach(height) { index, sum in
    let target = block + index * rowWidth
    store(accumulate ? load(target) + sum : sum, target)
  }
}

/// A 16 × 16 block of a weight gradient, or the first `lanes` rows of it: block[i][0..<16] (+)= Σ over rows
/// a[row][i] · b[row][0..<16], in the order of the rows. The sum is added to what was there, so that long sums are sums of
/// short ones.
///
/// - Parameter second: the panel and the block of another product with a, where a tile has two panels (`tilePanels`).
@inline(never)
func outerProductBlock(
  _ a: FloatPointer, lanes: Int = rowWidth, _ b: FloatPointer, rows: Int, accumulate: Bool,
  into block: MutableFloatPointer, and second: (b: FloatPointer, block: MutableFloatPointer)? = nil
) {
  #if LANES_16
    if let second {
      return forEachEvenTile(of: lanes) { height, first in
        outerProductTile(
          height, a + first, b, second.b, rows: rows, accumulate: accumulate, block + first * rowWidth,
          second.block + first * rowWidth)
      }
    }
  #endif
  forEachEvenTile(of: lanes) { height, first in
    outerProductTile(height, a + first, b, rows: rows, accumulate: accumulate, block + first * rowWidth)
  }
}
