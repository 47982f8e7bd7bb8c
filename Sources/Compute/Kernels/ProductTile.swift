/// The product tile: up to 6 rows × 16 columns of a matrix product on panels, accumulated in registers over all of k.
///
/// out[row][0..<16] = start + Σ over panels, Σ over k in 0..<16, panel[row][k] · weights[panel][k][0..<16], one fused
/// multiply-add after the other. A tile that starts from the output continues such a sum, so cutting the panels into
/// blocks does not change the result.
///
/// - Parameters:
///   - rows: a literal at every call: unused rows vanish when the call is inlined.
///   - panels: where the matrix's panels begin; a row is 16 floats of each.
///   - offset: floats from there to the tile's first row.
///   - start: 16 floats to start from, or nil for the output.
///   - adding: whether the sum is added to the output, rather than replacing it.
@inline(__always)
private func productTile(
  _ rows: Int, _ panels: UnsafePointer<MutableFloatPointer>, _ panelCount: Int, offset: Int, _ weights: FloatPointer,
  start: FloatPointer?, adding: Bool, _ output: MutableFloatPointer
) {
  var c0 = Row.zero, c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0
  if let start {
    c0 = load(start)
    (c1, c2, c3, c4, c5) = (c0, c0, c0, c0, c0)
  } else {
    c0 = load(output)
    if rows > 1 { c1 = load(output + rowWidth) }
    if rows > 2 { c2 = load(output + 2 * rowWidth) }
    if rows > 3 { c3 = load(output + 3 * rowWidth) }
    if rows > 4 { c4 = load(output + 4 * rowWidth) }
    if rows > 5 { c5 = load(output + 5 * rowWidth) }
  }
  @inline(__always) func add(_ a: FloatPointer, _ w: FloatPointer) {
    let b = load(w)
    c0 = c0.addingProduct(Row(repeating: a[0]), b)
    if rows > 1 { c1 = c1.addingProduct(Row(repeating: a[rowWidth]), b) }
    if rows > 2 { c2 = c2.addingProduct(Row(repeating: a[2 * rowWidth]), b) }
    if rows > 3 { c3 = c3.addingProduct(Row(repeating: a[3 * rowWidth]), b) }
    if rows > 4 { c4 = c4.addingProduct(Row(repeating: a[4 * rowWidth]), b) }
    if rows > 5 { c5 = c5.addingProduct(Row(repeating: a[5 * rowWidth]), b) }
  }
  var w = weights
  for panel in 0..<panelCount {
    var a = FloatPointer(panels[panel]) + offset
    // Two at a time: the compiler does not unroll this, and a loop's end costs 3 % (measured).
    for _ in 0..<rowWidth / 2 {
      add(a, w)
      add(a + 1, w + rowWidth)
      a += 2
      w += 2 * rowWidth
    }
  }
  @inline(__always) func put(_ sum: Row, _ index: Int) {
    let target = output + index * rowWidth
    store(adding ? load(target) + sum : sum, target)
  }
  put(c0, 0)
  if rows > 1 { put(c1, 1) }
  if rows > 2 { put(c2, 2) }
  if rows > 3 { put(c3, 3) }
  if rows > 4 { put(c4, 4) }
  if rows > 5 { put(c5, 5) }
}

/// Consecutive rows of a matrix product on panels, for one output panel.
///
/// - Parameters:
///   - panels: where the matrix's panels begin; a row is 16 floats of each.
///   - offset: floats from there to the first row.
///   - weights: [panelCount · 16][16].
///   - start: 16 floats to start every row's sum from, or nil to start from the output.
///   - adding: whether the sums are added to what was in the output: long sums that are sums of short ones are more
///     exact.
@inline(never)
func productBlock(
  _ panels: UnsafePointer<MutableFloatPointer>, _ panelCount: Int, offset: Int, rows: Int, _ weights: FloatPointer,
  start: FloatPointer?, adding: Bool = false, into output: MutableFloatPointer
) {
  forEachTile(of: rows) { height, first in
    productTile(
      height, panels, panelCount, offset: offset + first * rowWidth, weights, start: start, adding: adding,
      output + first * rowWidth)
  }
}
