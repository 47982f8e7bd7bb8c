import CPlatform

/// One pixel of one panel: 16 channels. Every kernel computes on whole rows and never adds lanes of a row together, so
/// a result does not depend on how many lanes the CPU's registers have: the compiler splits a row into as many registers
/// as it takes (one with AVX-512, two with AVX2, four with NEON).
typealias Row = SIMD16<Float>
/// A row of sums in double precision.
typealias WideRow = SIMD16<Double>

typealias FloatPointer = UnsafePointer<Float>
typealias MutableFloatPointer = UnsafeMutablePointer<Float>

/// Channels of a panel, floats of a row.
let rowWidth = 16

@inline(__always) func load(_ pointer: FloatPointer) -> Row { UnsafeRawPointer(pointer).loadUnaligned(as: Row.self) }

@inline(__always) func load(_ pointer: MutableFloatPointer) -> Row {
  UnsafeRawPointer(pointer).loadUnaligned(as: Row.self)
}

@inline(__always) func store(_ row: Row, _ pointer: MutableFloatPointer) {
  UnsafeMutableRawPointer(pointer).storeBytes(of: row, as: Row.self)
}

/// Stores a row, past the caches if it is `streamed`: then its line of memory is not read first, and takes nobody's place.
@inline(__always) func store(_ row: Row, _ pointer: MutableFloatPointer, streamed: Bool) {
  if streamed {
    platform_stream(pointer, row.lowHalf, row.highHalf)
  } else {
    store(row, pointer)
  }
}

/// Zeroes whole rows.
@inline(__always) func clearRows(_ pointer: MutableFloatPointer, _ count: Int) {
  for index in 0..<count { store(Row.zero, pointer + index * rowWidth) }
}

/// Copies whole rows.
@inline(__always) func copyRows(_ source: FloatPointer, _ count: Int, into target: MutableFloatPointer) {
  for index in 0..<count { store(load(source + index * rowWidth), target + index * rowWidth) }
}

/// Copies floats, of which some may be left over from whole rows.
@inline(__always) func copyFloats(_ source: FloatPointer, _ count: Int, into target: MutableFloatPointer) {
  copyRows(source, count / rowWidth, into: target)
  let rest = count % rowWidth
  copyFewFloats(source + count - rest, rest, into: target + count - rest)
}

/// The same past the caches, wherever the target begins: lines of which it is only a part are written as usual.
func streamFloats(_ source: FloatPointer, _ count: Int, into target: MutableFloatPointer) {
  let floatsBehindLine = Int(bitPattern: target) / MemoryLayout<Float>.stride % rowWidth
  let first = min(count, (rowWidth - floatsBehindLine) % rowWidth), rest = (count - first) % rowWidth
  copyFewFloats(source, first, into: target)
  for place in stride(from: first, to: count - rest, by: rowWidth) {
    store(load(source + place), target + place, streamed: true)
  }
  copyFewFloats(source + count - rest, rest, into: target + count - rest)
}

/// Copies less than a row.
@inline(__always) private func copyFewFloats(_ source: FloatPointer, _ count: Int, into target: MutableFloatPointer) {
  let half = count / 8 * 8
  if half > 0 {
    UnsafeMutableRawPointer(target).storeBytes(
      of: UnsafeRawPointer(source).loadUnaligned(as: SIMD8<Float>.self), as: SIMD8<Float>.self)
  }
  for place in half..<count { target[place] = source[place] }
}

/// A mask of a row's lanes.
typealias RowMask = SIMDMask<SIMD16<Int32>>

/// Lane by lane, the first where the mask is set and the second elsewhere; of floats or of integers.
///
/// Of the operations that are one instruction from the start: `replacing(with:where:)` has two branches for each lane until
/// late in the compiler, which inlines nothing more into a function with hundreds of them.
@inline(__always) func choose<Vector>(_ mask: RowMask, _ first: Vector, _ second: Vector) -> Vector {
  let first = unsafeBitCast(first, to: RowMask.self), second = unsafeBitCast(second, to: RowMask.self)
  return unsafeBitCast(second .^ ((first .^ second) .& mask), to: Vector.self)
}

/// The larger of two values lane by lane; NaN if either is, the first if both are equal.
@inline(__always) func larger(_ a: Row, _ b: Row) -> Row { a.replacing(with: b, where: (b .> a) .| (b .!= b)) }

/// max(x, 0) lane by lane; NaN stays NaN, and −0 stays −0.
@inline(__always) func rectified(_ x: Row) -> Row { x.replacing(with: Row.zero, where: x .< Row.zero) }

@inline(__always) func dividedUp(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }

/// Stops the program if a caller broke a rule. This room is built without traps, where a failing `precondition` would be
/// undefined behaviour.
@inline(__always) func require(_ condition: Bool, _ message: @autoclosure () -> String) {
  guard condition else { fatalError(message()) }
}
