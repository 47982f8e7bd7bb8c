import CPlatform

// The register tiles of a linear layer. They read weights where they lie, [output][value], a few rows at a time; all that is
// much smaller is brought into an order that suits them.

/// Some outputs' weights where they lie, each output's a row: [channel][pixel], of some channels and pixels; and those that
/// will be wanted soon.
struct LinearWeights {
  let rows: FloatPointer
  let outputs, channels: Int
  /// Pixels of a channel, and how many of them are taken; nil if there is only one, of many panels.
  let area: Int
  let pixels: Int?
  /// Floats from one output's weights to the next one's.
  let stride: Int
  /// As many rows, or nil if there is nothing to fetch.
  let next: FloatPointer?
}

/// Some outputs of 16 samples: sums[output][0..<16] += Σ weights[output][value] · x[value][0..<16], in the order of x,
/// [panel][pixel][channel], one fused multiply-add after the other.
///
/// Meanwhile it fetches the next weights, a line of each row for 16 values: a core that computes and waits for memory by
/// turns takes twice as long.
///
/// - Parameters height, hasPixels: literals at every call.
@inline(__always)
private func linearTile(
  _ height: Int, hasPixels: Bool, _ weights: LinearWeights, from output: Int, _ x: FloatPointer,
  into sums: MutableFloatPointer
) {
  let target = sums + output * rowWidth, stride = weights.stride
  var sums = TileSums(height) { load(target + $0 * rowWidth) }
  @inline(__always) func add(_ w: FloatPointer, _ x: FloatPointer) {
    sums.add(height, { w[$0 * stride] }, times: load(x))
  }
  let channelStep = hasPixels ? weights.area : 1, steps = weights.pixels ?? dividedUp(weights.channels, rowWidth)
  var rows = weights.rows + output * stride, x = x
  // The end of each row's line: where a row does not begin with a line, it is the line that no row before has fetched.
  var next = weights.next.map { $0 + output * stride + rowWidth - 1 }, rest = weights.channels
  for _ in 0..<steps {
    if let line = next {
      for row in 0..<height { platform_prefetch(line + row * stride) }
      next = line + rowWidth
    }
    let channels = min(rowWidth, rest)
    var w = rows, column = x
    // Two at a time: the compiler does not unroll this.
    for _ in 0..<channels / 2 {
      add(w, column)
      add(w + channelStep, column + rowWidth)
      w += 2 * channelStep
      column += 2 * rowWidth
    }
    if channels % 2 == 1 { add(w, column) }
    x += rowWidth * rowWidth
    rows += hasPixels ? 1 : rowWidth
    if !hasPixels { rest -= rowWidth }
  }
  sums.forEach(height) { store($1, target + $0 * rowWidth) }
}

/// Up to 16 outputs of 16 samples.
@inline(never)
func linearBlock(_ weights: LinearWeights, _ x: FloatPointer, into sums: MutableFloatPointer) {
  if weights.pixels == nil {
    forEachEvenTile(of: weights.outputs) { linearTile($0, hasPixels: false, weights, from: $1, x, into: sums) }
  } else {
    forEachEvenTile(of: weights.outputs) { linearTile($0, hasPixels: true, weights, from: $1, x, into: sums) }
  }
}

/// Where some outputs' gradient with respect to the weights is summed, and the weights that will be wanted soon.
struct LinearGradient {
  /// Values of each output, in the order of the weights, that are summed before they go to memory.
  static var values: Int { 128 }
  /// Floats from one output's sums to the next one's: a line more, or those of all would share a few lines of the cache.
  @inline(__always) static var stride: Int { values + rowWidth }
  /// Floats of the sums of 16 outputs.
  static var floats: Int { rowWidth * stride }

  let rows: MutableFloatPointer
  /// nil if there are none.
  let nextWeights: FloatPointer?
  /// Floats from one output's weights to the next one's.
  let weightStride: Int

  /// Fetches what belongs to some outputs and one or two panels: rows need not begin with a line.
  @inline(__always) func fetch(_ height: Int, from output: Int, panels: Int) {
    guard let nextWeights else { return }
    for row in output..<output + height {
      let line = nextWeights + row * weightStride
      platform_prefetch(line)
      if panels > 1 { platform_prefetch(line + rowWidth) }
      platform_prefetch(line + panels * rowWidth - 1)
    }
  }

  @inline(__always) func put(_ sums: TileSums, _ height: Int, from output: Int, panel: Int, adding: Bool) {
    let target = rows + output * Self.stride + panel * rowWidth
    sums.forEach(height) { index, sum in
      store(adding ? load(target + index * Self.stride) + sum : sum, target + index * Self.stride)
    }
  }
}

