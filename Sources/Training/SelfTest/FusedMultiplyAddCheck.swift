import Compute

/// The program was built for a CPU without fused multiply-add: its results are right, but come many times too slowly.
public struct UnfusedBuild: Error, CustomStringConvertible, Sendable {
  /// How much longer a kernel takes than arithmetic of its size.
  public let slowness: Double

  public var description: String {
    "this program was built without fused multiply-add instructions and would train many times too slowly; "
      + "build it again for this CPU (TRAINER_CPU in Package.swift, by default what it has)"
  }
}

/// Makes sure that the kernels use the CPU's fused multiply-add.
///
/// Without the instruction every one becomes a call of the C library, which no result shows. So a kernel made of them is
/// timed against as many plain products and sums: 0.75 times as long with the instruction, 16 times without (both measured,
/// x86-64). Each is the best of many short runs, alternating, so that a busy host disturbs neither.
///
/// - Throws: `UnfusedBuild`.
public func checkFusedMultiplyAdd() throws(UnfusedBuild) {
  let slowness = fusedMultiplyAddSlowness()
  // Between the two measured figures, far from either.
  guard slowness < 6 else { throw UnfusedBuild(slowness: slowness) }
}

/// The time of fused multiply-adds, relative to plain arithmetic.
func fusedMultiplyAddSlowness() -> Double {
  let clock = ContinuousClock()
  var fused = Duration.seconds(1000), plain = fused
  var x = SIMD16<Float>(repeating: 0.5), y = x
  for _ in 0..<40 {
    fused = min(fused, clock.measure { for _ in 0..<100 { x = Elementary.expFloat(x * 0.25) } })
    plain = min(plain, clock.measure { for _ in 0..<100 { y = plainPolynomial(y * 0.25) } })
  }
  // The results are used, so that neither loop can be left out.
  precondition(x[0] > 0 && y[0] > 0, "exponentials are positive")
  return fused / plain
}

/// About as many products and sums as an exponential has.
@inline(never) private func plainPolynomial(_ x: SIMD16<Float>) -> SIMD16<Float> {
  var value = SIMD16<Float>(repeating: 1)
  for k in 0..<10 { value = value * x * (1 / Float(10 - k)) + 1 }
  return value
}
