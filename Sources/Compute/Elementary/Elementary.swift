/// Elementary functions whose results have the same bits on every host.
///
/// A system's `exp` or `log` may differ from the next system's in the last bit, and then two hosts would train two
/// different networks. These use +, −, ×, ÷, fused multiply-add, comparisons and bit patterns, all of which IEEE 754
/// fixes. Errors are about 1 ulp (measured in the tests against 40-digit values).
///
/// - Source: the reductions are those of Cody and Waite, "Software Manual for the Elementary Functions", 1980; the series
///   are Taylor's and the area tangent's.
public enum Elementary {
  static let ln2High = 0x1.62e42feep-1  // ln 2 to 33 bits: its products with exponents are exact
  static let ln2Low = 0x1.a39ef35793c76p-33
  static let log2e = 0x1.71547652b82fep+0
  /// Adding this to a number below 2^51 rounds it to an integer.
  static let roundingShift = 0x1.8p52

  /// e to the power of x.
  public static func exp(_ x: Double) -> Double { exp(x, correction: 0) }

  /// e to the power of x + correction, for a correction below 2^-40.
  static func exp(_ x: Double, correction: Double) -> Double {
    if x.isNaN { return x }
    if x > 710 { return .infinity }
    if x < -746 { return 0 }
    // x = k ln 2 + high + low with |high| ≤ ln 2 / 2.
    let k = (x * log2e + roundingShift) - roundingShift
    let a = x.addingProduct(-k, ln2High)
    let b = correction.addingProduct(-k, ln2Low)
    let high = a + b, low = b - (high - a)
    let tail = polynomial(high, inverseFactorialsFrom2)
    let fraction = 1 + (high + low.addingProduct(high * high, tail))
    return scaled(fraction, by: Int(k))
  }

  /// The natural logarithm of x.
  public static func log(_ x: Double) -> Double {
    if x.isNaN || x < 0 { return .nan }
    if x == 0 { return -.infinity }
    if x == .infinity { return x }
    // x = 2^k (1 + f) with √½ ≤ 1 + f < √2; log(1 + f) = 2 artanh(s) = 2s + 2/3 s³ + … with s = f / (2 + f).
    let (k, m) = exponentAndSignificand(x)
    let f = m - 1
    let s = f / (2 + f), z = s * s
    let r = z * polynomial(z, areaTangent)
    // 2s = f − f²/2 + s f²/2, and f itself is exact.
    let halfSquare = 0.5 * f * f
    let exponent = Double(k)
    let small = halfSquare - (s * (halfSquare + r)).addingProduct(exponent, ln2Low)
    return (exponent * ln2High) - (small - f)
  }

  /// x to the power of y; the special cases are those of IEEE 754's pow.
  public static func pow(_ x: Double, _ y: Double) -> Double {
    if y == 0 || x == 1 { return 1 }
    if x.isNaN || y.isNaN { return .nan }
    let isInteger = y.rounded(.towardZero) == y
    let isOdd = isInteger && abs(y) < 0x1p53 && Int64(y) & 1 != 0
    if x == 0 || x.isInfinite {
      let grows = (x == 0) == (y < 0)
      let magnitude = grows ? Double.infinity : 0
      return isOdd && x.sign == .minus ? -magnitude : magnitude
    }
    if y.isInfinite {
      let base = abs(x)
      if base == 1 { return 1 }
      return (base > 1) == (y > 0) ? .infinity : 0
    }
    if x < 0 && !isInteger { return .nan }
    let logarithm = preciseLog(abs(x))
    let product = logarithm.high * y
    let magnitude: Double
    if abs(product) > 800 || product.isNaN {
      magnitude = product > 0 ? .infinity : 0
    } else {
      let rest = (-product).addingProduct(logarithm.high, y).addingProduct(logarithm.low, y)
      magnitude = exp(product, correction: rest)
    }
    return x < 0 && isOdd ? -magnitude : magnitude
  }

  // MARK: Parts

  /// c0 + c1 x + c2 x² + …
  @inline(__always) static func polynomial(_ x: Double, _ coefficients: [Double]) -> Double {
    var sum = 0.0
    for coefficient in coefficients.reversed() { sum = coefficient.addingProduct(sum, x) }
    return sum
  }

