/// The lanes of two vectors by turns.
@inline(__always)
private func interleaved(_ even: SIMD8<Float>, _ odd: SIMD8<Float>) -> SIMD16<Float> {
  var row = SIMD16<Float>.zero
  row.evenHalf = even
  row.oddHalf = odd
  return row
}

/// Transposes 8 × 8 floats: three times, row r is interleaved with row r + 4.
///
/// Lanes are only moved, so this may hold eight of them whatever the width of the registers.
@inline(__always)
private func transpose8(
  _ source: FloatPointer, _ sourceStride: Int, into target: MutableFloatPointer, _ targetStride: Int
) {
  @inline(__always) func row(_ index: Int) -> SIMD8<Float> {
    UnsafeRawPointer(source + index * sourceStride).loadUnaligned(as: SIMD8<Float>.self)
  }
  @inline(__always) func put(_ row: SIMD8<Float>, _ index: Int) {
    UnsafeMutableRawPointer(target + index * targetStride).storeBytes(of: row, as: SIMD8<Float>.self)
  }
  var rows = (row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7))
  for _ in 0..<3 {
    let a = interleaved(rows.0, rows.4), b = interleaved(rows.1, rows.5)
    let c = interleaved(rows.2, rows.6), d = interleaved(rows.3, rows.7)
    rows = (a.lowHalf, a.highHalf, b.lowHalf, b.highHalf, c.lowHalf, c.highHalf, d.lowHalf, d.highHalf)
  }
  put(rows.0, 0)
  put(rows.1, 1)
  put(rows.2, 2)
  put(rows.3, 3)
  put(rows.4, 4)
  put(rows.5, 5)
  put(rows.6, 6)
  put(rows.7, 7)
}

/// Transposes 16 × 16 floats: target[column][row] = source[row][column]. They must not overlap.
///
/// - Parameters:
///   - sourceStride: floats from one row of 16 to the next in the source.
///   - targetStride: the same in the target.
@inline(never)
func transpose16(
  _ source: FloatPointer, _ sourceStride: Int, into target: MutableFloatPointer, _ targetStride: Int
) {
  transpose8(source, sourceStride, into: target, targetStride)
  transpose8(source + 8, sourceStride, into: target + 8 * targetStride, targetStride)
  transpose8(source + 8 * sourceStride, sourceStride, into: target + 8, targetStride)
  transpose8(source + 8 * sourceStride + 8, sourceStride, into: target + 8 * targetStride + 8, targetStride)
}

/// Lends 16 × 16 floats of the stack.
@inline(__always)
func withTransposeBlock(_ body: (MutableFloatPointer) -> Void) {
  withUnsafeTemporaryAllocation(of: Row.self, capacity: rowWidth) { rows in
    guard let first = rows.baseAddress else { return }
    body(UnsafeMutableRawPointer(first).assumingMemoryBound(to: Float.self))
  }
}
