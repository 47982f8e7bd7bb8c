import Testing

@testable import Compute

@Suite("Flat vectors")
struct FlatVectorTests {
  @Test("Sums, in place and not", arguments: [0, 1, 15, 16, 17, 100])
  func sums(_ count: Int) {
    var numbers = TestNumbers(count)
    let left = numbers.values(count), right = numbers.values(count)
    var floats = left.map { Float($0) }, doubles = left
    let rightFloats = right.map { Float($0) }
    floats.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      add(UnsafePointer(start), rightFloats, into: start, count: count)
    }
    doubles.withUnsafeMutableBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return }
      add(UnsafePointer(start), right, into: start, count: count)
    }
    for index in 0..<count {
      #expect(floats[index] == Float(left[index]) + rightFloats[index] && doubles[index] == left[index] + right[index])
    }
  }

  @Test("One infinity or NaN anywhere is found", arguments: [Double.nan, .infinity, -.infinity])
  func finite(_ bad: Double) {
    for count in [1, 16, 37] {
      var floats = [Float](repeating: .greatestFiniteMagnitude, count: count)
      var doubles = [Double](repeating: -.greatestFiniteMagnitude, count: count)
      #expect(allFinite(floats, count: count) && allFinite(doubles, count: count))
      for index in 0..<count {
        (floats[index], doubles[index]) = (Float(bad), bad)
        #expect(!allFinite(floats, count: count) && !allFinite(doubles, count: count))
        (floats[index], doubles[index]) = (0, 0)
      }
    }
  }
}