  /// 1/2!, 1/3!, … 1/14!
  private static let inverseFactorialsFrom2: [Double] = [
    1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320, 1 / 362_880, 1 / 3_628_800, 1 / 39_916_800,
    1 / 479_001_600, 1 / 6_227_020_800, 1 / 87_178_291_200,
  ]

  /// 2/3, 2/5, 2/7, …
  private static let areaTangent: [Double] = [
    2 / 3, 2 / 5, 2 / 7, 2 / 9, 2 / 11, 2 / 13, 2 / 15, 2 / 17, 2 / 19, 2 / 21, 2 / 23,
  ]

  /// 2/5, 2/7, …
  private static let areaTangentRest: [Double] = [
    2 / 5, 2 / 7, 2 / 9, 2 / 11, 2 / 13, 2 / 15, 2 / 17, 2 / 19, 2 / 21, 2 / 23,
  ]

  /// x = 2^k · m with √½ ≤ m < √2, for positive finite x.
  private static func exponentAndSignificand(_ x: Double) -> (k: Int, m: Double) {
    let isSubnormal = x < .leastNormalMagnitude
    let bits = (isSubnormal ? x * 0x1p54 : x).bitPattern
    var k = Int(bits >> 52) - 1023 - (isSubnormal ? 54 : 0)
    var m = Double(bitPattern: bits & 0x000F_FFFF_FFFF_FFFF | 0x3FF0_0000_0000_0000)
    if m >= 0x1.6a09e667f3bcdp+0 { (m, k) = (m * 0.5, k + 1) }
    return (k, m)
  }

  /// x · 2^k, rounded once even if the result is subnormal.
  private static func scaled(_ x: Double, by k: Int) -> Double {
    let half = k / 2
    // The first product is exact, unless the result overflows or vanishes anyway.
    func power(_ k: Int) -> Double { Double(bitPattern: UInt64(k + 1023) << 52) }
    return k < -1000 ? (x * power(k + 200)) * 0x1p-200 : (x * power(half)) * power(k - half)
  }

  /// log x as the sum of two numbers, with a relative error of about 2^-64.
  private static func preciseLog(_ x: Double) -> (high: Double, low: Double) {
    let (k, m) = exponentAndSignificand(x)
    let f = m - 1
    // s = f / (2 + f) in double-double; 2 + f is exact in two parts.
    let d = 2 + f, dRest = f - (d - 2)
    let sHigh = f / d
    let sLow = (f.addingProduct(-sHigh, d).addingProduct(-sHigh, dRest)) / d
    let zHigh = sHigh * sHigh
    let zLow = (-zHigh).addingProduct(sHigh, sHigh).addingProduct(2 * sHigh, sLow)
    // 2s + 2/3 s³ in double-double, the rest of the series in double.
    let cubeHigh = sHigh * zHigh
    let cubeLow = (-cubeHigh).addingProduct(sHigh, zHigh).addingProduct(sHigh, zLow).addingProduct(sLow, zHigh)
    let third = 2.0 / 3, thirdRest = 0x1.5555555555555p-55
    let termHigh = cubeHigh * third
    let termLow = (-termHigh).addingProduct(cubeHigh, third).addingProduct(cubeHigh, thirdRest)
      .addingProduct(cubeLow, third)
    let rest = cubeHigh * zHigh * polynomial(zHigh, areaTangentRest)
    let exponent = Double(k)
    let first = sum(exponent * ln2High, 2 * sHigh)
    let second = sum(first.high, termHigh)
    let low = second.low + (first.low + (2 * sLow + (termLow + (rest + exponent * ln2Low))))
    return quickSum(second.high, low)
  }

  /// a + b and its rounding error (Knuth).
  private static func sum(_ a: Double, _ b: Double) -> (high: Double, low: Double) {
    let high = a + b, part = high - a
    return (high, (a - (high - part)) + (b - part))
  }

  /// a + b and its rounding error, for |a| ≥ |b| (Dekker).
  private static func quickSum(_ a: Double, _ b: Double) -> (high: Double, low: Double) {
    let high = a + b
    return (high, b - (high - a))
  }
}
