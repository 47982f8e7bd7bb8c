extension Elementary {
  /// e to the power of x, with an error below 1 ulp; each lane of the vector form gives these very bits.
  public static func expFloat(_ x: Float) -> Float { expFloat(SIMD16<Float>(repeating: x))[0] }

  /// The natural logarithm of x, with an error below 2 ulp; each lane of the vector form gives these very bits.
  public static func logFloat(_ x: Float) -> Float { logFloat(SIMD16<Float>(repeating: x))[0] }

  /// e to the power of x lane by lane.
  public static func expFloat(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let shift = Row(repeating: 0x1.8p23)
    // Beyond these bounds the result is 0 or infinite all the same.
    let bounded = x.replacing(with: 100, where: x .> 100).replacing(with: -110, where: x .< -110)
    // x = k ln 2 + r.
    let shifted = shift.addingProduct(bounded, Row(repeating: 0x1.715476p+0))
    let k = shifted - shift
    var r = bounded.addingProduct(k, Row(repeating: -0x1.62e4p-1))  // exact: 16 bits of ln 2
    r = r.addingProduct(k, Row(repeating: -0x1.7f7d1cp-20))
    var p = Row(repeating: 1 / 5040)
    for coefficient: Float in [1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2] {
      p = Row(repeating: coefficient).addingProduct(p, r)
    }
    let fraction = (r.addingProduct(r * r, p)) + 1
    // 2^k in two steps, each within the range of normal numbers.
    let whole = unsafeBitCast(shifted, to: SIMD16<Int32>.self) &- unsafeBitCast(shift, to: SIMD16<Int32>.self)
    let half = whole &>> 1
    let result = fraction * powerOf2(half) * powerOf2(whole &- half)
    return result.replacing(with: x, where: x .!= x)
  }

  /// The natural logarithm of x lane by lane.
  public static func logFloat(_ x: SIMD16<Float>) -> SIMD16<Float> {
    let isSubnormal = x .< Row(repeating: .leastNormalMagnitude)
    let normal = x.replacing(with: x * 0x1p24, where: isSubnormal)
    let bits = unsafeBitCast(normal, to: SIMD16<Int32>.self)
    // The exponent that leaves a significand in [√½, √2): 0x3F3504F3 is the pattern of √½.
    let offset = bits &- SIMD16<Int32>(repeating: 0x3F35_04F3)
    let exponent = offset &>> 23
    let m = unsafeBitCast(bits &- (exponent &<< 23), to: Row.self)
    let k = Row(exponent) - Row.zero.replacing(with: 24, where: isSubnormal)
    let f = m - 1
    let s = f / (f + 2), z = s * s
    var r = Row(repeating: 2 / 11)
    for coefficient: Float in [2 / 9, 2 / 7, 2 / 5, 2 / 3] { r = Row(repeating: coefficient).addingProduct(r, z) }
    let halfSquare = f * f * 0.5
    let small = halfSquare - (s * (halfSquare.addingProduct(z, r))).addingProduct(k, Row(repeating: 0x1.7f7d1cp-20))
    var result = (k * 0x1.62e4p-1) - (small - f)
    result = result.replacing(with: -.infinity, where: x .== 0)
    result = result.replacing(with: .infinity, where: x .== .infinity)
    return result.replacing(with: .nan, where: (x .< 0) .| (x .!= x))
  }

  @inline(__always) private static func powerOf2(_ k: SIMD16<Int32>) -> Row {
    unsafeBitCast((k &+ 127) &<< 23, to: Row.self)
  }
}
