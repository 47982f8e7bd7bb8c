import Testing

@testable import Compute

struct RowTests {
  /// Wherever source and target begin within a line, and whatever is left over from whole rows.
  @Test func floatsAreCopiedToWhereTheyBelong() {
    let source = FloatStorage(copying: (0..<80).map { Float($0 + 1) })
    let copied = FloatStorage(count: 112), streamed = FloatStorage(count: 112)
    let pool = ThreadPool(threads: 1)
    for place in 0..<3 * 16 * 61 {
      let from = [0, 3, 8][place % 3], to = place / 3 % 16, count = place / 48
      for index in 0..<112 { (copied.pointer[index], streamed.pointer[index]) = (0, 0) }
      copyFloats(source.pointer + from, count, into: copied.pointer + 16 + to)
      pool.forEach(1) { _, _ in streamFloats(source.pointer + from, count, into: streamed.pointer + 16 + to) }
      var expected = [Float](repeating: 0, count: 112)
      for index in 0..<count { expected[16 + to + index] = Float(from + index + 1) }
      #expect(copied.values == expected && streamed.values == expected, "\(count) floats from \(from) to \(to)")
    }
  }
}
