/// Gives each output's gradient to the pixel that won its window.
///
/// Each pixel of `dx` is written once, with the sum over the windows that it won, in their order.
///
/// - Parameters:
///   - winners: as `maxPoolForward` wrote them.
///   - accumulate: adds to `dx` instead of overwriting it.
public func maxPoolBackward(
  winners: UnsafePointer<UInt8>, _ dy: PanelTensor, into dx: PanelTensor, accumulate: Bool, geometry: PoolGeometry,
  pool: ThreadPool
) {
  geometry.check(dx, dy)
  require(geometry.kernel <= 16, "a byte says which pixel of a window is the largest")
  let blocks = PoolBlocks(dx)
  pool.forEach(blocks.count) { block, _ in
    let panel = blocks.panel(block)
    blocks.forEachRow(block) { sample, row in
      let windows = sample * dy.height * dy.width * rowWidth
      let line = WinnerLine(
        winners: winners + panel * dy.pixels * rowWidth + windows, dy: FloatPointer(dy.panel(panel)) + windows,
        dx: dx.panel(panel) + (sample * dx.height + row) * dx.width * rowWidth, row: row + geometry.padding,
        padding: geometry.padding, outputHeight: dy.height, outputWidth: dy.width, width: dx.width,
        accumulate: accumulate)
      line.write(geometry)
    }
  }
}

/// One row of pixels of the input and the windows that may have given to it.
private struct WinnerLine {
  let winners: UnsafePointer<UInt8>
  let dy: FloatPointer
  let dx: MutableFloatPointer
  /// Its place with the padding above it.
  let row: Int
  let padding, outputHeight, outputWidth, width: Int
  let accumulate: Bool

  @inline(__always)
  func write(_ geometry: PoolGeometry) {
    switch (geometry.kernel, geometry.stride, row % geometry.stride) {
    case (3, 1, _): writeThreeByOne()
    case (3, 2, 0): writeThreeByTwo()
    case (3, 2, _): writeThreeByTwoBetween()
    case (2, 2, _): writeTwoByTwo()
    case (let kernel, let stride, _): writeAny(kernel, stride)
    }
  }

  // Literal sizes and phases, for which the compiler unrolls the loops over the windows; a function for each, as in the
  // forward pass.
  @inline(never) private func writeThreeByOne() { write(3, 1, phase: 0) }
  @inline(never) private func writeThreeByTwo() { write(3, 2, phase: 0) }
  @inline(never) private func writeThreeByTwoBetween() { write(3, 2, phase: 1) }
  @inline(never) private func writeTwoByTwo() {
    if row % 2 == 0 { write(2, 2, phase: 0) } else { write(2, 2, phase: 1) }
  }
  @inline(never) private func writeAny(_ kernel: Int, _ stride: Int) { write(kernel, stride, phase: row % stride) }

