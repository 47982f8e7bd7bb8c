// The transforms of one axis, on some lanes at a time. `scheme` and `outputs` are literals wherever these are called,
// so that each call is compiled to the few operations of its case. Elements are asked for in any order, some twice;
// data and taps are put in ascending order.

/// The points other than 0 and ∞ are ±√½ and ±√2.
private let near: Float = 0.70710678118654752
private let far: Float = 1.41421356237309505
/// What the filter's values at them are divided by: the products of the differences to the other points.
private let nearNorm: Float = -2.0 / 3
private let farNorm: Float = 1.0 / 6

@inline(__always) private func all(_ x: Float) -> Lanes { Lanes(repeating: x) }

extension WinogradScheme {
  // MARK: Data: V = B′ d, and the adjoint

  /// Data to points.
  @inline(__always)
  func transformData(_ outputs: Int, _ d: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    switch self {
    case .one: put(0, d(0))
    case .three: Self.evaluateData(outputs + 2, d, put)
    case .four: WinogradPairedPoints.three.transformData(d, put)
    case .five: Self.evaluateData(outputs + 4, d, put)
    case .seven: WinogradPairedPoints.four.transformData(d, put)
    }
  }

  /// Points to data.
  @inline(__always)
  func transformDataAdjoint(_ outputs: Int, _ v: (Int) -> Lanes, _ put: (_ element: Int, Lanes) -> Void) {
    switch self {
    case .one: put(0, v(0))
    case .three: Self.evaluateDataAdjoint(outputs + 2, v, put)
    case .four: WinogradPairedPoints.three.transformDataAdjoint(v, put)
    case .five: Self.evaluateDataAdjoint(outputs + 4, v, put)
    case .seven: WinogradPairedPoints.four.transformDataAdjoint(v, put)
    }
  }

  @inline(__always)
  private static func evaluateData(_ points: Int, _ d: (Int) -> Lanes, _ put: (Int, Lanes) -> Void) {
    let d0 = d(0), d1 = d(1), d2 = d(2), d3 = d(3)
    if points == 6 {
      let d4 = d(4), d5 = d(5)
      put(0, (d0 + d4).addingProduct(d2, all(-2.5)))
      let nearEven = d4.addingProduct(d2, all(-2)), nearOdd = d3.addingProduct(d1, all(-2))
      put(1, nearEven.addingProduct(nearOdd, all(near)))
      put(2, nearEven.addingProduct(nearOdd, all(-near)))
      let farEven = d4.addingProduct(d2, all(-0.5)), farOdd = d3.addingProduct(d1, all(-0.5))
      put(3, farEven.addingProduct(farOdd, all(far)))
      put(4, farEven.addingProduct(farOdd, all(-far)))
      put(5, (d1 + d5).addingProduct(d3, all(-2.5)))
    } else if points == 5 {
      let odd = d3.addingProduct(d1, all(-0.5))
      put(0, d0.addingProduct(d2, all(-2)).addingProduct(odd, all(far)))
      put(1, (d3 - d1).addingProduct(d2, all(-near)) * all(3 * near))
      put(2, (d3 + d1).addingProduct(d2, all(-3 * near)) * all(near))
      put(3, odd * all(2 * far))
      put(5, d(4).addingProduct(d2, all(-0.5)).addingProduct(odd, all(-far)))
    } else {
      let even = d2 * all(-1.5)
      put(0, d0.addingProduct(d2, all(-2)))
      put(1, even.addingProduct(d1, all(-1.5 * near)))
      put(2, even.addingProduct(d1, all(1.5 * near)))
      put(5, d3.addingProduct(d1, all(-0.5)))
    }
  }

