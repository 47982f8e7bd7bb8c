/// The largest value of each window; padding is not a value, and NaN wins over every number.
///
/// Every row of the input is normalised and reduced to its windows' columns once, and the last row of a window is compared
/// at once with those above it: so loads from memory come evenly among the computing.
///
/// - Parameters:
///   - y: plain values: whoever reads them applies no normalisation.
///   - winners: [panels][pixels of y, all samples][16], `PoolGeometry.winnerCount` bytes, or nil if no gradient is wanted:
///     which pixel of its window each value is, row · kernel + column: the first of the largest ones, in the order of rows,
///     or the first NaN if there is one.
///   - scratch: `geometry.scratchCount` floats, their contents lost.
public func maxPoolForward(
  _ x: Activation, into y: PanelTensor, winners: UnsafeMutablePointer<UInt8>?, geometry: PoolGeometry,
  scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
) {
  geometry.check(x.tensor, y)
  require(geometry.kernel <= 16, "a byte says which pixel of a window is the largest")
  let blocks = PoolBlocks(y), scratchCount = geometry.scratchCount(width: x.tensor.width, threads: 1)
  pool.forEach(blocks.count) { block, thread in
    let ring = PoolRing(
      scratch + thread * scratchCount, line: 0, rows: geometry.kernel, rowFloats: y.width * Maximum.floatCount)
    let panel = blocks.panel(block), axis = PoolAxis(geometry, pixels: x.tensor.height)
    let rows = MaxPoolRows(
      x: x.tensor, y: y, normalization: x.normalization, winners: winners, geometry: geometry, ring: ring,
      panel: panel)
    blocks.forEachWindow(
      block, sources: { axis.window($0) }, leavesLast: { geometry.kernel > 1 && $0.count == geometry.kernel },
      reduce: { rows.reduce($0, $1, for: nil) },
      combine: { sample, row, sources, isLastLeft in
        if isLastLeft {
          rows.reduce(sample, sources.upperBound - 1, for: row)
        } else {
          rows.combine(sample, row, sources)
        }
      })
  }
}

/// The largest value so far, and which pixel it is.
private struct Maximum {
  private var value: Lanes
  private var place: LaneBits

  @inline(__always) init(_ value: Lanes, _ place: Int) {
    (self.value, self.place) = (value, LaneBits(repeating: Int32(truncatingIfNeeded: place)))
  }

  /// Takes what is larger, or the first NaN.
  ///
  /// - Parameter distance: from the places of the other to those of this one.
  @inline(__always) mutating func take(_ other: Maximum, _ distance: Int = 0) {
    let wins = .!(other.value .<= value) .& (value .== value)
    value = choose(wins, other.value, value)
    place = choose(wins, other.place &+ LaneBits(repeating: Int32(truncatingIfNeeded: distance)), place)
  }
}

extension Maximum {
  /// Floats of the ring for 16 channels: their values, and then their places.
  static let floatCount = 2 * rowWidth

  /// - Parameter distance: what is added to the places.
  @inline(__always) init(_ pointer: MutableFloatPointer, _ distance: Int = 0) {
    value = loadLanes(pointer)
    place =
      UnsafeRawPointer(pointer + rowWidth).loadUnaligned(as: LaneBits.self)
      &+ LaneBits(repeating: Int32(truncatingIfNeeded: distance))
  }

  @inline(__always) func write(_ pointer: MutableFloatPointer) {
    storeLanes(value, pointer)
    UnsafeMutableRawPointer(pointer + rowWidth).storeBytes(of: place, as: LaneBits.self)
  }

  @inline(__always) func put(_ pixel: MutableFloatPointer, _ winners: UnsafeMutablePointer<UInt8>?) {
    storeLanes(value, pixel)
    guard let winners else { return }
    // One instruction of some processors, where a vector's initializer would work byte by byte.
    for lane in 0..<Lanes.scalarCount { winners[lane] = UInt8(truncatingIfNeeded: place[lane]) }
  }
}

