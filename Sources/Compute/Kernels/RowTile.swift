/// Where the pixels of a block lie, in floats: those that a window begins with in the input, and those of the output.
struct PixelTable {
  let inputs: UnsafeMutablePointer<Int>
  let outputs: UnsafeMutablePointer<Int>
}

/// The row tile: some output pixels × 16 channels, accumulated in registers over the whole of a block's runs.
///
/// out[pixel][0..<16] = start + Σ over runs, Σ over k in 0..<length, input[pixel + run + k] · weights[run][k][0..<16],
/// one fused multiply-add after the other. A tile that starts from the output continues such a sum, so cutting the runs
/// into blocks does not change the result.
///
/// - Parameters:
///   - rows: a literal at every call.
///   - runs: where each run of floats begins, relative to a pixel; the runs all have one length.
///   - start: 16 floats to start from, or nil for the output.
@inline(__always)
func rowTile(
  _ rows: Int, _ input: FloatPointer, _ pixels: PixelTable, _ first: Int, runs: UnsafePointer<Int>, _ runCount: Int,
  length: Int, _ weights: FloatPointer, start: FloatPointer?, _ output: MutableFloatPointer
) {
  let inputs = pixels.inputs + first, outputs = pixels.outputs + first
  var sums = start.map { TileSums(repeating: load($0)) } ?? TileSums(rows) { load(output + outputs[$0]) }
  @inline(__always) func add(_ a: FloatPointer, _ w: FloatPointer) {
    sums.add(rows, { a[inputs[$0]] }, times: load(w))
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
  sums.forEach(rows) { store($1, output + outputs[$0]) }
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