  @inline(__always)
  private static func evaluateDataAdjoint(_ points: Int, _ v: (Int) -> Lanes, _ put: (Int, Lanes) -> Void) {
    let v0 = v(0), v1 = v(1), v2 = v(2), v5 = v(5)
    put(0, v0)
    if points == 6 {
      let v3 = v(3), v4 = v(4)
      let sum = v1 + v2, difference = v1 - v2, farSum = v3 + v4, farDifference = v3 - v4
      put(1, v5.addingProduct(difference, all(-far)).addingProduct(farDifference, all(-near)))
      put(2, (v0 * all(-2.5)).addingProduct(sum, all(-2)).addingProduct(farSum, all(-0.5)))
      put(3, (v5 * all(-2.5)).addingProduct(difference, all(near)).addingProduct(farDifference, all(far)))
      put(4, v0 + sum + farSum)
      put(5, v5)
    } else if points == 5 {
      let v3 = v(3)
      put(1, (v5 - v0 + v2).addingProduct(v1, all(-3)).addingProduct(v3, all(-2)) * all(near))
      put(2, (v0 * all(-2)).addingProduct(v1 + v2, all(-1.5)).addingProduct(v5, all(-0.5)))
      put(3, ((v0 - v5) * all(far)).addingProduct(v2.addingProduct(v1, all(3)).addingProduct(v3, all(4)), all(near)))
      put(4, v5)
    } else {
      put(1, (v5 * all(-0.5)).addingProduct(v1 - v2, all(-1.5 * near)))
      put(2, (v0 * all(-2)).addingProduct(v1 + v2, all(-1.5)))
      put(3, v5)
    }
  }

  // MARK: Outputs: Y = A′ M, and the adjoint

  /// Points to outputs.
  @inline(__always)
  func transformOutput(_ outputs: Int, _ m: (Int) -> Lanes, _ put: (_ output: Int, Lanes) -> Void) {
    if self == .one { return put(0, m(0)) }
    if self == .four { return WinogradPairedPoints.three.transformOutput(m, put) }
    if self == .seven { return WinogradPairedPoints.four.transformOutput(m, put) }
    let has3 = uses(3, outputs: outputs), has4 = uses(4, outputs: outputs)
    let m0 = m(0), m1 = m(1), m2 = m(2), m5 = m(5)
    let m3 = has3 ? m(3) : .zero, m4 = has4 ? m(4) : .zero
    let sum = m1 + m2, difference = m1 - m2
    let farSum = has4 ? m3 + m4 : m3, farDifference = has4 ? m3 - m4 : m3
    /// The last output has the point at infinity too.
    @inline(__always) func finish(_ output: Int, _ value: Lanes) {
      put(output, output == outputs - 1 ? value + m5 : value)
    }
    finish(0, has3 ? m0 + sum + farSum : m0 + sum)
    if outputs > 1 {
      let value = difference * all(near)
      finish(1, has3 ? value.addingProduct(farDifference, all(far)) : value)
    }
    if outputs > 2 { finish(2, (sum * all(0.5)).addingProduct(farSum, all(2))) }
    if outputs > 3 { finish(3, (difference * all(0.5 * near)).addingProduct(farDifference, all(2 * far))) }
  }

  /// Outputs to points.
  @inline(__always)
  func transformOutputAdjoint(_ outputs: Int, _ y: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    if self == .four { return WinogradPairedPoints.three.transformOutputAdjoint(y, put) }
    if self == .seven { return WinogradPairedPoints.four.transformOutputAdjoint(y, put) }
    let y0 = y(0)
    put(0, y0)
    if self == .one { return }
    if outputs == 1 {
      put(1, y0)
      put(2, y0)
      put(3, y0)
      put(5, y0)
      return
    }
    let y1 = y(1), y2 = outputs > 2 ? y(2) : .zero, y3 = outputs > 3 ? y(3) : .zero
    let nearEven = outputs > 2 ? y0.addingProduct(y2, all(0.5)) : y0
    let nearOdd = outputs > 3 ? y1.addingProduct(y3, all(0.5)) : y1
    put(1, nearEven.addingProduct(nearOdd, all(near)))
    put(2, nearEven.addingProduct(nearOdd, all(-near)))
    if uses(3, outputs: outputs) {
      let farEven = outputs > 2 ? y0.addingProduct(y2, all(2)) : y0
      let farOdd = outputs > 3 ? y1.addingProduct(y3, all(2)) : y1
      put(3, farEven.addingProduct(farOdd, all(far)))
      if uses(4, outputs: outputs) { put(4, farEven.addingProduct(farOdd, all(-far))) }
    }
    put(5, outputs == 2 ? y1 : outputs == 3 ? y2 : y3)
  }

