/// The pixels of a block as lines of equal length and step.
struct PixelLines {
  /// Where lines begin in the input, in floats: every `startStep`-th element.
  let starts: UnsafePointer<Int>
  let startStep: Int
  let count: Int
  /// Pixels of a line, and floats from one to the next.
  let length, step: Int

  init(starts: UnsafePointer<Int>, startStep: Int, count: Int, length: Int, step: Int) {
    (self.starts, self.startStep, self.count, self.length, self.step) = (starts, startStep, count, length, step)
  }
}

/// The outer tile: some rows × 16 columns of a weight gradient, accumulated in registers over a block of pixels.
///
/// gradient[r][0..<16] (+)= Σ over pixels x[pixel + r] · dy[pixel][0..<16], in the order of the pixels; the sum of a block is
/// added to what was there, so that long sums are sums of short ones.
///
/// - Parameters:
///   - rows: a literal at every call.
///   - lines: where the pixels' floats begin in `x`; those of `dy` are consecutive.
@inline(__always)
private func outerTile(
  _ rows: Int, _ x: FloatPointer, _ lines: PixelLines, _ dy: FloatPointer, accumulate: Bool,
  _ gradient: MutableFloatPointer
) {
  var sums = TileSums(repeating: .zero)
  @inline(__always) func add(_ a: FloatPointer, _ b: FloatPointer) { sums.add(rows, { a[$0] }, times: load(b)) }
  var b = dy
  for line in 0..<lines.count {
    var a = x + lines.starts[line * lines.startStep]
    // Two pixels at a time: the compiler does not unroll this, and a loop's end costs 3 % (measured).
    for _ in 0..<lines.length / 2 {
      add(a, b)
      add(a + lines.step, b + rowWidth)
      a += 2 * lines.step
      b += 2 * rowWidth
    }
    if lines.length % 2 == 1 {
      add(a, b)
      b += rowWidth
    }
  }
  sums.forEach(rows) { index, sum in
    let target = gradient + index * rowWidth
    store(accumulate ? load(target) + sum : sum, target)
  }
}

/// `rows` consecutive rows of a weight gradient (one row of the window, its columns and input channels) for one output
/// panel, in outer tiles of nearly equal height.
@inline(never)
func outerBlock(
  _ x: FloatPointer, _ lines: PixelLines, _ dy: FloatPointer, rows: Int, accumulate: Bool,
  _ gradient: MutableFloatPointer
) {
  forEachEvenTile(of: rows) { height, first in
    outerTile(height, x + first, lines, dy, accumulate: accumulate, gradient + first * rowWidth)
  }
}
