/// The narrow tile: up to 6 rows × 16 columns of a product of one panel, of which a few lanes are used.
///
/// out[row][0..<16] = Σ over the lanes a[row][lane] · weights[lane][0..<16]. A sum is so short that a table of panels and
/// a start, as the product tile has them, would count.
///
/// - Parameter rows: a literal at every call.
@inline(__always)
private func narrowTile(
  _ rows: Int, _ a: FloatPointer, _ lanes: Int, _ weights: FloatPointer, into output: MutableFloatPointer
) {
  var c0 = Row.zero, c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0
  @inline(__always) func add(_ a: FloatPointer, _ w: FloatPointer) {
    let b = load(w)
    c0 = c0.addingProduct(Row(repeating: a[0]), b)
    if rows > 1 { c1 = c1.addingProduct(Row(repeating: a[rowWidth]), b) }
    if rows > 2 { c2 = c2.addingProduct(Row(repeating: a[2 * rowWidth]), b) }
    if rows > 3 { c3 = c3.addingProduct(Row(repeating: a[3 * rowWidth]), b) }
    if rows > 4 { c4 = c4.addingProduct(Row(repeating: a[4 * rowWidth]), b) }
    if rows > 5 { c5 = c5.addingProduct(Row(repeating: a[5 * rowWidth]), b) }
  }
  var a = a, w = weights
  // Three at a time, as the lanes are those of so many channels.
  for _ in 0..<lanes / 3 {
    add(a, w)
    add(a + 1, w + rowWidth)
    add(a + 2, w + 2 * rowWidth)
    a += 3
    w += 3 * rowWidth
  }
  for _ in 0..<lanes % 3 {
    add(a, w)
    a += 1
    w += rowWidth
  }
  store(c0, output)
  if rows > 1 { store(c1, output + rowWidth) }
  if rows > 2 { store(c2, output + 2 * rowWidth) }
  if rows > 3 { store(c3, output + 3 * rowWidth) }
  if rows > 4 { store(c4, output + 4 * rowWidth) }
  if rows > 5 { store(c5, output + 5 * rowWidth) }
}

/// Consecutive rows of such a product, for one output panel.
@inline(never)
func narrowProduct(
  _ a: FloatPointer, lanes: Int, rows: Int, _ weights: FloatPointer, into output: MutableFloatPointer
) {
  forEachTile(of: rows) { height, first in
    narrowTile(height, a + first * rowWidth, lanes, weights, into: output + first * rowWidth)
  }
}
