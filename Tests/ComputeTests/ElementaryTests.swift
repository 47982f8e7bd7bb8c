import Testing

@testable import Compute

@Suite("Elementary functions")
struct ElementaryTests {
  /// The error in units in the last place of the true value, which is high + low.
  static func ulps(_ value: Double, _ high: Double, _ low: Double) -> Double {
    abs((value - high) - low) / high.ulp
  }

  @Test("exp and log err by less than 1 ulp")
  func expLog() {
    for (x, high, low) in ElementaryTables.exp { #expect(Self.ulps(Elementary.exp(x), high, low) < 1, "exp(\(x))") }
    for (x, high, low) in ElementaryTables.log { #expect(Self.ulps(Elementary.log(x), high, low) < 1, "log(\(x))") }
  }

  @Test("sin and cos err by less than 1 ulp")
  func circle() {
    for (x, high, low) in ElementaryTables.sin { #expect(Self.ulps(Elementary.sin(x), high, low) < 1, "sin(\(x))") }
    for (x, high, low) in ElementaryTables.cos { #expect(Self.ulps(Elementary.cos(x), high, low) < 1, "cos(\(x))") }
  }

  @Test("pow errs by less than 1 ulp")
  func power() {
    for (x, y, high, low) in ElementaryTables.pow {
      #expect(Self.ulps(Elementary.pow(x, y), high, low) < 1, "pow(\(x), \(y))")
    }
  }

  @Test("exp and log at the ends of their ranges")
  func ends() {
    #expect(Elementary.exp(0) == 1 && Elementary.exp(-0.0) == 1)
    #expect(Elementary.exp(.infinity) == .infinity && Elementary.exp(-.infinity) == 0 && Elementary.exp(.nan).isNaN)
    #expect(Elementary.exp(709.79) == .infinity && Elementary.exp(-745.14) == 0)
    #expect(Elementary.exp(-745.13) == .leastNonzeroMagnitude)
    #expect(Elementary.log(1) == 0 && Elementary.log(0) == -.infinity && Elementary.log(-0.0) == -.infinity)
    #expect(Elementary.log(.infinity) == .infinity && Elementary.log(-1).isNaN && Elementary.log(.nan).isNaN)
    #expect(Elementary.sin(0) == 0 && Elementary.cos(0) == 1)
    #expect(Elementary.sin(.infinity).isNaN && Elementary.cos(2e6).isNaN)
  }

  @Test("pow's special cases are those of IEEE 754")
  func powerSpecialCases() {
    let pow: (Double, Double) -> Double = Elementary.pow
    #expect(pow(.nan, 0) == 1 && pow(1, .nan) == 1 && pow(.nan, 1).isNaN && pow(2, .nan).isNaN)
    #expect(pow(-2, 3) == -8 && pow(-2, 2) == 4 && pow(-2, 0.5).isNaN && pow(-2, -1) == -0.5)
    #expect(pow(0, 2) == 0 && pow(0, -2) == .infinity && pow(-0.0, -3) == -.infinity && pow(-0.0, 3).sign == .minus)
    #expect(pow(.infinity, 2) == .infinity && pow(.infinity, -2) == 0 && pow(-.infinity, 3) == -.infinity)
    #expect(pow(2, .infinity) == .infinity && pow(0.5, .infinity) == 0 && pow(-1, .infinity) == 1)
    #expect(pow(2, 2000) == .infinity && pow(2, -2000) == 0 && pow(2, 10) == 1024 && pow(10, 2) == 100)
    #expect(pow(2, -1074) == .leastNonzeroMagnitude)
  }

  @Test("The single-precision exp and log err by less than 1.5 ulp everywhere")
  func singlePrecision() {
    func ulps(_ value: Float, _ exact: Double) -> Double { abs(Double(value) - exact) / Double(Float(exact).ulp) }
    var worstExp = 0.0, worstLog = 0.0
    // Double precision is the judge; its own error is a 2^-29th of this.
    for index in 0..<200_000 {
      let x = -103 + Float(index) * (191 / 200_000)
      worstExp = max(worstExp, ulps(Elementary.expFloat(x), Elementary.exp(Double(x))))
      let y = Float(bitPattern: UInt32(index) * 10_000 + 12_345)
      if y.isFinite { worstLog = max(worstLog, ulps(Elementary.logFloat(y), Elementary.log(Double(y)))) }
      let z = 0.5 + Float(index) / 100_000
      worstLog = max(worstLog, ulps(Elementary.logFloat(z), Elementary.log(Double(z))))
    }
    #expect(worstExp < 1.5 && worstLog < 1.5, "exp \(worstExp), log \(worstLog)")
  }

  @Test("The single-precision functions at the ends of their ranges, and lane by lane")
  func singlePrecisionEnds() {
    let exp: (Float) -> Float = Elementary.expFloat, log: (Float) -> Float = Elementary.logFloat
    #expect(exp(0) == 1 && exp(89) == .infinity && exp(-104) == 0 && exp(.nan).isNaN)
    #expect(exp(.infinity) == .infinity && exp(-.infinity) == 0 && exp(-103) > 0)
    #expect(log(1) == 0 && log(0) == -.infinity && log(.infinity) == .infinity && log(-1).isNaN && log(.nan).isNaN)
    #expect(log(.leastNonzeroMagnitude) == -103.27893)
    var row = SIMD16<Float>.zero
    for lane in 0..<16 { row[lane] = Float(lane) * 0.7 + 0.1 }
    let exps: SIMD16<Float> = Elementary.expFloat(row), logs: SIMD16<Float> = Elementary.logFloat(row)
    for lane in 0..<16 { #expect(exps[lane] == exp(row[lane]) && logs[lane] == log(row[lane])) }
  }
}