  // MARK: Filters: U = G g, and the adjoint

  /// Taps to points.
  @inline(__always)
  func transformFilter(_ g: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    switch self {
    case .one: put(0, g(0))
    case .three: Self.evaluateFilter(3, g, put)
    case .four: WinogradPairedPoints.three.transformFilter(g, put)
    case .five: Self.evaluateFilter(5, g, put)
    case .seven: WinogradPairedPoints.four.transformFilter(g, put)
    }
  }

  /// Points to taps.
  @inline(__always)
  func transformFilterAdjoint(_ u: (Int) -> Lanes, _ put: (_ tap: Int, Lanes) -> Void) {
    switch self {
    case .one: put(0, u(0))
    case .three: Self.evaluateFilterAdjoint(3, u, put)
    case .four: WinogradPairedPoints.three.transformFilterAdjoint(u, put)
    case .five: Self.evaluateFilterAdjoint(5, u, put)
    case .seven: WinogradPairedPoints.four.transformFilterAdjoint(u, put)
    }
  }

  @inline(__always)
  private static func evaluateFilter(_ taps: Int, _ g: (Int) -> Lanes, _ put: (Int, Lanes) -> Void) {
    let g0 = g(0), g1 = g(1), g2 = g(2), g3 = taps > 3 ? g(3) : .zero, g4 = taps > 4 ? g(4) : .zero
    put(0, g0)
    var nearEven = g0.addingProduct(g2, all(0.5)), nearOdd = g1
    var farEven = g0.addingProduct(g2, all(2)), farOdd = g1
    if taps > 3 { (nearOdd, farOdd) = (g1.addingProduct(g3, all(0.5)), g1.addingProduct(g3, all(2))) }
    if taps > 4 { (nearEven, farEven) = (nearEven.addingProduct(g4, all(0.25)), farEven.addingProduct(g4, all(4))) }
    (nearEven, nearOdd) = (nearEven * all(nearNorm), nearOdd * all(nearNorm * near))
    (farEven, farOdd) = (farEven * all(farNorm), farOdd * all(farNorm * far))
    put(1, nearEven + nearOdd)
    put(2, nearEven - nearOdd)
    put(3, farEven + farOdd)
    put(4, farEven - farOdd)
    put(5, taps == 3 ? g2 : taps == 4 ? g3 : g4)
  }

  @inline(__always)
  private static func evaluateFilterAdjoint(_ taps: Int, _ u: (Int) -> Lanes, _ put: (Int, Lanes) -> Void) {
    let u1 = u(1), u2 = u(2), u3 = u(3), u4 = u(4), u5 = u(5)
    let nearEven = (u1 + u2) * all(nearNorm), nearOdd = (u1 - u2) * all(nearNorm * near)
    let farEven = (u3 + u4) * all(farNorm), farOdd = (u3 - u4) * all(farNorm * far)
    put(0, u(0) + nearEven + farEven)
    put(1, nearOdd + farOdd)
    @inline(__always) func finish(_ tap: Int, _ value: Lanes) { put(tap, tap == taps - 1 ? value + u5 : value) }
    finish(2, (nearEven * all(0.5)).addingProduct(farEven, all(2)))
    if taps > 3 { finish(3, (nearOdd * all(0.5)).addingProduct(farOdd, all(2))) }
    if taps > 4 { finish(4, (nearEven * all(0.25)).addingProduct(farEven, all(4))) }
  }
}
