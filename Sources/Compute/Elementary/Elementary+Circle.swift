extension Elementary {
  // π/2 in three parts: the first two of 33 bits, so that products with quadrant numbers up to 2^20 are exact.
  private static let halfPiHigh = 0x1.921fb544p+0
  private static let halfPiMiddle = 0x1.0b4611a6p-34
  private static let halfPiLow = 0x1.3198a2e037073p-69
  private static let twoOverPi = 0x1.45f306dc9c883p-1

  /// The sine of x, an angle in radians of at most 10^6 either way; NaN beyond.
  public static func sin(_ x: Double) -> Double {
    guard abs(x) <= 1e6 else { return .nan }
    let (quadrant, high, low) = reduced(x)
    switch quadrant {
    case 0: return sine(high, low)
    case 1: return cosine(high, low)
    case 2: return -sine(high, low)
    default: return -cosine(high, low)
    }
  }

  /// The cosine of x, an angle in radians of at most 10^6 either way; NaN beyond.
  public static func cos(_ x: Double) -> Double {
    guard abs(x) <= 1e6 else { return .nan }
    let (quadrant, high, low) = reduced(x)
    switch quadrant {
    case 0: return cosine(high, low)
    case 1: return -sine(high, low)
    case 2: return -cosine(high, low)
    default: return sine(high, low)
    }
  }

  /// x = quadrant · π/2 + high + low with |high| ≤ π/4.
  private static func reduced(_ x: Double) -> (quadrant: Int, high: Double, low: Double) {
    let k = (x * twoOverPi + roundingShift) - roundingShift
    let a = x.addingProduct(-k, halfPiHigh)  // exact
    let b = k * halfPiMiddle  // exact
    let c = a - b, cRest = (a - c) - b
    let low = cRest.addingProduct(-k, halfPiLow)
    let high = c + low
    return (Int(k) & 3, high, low - (high - c))
  }

  private static func sine(_ x: Double, _ rest: Double) -> Double {
    let z = x * x
    let tail = (x * z) * polynomial(z, sineSeries)
    return x + (rest + tail)
  }

  private static func cosine(_ x: Double, _ rest: Double) -> Double {
    let z = x * x, half = 0.5 * z
    let one = 1 - half
    let tail = (z * z) * polynomial(z, cosineSeries)
    // 1 − half was rounded; its error goes back in with the small terms.
    return one + (((1 - one) - half) + (tail - x * rest))
  }

  /// −1/3!, 1/5!, −1/7!, … −1/19!
  private static let sineSeries: [Double] = [
    -1 / 6, 1 / 120, -1 / 5040, 1 / 362_880, -1 / 39_916_800, 1 / 6_227_020_800, -1 / 1_307_674_368_000,
    1 / 355_687_428_096_000, -1 / 121_645_100_408_832_000,
  ]

  /// 1/4!, −1/6!, 1/8!, … 1/20!
  private static let cosineSeries: [Double] = [
    1 / 24, -1 / 720, 1 / 40320, -1 / 3_628_800, 1 / 479_001_600, -1 / 87_178_291_200, 1 / 20_922_789_888_000,
    -1 / 6_402_373_705_728_000, 1 / 2_432_902_008_176_640_000,
  ]
}