/// The largest pixels of each window along a row of the input, asked for one after the other.
private struct ColumnMaxima {
  private let line: FloatPointer
  private let normalization: LaneNormalization
  private let isNormalized: Bool
  private let kernel, stride, width, padding: Int
  /// Windows that lie within the row.
  private let inner: Range<Int>
  /// Pixels of the next such window, which the one before has as well.
  private var first = Lanes.zero, second = Lanes.zero

  @inline(__always)
  init(
    _ line: FloatPointer, _ normalization: LaneNormalization, isNormalized: Bool, kernel: Int, stride: Int, width: Int,
    padding: Int, outputs: Int
  ) {
    (self.line, self.normalization, self.isNormalized) = (line, normalization, isNormalized)
    (self.kernel, self.stride, self.width, self.padding) = (kernel, stride, width, padding)
    let start = min(outputs, dividedUp(padding, stride))
    inner = start..<max(start, min(outputs, (width + padding - kernel + stride) / stride))
    guard keepsPixels && !inner.isEmpty else { return }
    first = value(start * stride - padding)
    if stride == 1 { second = value(start - padding + 1) }
  }

  /// Whether pixels stay in registers: each is normalised once.
  @inline(__always) private var keepsPixels: Bool { kernel == 3 && stride < 3 }

  @inline(__always) private func value(_ pixel: Int) -> Lanes {
    let stored = loadLanes(line + pixel * rowWidth)
    return isNormalized ? normalization(stored) : stored
  }

  @inline(__always) mutating func maximum(_ output: Int) -> Maximum {
    let start = output * stride - padding
    guard output >= inner.lowerBound && output < inner.upperBound else {
      return maximum(start, max(0, -start), min(kernel, width - start))
    }
    guard keepsPixels else { return maximum(start, 0, kernel) }
    var maximum = Maximum(first, 0)
    if stride == 2 { second = value(start + 1) }
    maximum.take(Maximum(second, 1))
    let third = value(start + 2)
    maximum.take(Maximum(third, 2))
    (first, second) = stride == 1 ? (second, third) : (third, third)
    return maximum
  }

  @inline(__always) private func maximum(_ start: Int, _ first: Int, _ end: Int) -> Maximum {
    var maximum = Maximum(value(start + first), first)
    for column in first + 1..<max(first + 1, end) { maximum.take(Maximum(value(start + column), column)) }
    return maximum
  }
}

/// The rows of one panel. In the ring, a row holds for each window the largest value of its columns, and which column that
/// is. A row is done for some lanes after the others, so that all that a window needs is in registers.
private struct MaxPoolRows {
  let x: PanelTensor
  let y: PanelTensor
  let normalization: Normalization?
  let winners: UnsafeMutablePointer<UInt8>?
  let geometry: PoolGeometry
  let ring: PoolRing
  let panel: Int

  /// Reduces a row of the input for later windows. If it is the last row of windows of which all rows exist and the others
  /// are in the ring, writes that row of the output.
  @inline(__always)
  func reduce(_ sample: Int, _ row: Int, for output: Int?) {
    var lane = 0
    while lane < rowWidth {
      switch (geometry.kernel, geometry.stride, normalization != nil) {
      case (3, 1, true): reduceThreeByOne(lane, sample, row, output)
      case (3, 1, false): reduceStoredThreeByOne(lane, sample, row, output)
      case (3, 2, true): reduceThreeByTwo(lane, sample, row, output)
      case (3, 2, false): reduceStoredThreeByTwo(lane, sample, row, output)
      case (2, 2, true): reduceTwoByTwo(lane, sample, row, output)
      case (_, _, true): reduceAny(lane, sample, row, output)
      case (_, _, false): reduceStored(lane, sample, row, output)
      }
      lane += Lanes.scalarCount
    }
  }

