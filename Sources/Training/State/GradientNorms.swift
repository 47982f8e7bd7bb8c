import Compute
import Lockstep

/// The gradient of a whole step, kept until it is complete, and sums of its squares: for updates that depend on norms.
///
/// A unit is at most 16,384 elements of one tensor (`FlatLayout`). Its sum of squares is that of 16 lanes (element mod 16)
/// in Double; sums of units are added in flat order. So norms depend neither on who computed which bucket nor on the width
/// of vectors. Different buckets may be kept from different threads at once.
final class GradientNorms: @unchecked Sendable {
  private let layout: FlatLayout
  private let sums: FloatStorage
  /// For each unit of the layout, in flat order.
  private let gradientSquares: UnsafeMutablePointer<Double>
  /// The same of the parameters; nil where only the whole gradient's norm is asked for.
  private let parameterSquares: UnsafeMutablePointer<Double>?
  private let unitCount: Int

  /// - Parameter withTensors: whether the norms of single tensors will be asked for.
  init(_ layout: FlatLayout, withTensors: Bool) {
    self.layout = layout
    sums = FloatStorage(count: layout.count)
    unitCount = layout.units.count
    gradientSquares = .allocate(capacity: unitCount)
    gradientSquares.initialize(repeating: 0, count: unitCount)
    parameterSquares = withTensors ? .allocate(capacity: unitCount) : nil
    parameterSquares?.initialize(repeating: 0, count: unitCount)
  }

  deinit {
    gradientSquares.deallocate()
    parameterSquares?.deallocate()
  }

  /// Takes a bucket of the gradient's sum.
  ///
  /// - Parameters:
  ///   - sum: the bucket's first element.
  ///   - parameters: the whole flat vector before the step.
  func keep(bucket: Int, sum: UnsafePointer<Float>, parameters: UnsafePointer<Float>) {
    let range = layout.buckets[bucket]
    (sums.pointer + range.lowerBound).update(from: sum, count: range.count)
    for index in layout.unitIndices(ofBucket: bucket) {
      let unit = layout.units[index].range
      gradientSquares[index] = sumOfSquares(sum + (unit.lowerBound - range.lowerBound), count: unit.count)
      parameterSquares?[index] = sumOfSquares(parameters + unit.lowerBound, count: unit.count)
    }
  }

  /// The kept sum of a bucket.
  func sum(ofBucket bucket: Int) -> UnsafePointer<Float> {
    UnsafePointer(sums.pointer) + layout.buckets[bucket].lowerBound
  }

  /// The norm of the gradient's sum divided by the number of samples.
  func meanGradientNorm(sampleCount: Int) -> Double {
    (0..<unitCount).reduce(0) { $0 + gradientSquares[$1] }.squareRoot() / Double(sampleCount)
  }

  /// The norms of every tensor, in flat order; empty where they were not asked for.
  ///
  /// - Parameter scale: what the mean gradient is multiplied by.
  func tensorNorms(sampleCount: Int, scale: Float) -> [TensorNorms] {
    guard let parameterSquares else { return [] }
    var squares = Array(repeating: (parameters: 0.0, gradient: 0.0), count: layout.tensorSizes.count)
    for (index, unit) in layout.units.enumerated() {
      squares[unit.tensor].parameters += parameterSquares[index]
      squares[unit.tensor].gradient += gradientSquares[index]
    }
    return squares.map {
      TensorNorms(
        parameters: $0.parameters.squareRoot(),
        gradient: $0.gradient.squareRoot() / Double(sampleCount) * Double(scale))
    }
  }
}

/// Σ x² in Double, where the squares of floats are exact: 16 lanes (element mod 16), then a tree of halves.
func sumOfSquares(_ values: UnsafePointer<Float>, count: Int) -> Double {
  var sums = SIMD16<Double>()
  let whole = count - count % 16
  for start in stride(from: 0, to: whole, by: 16) {
    var x = SIMD16<Double>()
    for lane in 0..<16 { x[lane] = Double(values[start + lane]) }
    sums += x * x
  }
  for index in whole..<count {
    let x = Double(values[index])
    sums[index - whole] += x * x
  }
  let eight = sums.lowHalf + sums.highHalf
  let four = eight.lowHalf + eight.highHalf
  let two = four.lowHalf + four.highHalf
  return two[0] + two[1]
}
