/// The pixels of a block as lines of equal length and step.
struct PixelLines {
  /// Where each line begins, in floats, in the input and in the output.
  let starts, outputs: UnsafePointer<Int>
  let count: Int
  /// Pixels of a line.
  let length: Int
  /// Floats from one pixel to the next, in the input and in the output.
  let step, outputStep: Int
}

/// The outer tile: some rows × 16 or 32 columns of a weight gradient, accumulated in registers over a block of pixels.
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
  lines.forEachPixel(of: x) { a, pixel in sums.add(rows, { a[$0] }, times: load(dy + pixel)) }
  put(sums, rows, accumulate: accumulate, gradient)
}

/// The same rows for two output panels.
@inline(__always)
private func outerTile(
  _ rows: Int, _ x: FloatPointer, _ lines: PixelLines, _ dy: FloatPointer, _ otherDy: FloatPointer, accumulate: Bool,
  _ gradient: MutableFloatPointer, _ other: MutableFloatPointer
) {
  var sums = TileSums(repeating: .zero), otherSums = sums
  lines.forEachPixel(of: x) { a, pixel in
    TileSums.add(
      rows, { a[$0] }, to: &sums, times: load(dy + pixel), to: &otherSums, times: load(otherDy + pixel))
  }
  put(sums, rows, accumulate: accumulate, gradient)
  put(otherSums, rows, accumulate: accumulate, other)
}

extension PixelLines {
  /// Calls a body with each pixel's address in the input and the floats up to it in consecutive ones.
  @inline(__always)
  fileprivate func forEachPixel(of x: FloatPointer, _ body: (_ a: FloatPointer, _ pixel: Int) -> Void) {
    var pixel = 0
    for line in 0..<count {
      var a = x + starts[line]
      // Two pixels at a time: the compiler does not unroll this, and a loop's end costs 3 % (measured).
      for _ in 0..<length / 2 {
        body(a, pixel)
        body(a + step, pixel + rowWidth)
        a += 2 * step
        pixel += 2 * rowWidth
      }
      if length % 2 == 1 {
        body(a, pixel)
        pixel += rowWidth
      }
    }
  }
}

@inline(__always)
private func put(_ sums: TileSums, _ rows: Int, accumulate: Bool, _ gradient: MutableFloatPointer) {
  sums.forEach(rows) { index, sum in
    let target = gradient + index * rowWidth
    store(accumulate ? load(target) + sum : sum, target)
  }
}

/// `rows` consecutive rows of a weight gradient (one row of the window, its columns and input channels) for one output
/// panel, in outer tiles of nearly equal height.
///
/// - Parameter second: the gradient of another output panel and where its rows go, where a tile has two (`tilePanels`).
@inline(never)
func outerBlock(
  _ x: FloatPointer, _ lines: PixelLines, _ dy: FloatPointer, rows: Int, accumulate: Bool,
  _ gradient: MutableFloatPointer, and second: (dy: FloatPointer, gradient: MutableFloatPointer)? = nil
) {
  #if LANES_16
    if let second {
      return forEachEvenTile(of: rows) { height, first in
        outerTile(
          height, x + first, lines, dy, second.dy, accumulate: accumulate, gradient + first * rowWidth,
          second.gradient + first * rowWidth)
      }
    }
  #endif
  forEachEvenTile(of: rows) { height, first in
    outerTile(height, x + first, lines, dy, accumulate: accumulate, gradient + first * rowWidth)
  }
}
