/// The runs of consecutive floats that a window is made of, all of one length.
struct WindowRuns {
  /// Where each begins, relative to the window's first pixel.
  let starts: UnsafePointer<Int>
  let count, length: Int

  init(starts: UnsafePointer<Int>, count: Int, length: Int) {
    (self.starts, self.count, self.length) = (starts, count, length)
  }

  /// Calls a body with each element of a window and the floats up to its weights.
  @inline(__always) func forEach(from window: FloatPointer, _ body: (_ a: FloatPointer, _ weight: Int) -> Void) {
    var weight = 0
    for run in 0..<count {
      var a = window + starts[run]
      // Two at a time: the compiler does not unroll this, and a loop's end costs 3 % (measured).
      for _ in 0..<length / 2 {
        body(a, weight)
        body(a + 1, weight + rowWidth)
        a += 2
        weight += 2 * rowWidth
      }
      if length % 2 == 1 {
        body(a, weight)
        weight += rowWidth
      }
    }
  }
}

/// The row tile: some pixels of an output line × 16 or 32 channels, accumulated in registers over the whole of a block's
/// runs.
///
/// out[pixel][0..<16] = start + Σ over runs, Σ over k in 0..<length, input[pixel · step + run + k] · weights[run][k][0..<16],
/// one fused multiply-add after the other. A tile that starts from the output continues such a sum, so cutting the runs
/// into blocks does not change the result; nor does it who shares a tile.
///
/// - Parameters:
///   - rows: a literal at every call.
///   - input: where the first pixel's window begins.
///   - step: floats from one window to the next; where it is a literal, no window takes a register for its address.
///   - first: floats up to the first pixel of the output.
@inline(__always)
private func rowTile(
  _ rows: Int, _ input: FloatPointer, step: Int, _ runs: WindowRuns, _ columns: ProductColumns, at first: Int,
  outputStep: Int
) {
  var sums = columns.sums(rows, at: first, step: outputStep)
  runs.forEach(from: input) { a, weight in
    sums.add(rows, { a[$0 * step] }, times: load(columns.weights + weight))
  }
  columns.put(sums, rows, at: first, step: outputStep, adding: false)
}

@inline(__always)
private func rowTile(
  _ rows: Int, _ input: FloatPointer, step: Int, _ runs: WindowRuns, _ columns: ProductColumns,
  _ others: ProductColumns, at first: Int, outputStep: Int
) {
  var sums = columns.sums(rows, at: first, step: outputStep)
  var otherSums = others.sums(rows, at: first, step: outputStep)
  runs.forEach(from: input) { a, weight in
    TileSums.add(
      rows, { a[$0 * step] }, to: &sums, times: load(columns.weights + weight), to: &otherSums,
      times: load(others.weights + weight))
  }
  columns.put(sums, rows, at: first, step: outputStep, adding: false)
  others.put(otherSums, rows, at: first, step: outputStep, adding: false)
}

/// All pixels of a block for one output panel, or for two where a tile has as many (`tilePanels`), in row tiles.
func rowBlock(
  _ input: FloatPointer, _ lines: PixelLines, _ runs: WindowRuns, _ columns: ProductColumns,
  and others: ProductColumns? = nil
) {
  // A few floats make a window of images: a register for the address of each would be much. Functions of their own, because
  // of one with both steps the compiler makes a single one for all steps.
  if lines.step == 6 {
    everyOtherPixelOfThreeChannels(input, lines, runs, columns, others)
  } else {
    pixels(input, lines, runs, columns, others)
  }
}

@inline(never)
private func everyOtherPixelOfThreeChannels(
  _ input: FloatPointer, _ lines: PixelLines, _ runs: WindowRuns, _ columns: ProductColumns, _ others: ProductColumns?
) {
  rowTiles(input, lines, step: 6, runs, columns, others)
}

@inline(never)
private func pixels(
  _ input: FloatPointer, _ lines: PixelLines, _ runs: WindowRuns, _ columns: ProductColumns, _ others: ProductColumns?
) {
  rowTiles(input, lines, step: lines.step, runs, columns, others)
}

@inline(__always)
private func rowTiles(
  _ input: FloatPointer, _ lines: PixelLines, step: Int, _ runs: WindowRuns, _ columns: ProductColumns,
  _ others: ProductColumns?
) {
  for line in 0..<lines.count {
    let window = input + lines.starts[line], output = lines.outputs[line], outputStep = lines.outputStep
    #if LANES_16
      if let others {
        forEachEvenTile(of: lines.length) {
          rowTile(
            $0, window + $1 * step, step: step, runs, columns, others, at: output + $1 * outputStep,
            outputStep: outputStep)
        }
        continue
      }
    #endif
    forEachEvenTile(of: lines.length) {
      rowTile($0, window + $1 * step, step: step, runs, columns, at: output + $1 * outputStep, outputStep: outputStep)
    }
  }
}