  // Literal sizes, for which the compiler unrolls the loops over a window. Each has a function, for there is a size beyond
  // which the compiler inlines no more, and then none of them would be literal.
  @inline(never) private func reduceThreeByOne(_ lane: Int, _ sample: Int, _ row: Int, _ output: Int?) {
    reduce(3, 1, isNormalized: true, lane, sample, row, output)
  }
  @inline(never) private func reduceStoredThreeByOne(_ lane: Int, _ sample: Int, _ row: Int, _ output: Int?) {
    reduce(3, 1, isNormalized: false, lane, sample, row, output)
  }
  @inline(never) private func reduceThreeByTwo(_ lane: Int, _ sample: Int, _ row: Int, _ output: Int?) {
    reduce(3, 2, isNormalized: true, lane, sample, row, output)
  }
  @inline(never) private func reduceStoredThreeByTwo(_ lane: Int, _ sample: Int, _ row: Int, _ output: Int?) {
    reduce(3, 2, isNormalized: false, lane, sample, row, output)
  }
  @inline(never) private func reduceTwoByTwo(_ lane: Int, _ sample: Int, _ row: Int, _ output: Int?) {
    reduce(2, 2, isNormalized: true, lane, sample, row, output)
  }
  @inline(never) private func reduceAny(_ lane: Int, _ sample: Int, _ row: Int, _ output: Int?) {
    reduce(geometry.kernel, geometry.stride, isNormalized: true, lane, sample, row, output)
  }
  @inline(never) private func reduceStored(_ lane: Int, _ sample: Int, _ row: Int, _ output: Int?) {
    reduce(geometry.kernel, geometry.stride, isNormalized: false, lane, sample, row, output)
  }

  @inline(__always)
  private func reduce(
    _ kernel: Int, _ stride: Int, isNormalized: Bool, _ lane: Int, _ sample: Int, _ row: Int, _ output: Int?
  ) {
    var vectors = LaneNormalization()
    if isNormalized, let normalization { vectors = normalization.lanes(panel, from: lane) }
    let source = FloatPointer(x.panel(panel)) + (sample * x.height + row) * x.width * rowWidth + lane
    var columns = ColumnMaxima(
      source, vectors, isNormalized: isNormalized, kernel: kernel, stride: stride, width: x.width,
      padding: geometry.padding, outputs: y.width)
    let reduced = ring.row(row) + lane
    guard let output else {
      for window in 0..<y.width { columns.maximum(window).write(reduced + window * Maximum.floatCount) }
      return
    }
    let first = ring.row(row - kernel + 1), place = place(sample, output) + lane, pixels = y.panel(panel) + place
    let winners = winners.map { $0 + panel * y.pixels * rowWidth + place }
    for window in 0..<y.width {
      let last = columns.maximum(window)
      var maximum = maximum(kernel, 0, kernel - 1, first, lane, window)
      if stride < kernel { last.write(reduced + window * Maximum.floatCount) }
      maximum.take(last, (kernel - 1) * kernel)
      maximum.put(pixels + window * rowWidth, winners.map { $0 + window * rowWidth })
    }
  }

  /// Writes a row of the output, of whose windows these rows exist and are in the ring.
  @inline(never)
  func combine(_ sample: Int, _ row: Int, _ sources: Range<Int>) {
    let start = row * geometry.stride - geometry.padding
    for lane in Swift.stride(from: 0, to: rowWidth, by: Lanes.scalarCount) {
      let first = ring.row(sources.lowerBound), place = place(sample, row) + lane
      for window in 0..<y.width {
        let maximum = maximum(
          geometry.kernel, sources.lowerBound - start, sources.upperBound - start, first, lane, window)
        let place = place + window * rowWidth
        maximum.put(y.panel(panel) + place, winners.map { $0 + panel * y.pixels * rowWidth + place })
      }
    }
  }

  /// Where a row of the output begins in its panel.
  @inline(__always) private func place(_ sample: Int, _ row: Int) -> Int {
    (sample * y.height + row) * y.width * rowWidth
  }

  /// That of some rows of a window, up to `end`.
  ///
  /// - Parameter first: where the first of them is in the ring.
  @inline(__always)
  private func maximum(
    _ kernel: Int, _ row: Int, _ end: Int, _ first: MutableFloatPointer, _ lane: Int, _ window: Int
  ) -> Maximum {
    let offset = window * Maximum.floatCount + lane
    var line = first
    var maximum = Maximum(line + offset, row * kernel)
    for row in row + 1..<max(row + 1, end) {
      line = ring.row(after: line)
      maximum.take(Maximum(line + offset), row * kernel)
    }
    return maximum
  }
}
