/// Up to 6 rows of a 16 × 16 block of a product of a transposed panel with a panel.
///
/// - Parameter height: a literal at every call.
@inline(__always)
private func outerProductTile(
  _ height: Int, _ a: FloatPointer, _ b: FloatPointer, rows: Int, accumulate: Bool, _ block: MutableFloatPointer
) {
  var c0 = Row.zero, c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0
  @inline(__always) func add(_ a: FloatPointer, _ b: FloatPointer) {
    let row = load(b)
    c0 = c0.addingProduct(Row(repeating: a[0]), row)
    if height > 1 { c1 = c1.addingProduct(Row(repeating: a[1]), row) }
    if height > 2 { c2 = c2.addingProduct(Row(repeating: a[2]), row) }
    if height > 3 { c3 = c3.addingProduct(Row(repeating: a[3]), row) }
    if height > 4 { c4 = c4.addingProduct(Row(repeating: a[4]), row) }
    if height > 5 { c5 = c5.addingProduct(Row(repeating: a[5]), row) }
  }
  var a = a, b = b
  // Two rows at a time: the compiler does not unroll this, and a loop's end costs 3 % (measured).
  for _ in 0..<rows / 2 {
    add(a, b)
    add(a + rowWidth, b + rowWidth)
    a += 2 * rowWidth
    b += 2 * rowWidth
  }
  if rows % 2 == 1 { add(a, b) }
  @inline(__always) func put(_ sum: Row, _ index: Int) {
    let target = block + index * rowWidth
    store(accumulate ? load(target) + sum : sum, target)
  }
  put(c0, 0)
  if height > 1 { put(c1, 1) }
  if height > 2 { put(c2, 2) }
  if height > 3 { put(c3, 3) }
  if height > 4 { put(c4, 4) }
  if height > 5 { put(c5, 5) }
}

/// A 16 × 16 block of a weight gradient: block[i][0..<16] (+)= Σ over rows a[row][i] · b[row][0..<16], in the order of
/// the rows. The sum is added to what was there, so that long sums are sums of short ones.
///
/// 16 = 6 + 5 + 5: five rows of sums still cover the latency of a multiply-add.
@inline(never)
func outerProductBlock(
  _ a: FloatPointer, _ b: FloatPointer, rows: Int, accumulate: Bool, into block: MutableFloatPointer
) {
  outerProductTile(6, a, b, rows: rows, accumulate: accumulate, block)
  outerProductTile(5, a + 6, b, rows: rows, accumulate: accumulate, block + 6 * rowWidth)
  outerProductTile(5, a + 11, b, rows: rows, accumulate: accumulate, block + 11 * rowWidth)
}

/// The first rows of such a block, of a panel of which as many lanes are used.
@inline(never)
func outerProductRows(
  _ a: FloatPointer, lanes: Int, _ b: FloatPointer, rows: Int, accumulate: Bool, into block: MutableFloatPointer
) {
  forEachEvenTile(of: lanes) { height, first in
    outerProductTile(height, a + first, b, rows: rows, accumulate: accumulate, block + first * rowWidth)
  }
}
