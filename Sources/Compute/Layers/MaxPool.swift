/// The largest value of each window; padding is not a value, and NaN wins over every number.
///
/// Every row of the input is normalised and reduced to its windows' columns once; then the rows of each window are compared.
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
      scratch + thread * scratchCount, line: x.tensor.width, rows: geometry.kernel, rowFloats: 2 * y.width * rowWidth)
    let rows = MaxPoolRows(x: x, y: y, winners: winners, geometry: geometry, ring: ring, panel: blocks.panel(block))
    // Literal sizes, for which the compiler unrolls the loops over a window.
    switch (geometry.kernel, geometry.stride) {
    case (3, 1): maxPoolBlock(3, 1, blocks, block, rows)
    case (3, 2): maxPoolBlock(3, 2, blocks, block, rows)
    case (2, 2): maxPoolBlock(2, 2, blocks, block, rows)
    default: maxPoolBlock(geometry.kernel, geometry.stride, blocks, block, rows)
    }
  }
}

@inline(__always)
private func maxPoolBlock(_ kernel: Int, _ stride: Int, _ blocks: PoolBlocks, _ block: Int, _ rows: MaxPoolRows) {
  let axis = PoolAxis(rows.geometry, pixels: rows.x.tensor.height)
  if rows.winners == nil {
    blocks.forEachWindow(
      block, sources: { axis.window($0) }, reduce: { rows.reduce(kernel, stride, keepsWinners: false, $0, $1) },
      combine: { rows.combine(kernel, stride, keepsWinners: false, $0, $1, $2) })
  } else {
    blocks.forEachWindow(
      block, sources: { axis.window($0) }, reduce: { rows.reduce(kernel, stride, keepsWinners: true, $0, $1) },
      combine: { rows.combine(kernel, stride, keepsWinners: true, $0, $1, $2) })
  }
}

/// Sixteen bytes as integers.
@inline(__always) func loadPlaces(_ pointer: UnsafePointer<UInt8>) -> SIMD16<Int32> {
  let bytes = UnsafeRawPointer(pointer).loadUnaligned(as: SIMD16<UInt8>.self)
  // Twice interleaved with zeros, which is one instruction each; the initializers for this work byte by byte.
  var words = SIMD32<UInt8>.zero
  words.evenHalf = bytes
  var places = SIMD32<UInt16>.zero
  places.evenHalf = unsafeBitCast(words, to: SIMD16<UInt16>.self)
  return unsafeBitCast(places, to: SIMD16<Int32>.self)
}

/// Sixteen integers as bytes.
@inline(__always) func storePlaces(_ places: SIMD16<Int32>, _ pointer: UnsafeMutablePointer<UInt8>) {
  let words = unsafeBitCast(places, to: SIMD32<UInt16>.self).evenHalf
  let bytes = unsafeBitCast(words, to: SIMD32<UInt8>.self).evenHalf
  UnsafeMutableRawPointer(pointer).storeBytes(of: bytes, as: SIMD16<UInt8>.self)
}

/// The largest value so far, and which pixel it is.
private struct Maximum {
  var value: Row
  var place: SIMD16<Int32>

  /// Takes what is larger, or the first NaN.
  @inline(__always)
  mutating func take(_ other: Row, _ otherPlace: @autoclosure () -> SIMD16<Int32>, keepsPlaces: Bool) {
    let wins = .!(other .<= value) .& (value .== value)
    value.replace(with: other, where: wins)
    if keepsPlaces { place.replace(with: otherPlace(), where: wins) }
  }
}

/// The rows of one panel. In the ring, a row holds the largest value of each window's columns and then, as integers, which
/// column that is.
private struct MaxPoolRows {
  let x: Activation
  let y: PanelTensor
  let winners: UnsafeMutablePointer<UInt8>?
  let geometry: PoolGeometry
  let ring: PoolRing
  let panel: Int

  @inline(__always)
  func reduce(_ kernel: Int, _ stride: Int, keepsWinners: Bool, _ sample: Int, _ row: Int) {
    let width = x.tensor.width, outputs = y.width, padding = geometry.padding
    let line = ring.normalized(
      x.tensor.panel(panel) + (sample * x.tensor.height + row) * width * rowWidth, width,
      x.normalization?.panel(panel))
    let values = ring.row(row), places = UnsafeMutableRawPointer(values + outputs * rowWidth)
    @inline(__always) func put(_ output: Int, _ columns: Range<Int>) {
      let source = line + (output * stride - padding) * rowWidth
      let first = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: columns.lowerBound))
      var maximum = Maximum(value: load(source + columns.lowerBound * rowWidth), place: first)
      for column in columns.lowerBound + 1..<max(columns.lowerBound + 1, columns.upperBound) {
        maximum.take(
          load(source + column * rowWidth), SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: column)),
          keepsPlaces: keepsWinners)
      }
      store(maximum.value, values + output * rowWidth)
      if keepsWinners {
        places.storeBytes(of: maximum.place, toByteOffset: output * rowWidth * 4, as: SIMD16<Int32>.self)
      }
    }
    // Windows that lie within the row have literal columns.
    let inner = min(outputs, dividedUp(padding, stride))
    let innerEnd = max(inner, min(outputs, (width + padding - kernel + stride) / stride))
    @inline(__always) func putOuter(_ output: Int) {
      let start = output * stride - padding
      put(output, max(0, -start)..<min(kernel, width - start))
    }
    for output in 0..<inner { putOuter(output) }
    for output in inner..<innerEnd { put(output, 0..<kernel) }
    for output in innerEnd..<outputs { putOuter(output) }
  }

  @inline(__always)
  func combine(
    _ kernel: Int, _ stride: Int, keepsWinners: Bool, _ sample: Int, _ row: Int, _ sources: Range<Int>
  ) {
    let outputs = y.width, start = row * stride - geometry.padding
    let line = (sample * y.height + row) * outputs * rowWidth
    let target = y.panel(panel) + line
    let winners = winners.map { $0 + panel * y.pixels * rowWidth + line }
    @inline(__always) func place(_ values: MutableFloatPointer, _ kernelRow: Int, _ offset: Int) -> SIMD16<Int32> {
      UnsafeRawPointer(values + (outputs * rowWidth + offset)).loadUnaligned(as: SIMD16<Int32>.self)
        &+ SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: kernelRow * kernel))
    }
    @inline(__always) func putLine(_ rows: Range<Int>) {
      let first = ring.row(start + rows.lowerBound)
      for output in 0..<outputs {
        let offset = output * rowWidth
        var values = first
        var maximum = Maximum(
          value: load(values + offset), place: keepsWinners ? place(values, rows.lowerBound, offset) : .zero)
        for kernelRow in rows.lowerBound + 1..<max(rows.lowerBound + 1, rows.upperBound) {
          values = ring.row(after: values)
          maximum.take(load(values + offset), place(values, kernelRow, offset), keepsPlaces: keepsWinners)
        }
        store(maximum.value, target + offset)
        if keepsWinners, let winners { storePlaces(maximum.place, winners + offset) }
      }
    }
    if sources.count == kernel {
      putLine(0..<kernel)
    } else {
      putLine(sources.lowerBound - start..<sources.upperBound - start)
    }
  }
}
