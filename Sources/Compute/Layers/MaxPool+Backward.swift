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
      // Literal sizes and phases, for which the compiler unrolls the loops over the windows.
      switch (geometry.kernel, geometry.stride, line.row % geometry.stride) {
      case (3, 1, _): line.write(3, 1, phase: 0)
      case (3, 2, 0): line.write(3, 2, phase: 0)
      case (3, 2, _): line.write(3, 2, phase: 1)
      case (2, 2, 0): line.write(2, 2, phase: 0)
      case (2, 2, _): line.write(2, 2, phase: 1)
      case (_, _, let phase): line.write(geometry.kernel, geometry.stride, phase: phase)
      }
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

  /// A pixel at `stride · base + phase` is pixel `phase + i · stride` of window `base − i`, along both axes.
  @inline(__always)
  func write(_ kernel: Int, _ stride: Int, phase rowPhase: Int) {
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
            sum += Row.zero.replacing(with: load(dy + window), where: won)
          }
        }
        let target = dx + pixel * rowWidth
        store(accumulate ? load(target) + sum : sum, target)
      }
    }
    let bases = (width - 1 + padding) / stride + 1
    let first = min(bases, max((kernel - 1) / stride, dividedUp(padding, stride)))
    let end = max(first, min(outputWidth, (width + padding) / stride))
    for base in 0..<first { put(base, isInner: false) }
    for base in first..<end { put(base, isInner: true) }
    for base in end..<max(end, bases) { put(base, isInner: false) }
  }
}
