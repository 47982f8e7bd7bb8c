/// The narrow tile: some rows × 16 columns of a product of one panel, of which a few lanes are used.
///
/// out[row][0..<16] = Σ over the lanes a[row][lane] · weights[lane][0..<16]. A sum is so short that a table of panels and
/// a start, as the product tile has them, would count.
///
/// - Parameter rows: a literal at every call.
@inline(__always)
private func narrowTile(
  _ rows: Int, _ a: FloatPointer, _ lanes: Int, _ weights: FloatPointer, into output: MutableFloatPointer
) {
  var sums = TileSums(repeating: .zero)
  @inline(__always) func add(_ a: FloatPointer, _ w: FloatPointer) {
    sums.add(rows, { a[$0 * rowWidth] }, times: load(w))
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
  sums.forEach(rows) { store($1, output + $0 * rowWidth) }
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
