/// Where the pixels of a block lie, in floats: those that a window begins with in the input, and those of the output.
struct PixelTable {
  let inputs: UnsafeMutablePointer<Int>
  let outputs: UnsafeMutablePointer<Int>
}

/// The row tile: up to 6 output pixels × 16 channels, accumulated in registers over the whole of a block's runs.
///
/// out[pixel][0..<16] = start + Σ over runs, Σ over k in 0..<length, input[pixel + run + k] · weights[run][k][0..<16],
/// one fused multiply-add after the other. A tile that starts from the output continues such a sum, so cutting the runs
/// into blocks does not change the result.
///
/// - Parameters:
///   - rows: a literal at every call: unused rows vanish when the call is inlined.
///   - runs: where each run of floats begins, relative to a pixel; the runs all have one length.
///   - start: 16 floats to start from, or nil for the output.
@inline(__always)
func rowTile(
  _ rows: Int, _ input: FloatPointer, _ pixels: PixelTable, _ first: Int, runs: UnsafePointer<Int>, _ runCount: Int,
  length: Int, _ weights: FloatPointer, start: FloatPointer?, _ output: MutableFloatPointer
) {
  let inputs = pixels.inputs + first, outputs = pixels.outputs + first
  let i0 = inputs[0]
  let i1 = rows > 1 ? inputs[1] : 0, i2 = rows > 2 ? inputs[2] : 0, i3 = rows > 3 ? inputs[3] : 0
  let i4 = rows > 4 ? inputs[4] : 0, i5 = rows > 5 ? inputs[5] : 0
  var c0 = Row.zero, c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0
  if let start {
    c0 = load(start)
    (c1, c2, c3, c4, c5) = (c0, c0, c0, c0, c0)
  } else {
    c0 = load(output + outputs[0])
    if rows > 1 { c1 = load(output + outputs[1]) }
    if rows > 2 { c2 = load(output + outputs[2]) }
    if rows > 3 { c3 = load(output + outputs[3]) }
    if rows > 4 { c4 = load(output + outputs[4]) }
    if rows > 5 { c5 = load(output + outputs[5]) }
  }
  @inline(__always) func add(_ a: FloatPointer, _ w: FloatPointer) {
    let b = load(w)
    c0 = c0.addingProduct(Row(repeating: a[i0]), b)
    if rows > 1 { c1 = c1.addingProduct(Row(repeating: a[i1]), b) }
    if rows > 2 { c2 = c2.addingProduct(Row(repeating: a[i2]), b) }
    if rows > 3 { c3 = c3.addingProduct(Row(repeating: a[i3]), b) }
    if rows > 4 { c4 = c4.addingProduct(Row(repeating: a[i4]), b) }
    if rows > 5 { c5 = c5.addingProduct(Row(repeating: a[i5]), b) }
  }
  var w = weights
  for run in 0..<runCount {
    var a = input + runs[run]
    // Two at a time: the compiler does not unroll this, and a loop's end costs 3 % (measured).
    for _ in 0..<length / 2 {
      add(a, w)
      add(a + 1, w + rowWidth)
      a += 2
      w += 2 * rowWidth
    }
    if length % 2 == 1 {
      add(a, w)
      w += rowWidth
    }
  }
  store(c0, output + outputs[0])
  if rows > 1 { store(c1, output + outputs[1]) }
  if rows > 2 { store(c2, output + outputs[2]) }
  if rows > 3 { store(c3, output + outputs[3]) }
  if rows > 4 { store(c4, output + outputs[4]) }
  if rows > 5 { store(c5, output + outputs[5]) }
}

/// All pixels of a block for one output panel, in row tiles.
@inline(never)
func rowBlock(
  _ input: FloatPointer, _ pixels: PixelTable, _ count: Int, runs: UnsafePointer<Int>, _ runCount: Int, length: Int,
  _ weights: FloatPointer, start: FloatPointer?, _ output: MutableFloatPointer
) {
  forEachTile(of: count) { rows, first in
    rowTile(rows, input, pixels, first, runs: runs, runCount, length: length, weights, start: start, output)
  }
}