/// Rows of the weight gradient: gradient[output][0..<16] = Σ over samples dy[sample][output] · x[sample][0..<16].
///
/// - Parameter height: a literal at every call.
@inline(__always)
private func linearGradientTile(
  _ height: Int, _ dy: FloatPointer, from output: Int, _ x: FloatPointer, samples: Int, adding: Bool,
  into gradient: LinearGradient
) {
  gradient.fetch(height, from: output, panels: 1)
  var sums = TileSums(repeating: .zero), dy = dy + output, x = x
  for _ in 0..<samples {
    sums.add(height, { dy[$0] }, times: load(x))
    dy += rowWidth
    x += rowWidth
  }
  gradient.put(sums, height, from: output, panel: 0, adding: adding)
}

/// The same for 32 values of each sample, in two panels.
@inline(__always)
private func linearGradientTile(
  _ height: Int, _ dy: FloatPointer, from output: Int, _ x: FloatPointer, _ other: FloatPointer, samples: Int,
  adding: Bool, into gradient: LinearGradient
) {
  gradient.fetch(height, from: output, panels: 2)
  var sums = TileSums(repeating: .zero), others = sums, dy = dy + output, x = x, other = other
  for _ in 0..<samples {
    TileSums.add(height, { dy[$0] }, to: &sums, times: load(x), to: &others, times: load(other))
    dy += rowWidth
    x += rowWidth
    other += rowWidth
  }
  gradient.put(sums, height, from: output, panel: 0, adding: adding)
  gradient.put(others, height, from: output, panel: 1, adding: adding)
}

/// Up to 16 outputs' gradient with respect to the weights of 16 values, or of 32 where a tile has two panels
/// (`tilePanels`).
@inline(never)
func linearGradientBlock(
  _ dy: FloatPointer, outputs: Int, _ x: FloatPointer, and other: FloatPointer?, samples: Int, adding: Bool,
  into gradient: LinearGradient
) {
  #if LANES_16
    if let other {
      return forEachEvenTile(of: outputs) { height, first in
        linearGradientTile(height, dy, from: first, x, other, samples: samples, adding: adding, into: gradient)
      }
    }
  #endif
  forEachEvenTile(of: outputs) { height, first in
    linearGradientTile(height, dy, from: first, x, samples: samples, adding: adding, into: gradient)
  }
}

/// Some samples of 16 values of the input's gradient: sums[sample][0..<16] += Σ over outputs dy[sample][output] ·
/// weights[output][0..<16], in the order of the outputs.
///
/// - Parameter height: a literal at every call.
@inline(__always)
private func linearInputTile(
  _ height: Int, _ dy: FloatPointer, outputs: Int, from first: Int, _ weights: FloatPointer, stride: Int,
  into target: MutableFloatPointer
) {
  let target = target + first * rowWidth
  var sums = TileSums(height) { load(target + $0 * rowWidth) }
  var dy = dy + first * rowWidth, weights = weights
  for _ in 0..<outputs {
    sums.add(height, { dy[$0 * rowWidth] }, times: load(weights))
    dy += 1
    weights += stride
  }
  sums.forEach(height) { store($1, target + $0 * rowWidth) }
}

/// The same for 32 values.
@inline(__always)
private func linearInputTile(
  _ height: Int, _ dy: FloatPointer, outputs: Int, from first: Int, _ weights: FloatPointer, stride: Int,
  into target: MutableFloatPointer, and other: MutableFloatPointer
) {
  let target = target + first * rowWidth, other = other + first * rowWidth
  var sums = TileSums(height) { load(target + $0 * rowWidth) }
  var others = TileSums(height) { load(other + $0 * rowWidth) }
  var dy = dy + first * rowWidth, weights = weights
  for _ in 0..<outputs {
    TileSums.add(
      height, { dy[$0 * rowWidth] }, to: &sums, times: load(weights), to: &others, times: load(weights + rowWidth))
    dy += 1
    weights += stride
  }
  sums.forEach(height) { store($1, target + $0 * rowWidth) }
  others.forEach(height) { store($1, other + $0 * rowWidth) }
}

/// Adds up to 16 outputs' part of the gradient with respect to 16 values of all samples, or to 32 where a tile has two panels.
///
/// - Parameter stride: floats from one output's weights to the next one's.
@inline(never)
func linearInputBlock(
  _ dy: FloatPointer, outputs: Int, _ weights: FloatPointer, stride: Int, samples: Int,
  into target: MutableFloatPointer,
  and other: MutableFloatPointer? = nil
) {
  #if LANES_16
    if let other {
      return forEachEvenTile(of: samples) { height, first in
        linearInputTile(height, dy, outputs: outputs, from: first, weights, stride: stride, into: target, and: other)
      }
    }
  #endif
  forEachEvenTile(of: samples) { height, first in
    linearInputTile(height, dy, outputs: outputs, from: first, weights, stride: stride, into: target)
  }
}