  /// A pixel at `stride · base + phase` is pixel `phase + i · stride` of window `base − i`, along both axes.
  @inline(__always)
  private func write(_ kernel: Int, _ stride: Int, phase rowPhase: Int) {
    let rowBase = row / stride
    @inline(__always) func put(_ columnBase: Int, isInner: Bool) {
      for columnPhase in 0..<stride {
        let pixel = columnBase * stride + columnPhase - padding
        guard isInner || (pixel >= 0 && pixel < width) else { continue }
        var sum = Row.zero
        for i in (0..<max(0, (kernel - 1 - rowPhase + stride) / stride)).reversed() {
          guard rowBase - i >= 0 && rowBase - i < outputHeight else { continue }
          for j in (0..<max(0, (kernel - 1 - columnPhase + stride) / stride)).reversed() {
            guard isInner || (columnBase - j >= 0 && columnBase - j < outputWidth) else { continue }
            let window = ((rowBase - i) * outputWidth + columnBase - j) * rowWidth
            let place = (rowPhase + i * stride) * kernel + columnPhase + j * stride
            let won = loadPlaces(winners + window) .== SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: place))
            sum += choose(won, load(dy + window), Row.zero)
          }
        }
        let target = dx + pixel * rowWidth
        store(accumulate ? load(target) + sum : sum, target)
      }
    }
    let bases = (width - 1 + padding) / stride + 1
    let first = min(bases, max((kernel - 1) / stride, dividedUp(padding, stride)))
    let end = max(first, min(outputWidth, (width + padding) / stride))
    var base = 0
    while base < bases {
      guard base == first && first < end else {
        put(base, isInner: false)
        base += 1
        continue
      }
      if kernel == 3 && stride < 3 && Lanes.scalarCount == rowWidth {
        if stride == 1 { slide(1, 0, first..<end) } else { slideByTwo(rowPhase, first..<end) }
      } else {
        for base in first..<end { put(base, isInner: true) }
      }
      base = end
    }
  }

  /// With any phase: for literal ones, the compiler would load some windows through masks again.
  @inline(never) private func slideByTwo(_ rowPhase: Int, _ bases: Range<Int>) { slide(2, rowPhase, bases) }

  /// The same where all of the windows' columns exist, for windows of three pixels: windows stay in registers for all of
  /// the pixels that they share.
  ///
  /// For processors whose registers hold a row: what is loaded for one pixel alone, the compiler has them load through the
  /// mask of those that won; such loads wait for memory, and the whole takes twice as long.
  @inline(__always)
  private func slide(_ stride: Int, _ rowPhase: Int, _ bases: Range<Int>) {
    let rowBase = row / stride
    /// The windows that are i rows above the base.
    @inline(__always) func line(_ i: Int) -> WindowLine {
      let window = rowBase - i, exists = window >= 0 && window < outputHeight
      // Where there are none, some others with a place that no byte can be.
      let first = (min(max(window, 0), outputHeight - 1) * outputWidth + bases.lowerBound) * rowWidth
      return WindowLine(
        winners + first, dy + first, place: exists ? (rowPhase + i * stride) * 3 : 256, columns: 2 / stride)
    }
    var above = line(2), middle = line(1), below = line(0)
    let count = (2 - rowPhase) / stride
    @inline(__always) func put(_ pixel: Int, _ columnPhase: Int) {
      var sum = Row.zero
      if count == 2 { above.add(to: &sum, stride, columnPhase) }
      if count >= 1 { middle.add(to: &sum, stride, columnPhase) }
      below.add(to: &sum, stride, columnPhase)
      let target = dx + pixel * rowWidth
      store(accumulate ? load(target) + sum : sum, target)
    }
    for base in bases {
      let offset = (base - bases.lowerBound) * rowWidth, pixel = base * stride - padding
      if count == 2 { above.move(to: offset) }
      if count >= 1 { middle.move(to: offset) }
      below.move(to: offset)
      put(pixel, 0)
      if stride == 2 { put(pixel + 1, 1) }
    }
  }
}

/// A row of windows of three pixels, of which those over one pixel are in registers.
private struct WindowLine {
  private let winners: UnsafePointer<UInt8>
  private let dy: FloatPointer
  private let place: Int
  /// Those at the base and before it.
  private var last = Row.zero, second = Row.zero, first = Row.zero
  private var lastPlaces = SIMD16<Int32>.zero, secondPlaces = SIMD16<Int32>.zero, firstPlaces = SIMD16<Int32>.zero

  /// - Parameters:
  ///   - place: of the row's first pixel in these windows.
  ///   - columns: windows before the base that have its pixel.
  @inline(__always)
  init(_ winners: UnsafePointer<UInt8>, _ dy: FloatPointer, place: Int, columns: Int) {
    (self.winners, self.dy, self.place) = (winners, dy, place)
    if columns == 2 { move(to: -2 * rowWidth) }
    move(to: -rowWidth)
  }

  @inline(__always) mutating func move(to offset: Int) {
    (first, second, last) = (second, last, load(dy + offset))
    (firstPlaces, secondPlaces, lastPlaces) = (secondPlaces, lastPlaces, loadPlaces(winners + offset))
  }

  /// Adds what windows give to the pixel at a phase, window after window.
  @inline(__always) func add(to sum: inout Row, _ stride: Int, _ phase: Int) {
    @inline(__always) func add(_ gradient: Row, _ places: SIMD16<Int32>, _ column: Int) {
      let won = places .== SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: place + column))
      sum += choose(won, gradient, Row.zero)
    }
    if stride == 1 { add(first, firstPlaces, 2) }
    if phase + stride < 3 { add(second, secondPlaces, phase + stride) }
    add(last, lastPlaces, phase)
  }
}

/// Sixteen bytes as integers.
@inline(__always) private func loadPlaces(_ pointer: UnsafePointer<UInt8>) -> SIMD16<Int32> {
  // One instruction; a vector's initializer may stay a call.
  var places = SIMD16<Int32>.zero
  for lane in 0..<rowWidth { places[lane] = Int32(truncatingIfNeeded: pointer[lane]) }
  return places
}
