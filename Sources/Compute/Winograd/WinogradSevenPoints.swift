@inline(__always) private func all(_ x: Float) -> Lanes { Lanes(repeating: x) }

/// The points ±p, and the polynomial that is zero at the other two pairs: x⁴ + square · x² + constant.
private struct PointPair {
  let p, square, constant: Float
  /// What the filters are multiplied by at p and, negative, at −p: the inverse of p's differences to the other points.
  let norm: Float

  @inline(__always) static var near: PointPair {
    PointPair(p: 0.25, square: -953.0 / 256, constant: 8281.0 / 4096, norm: 512.0 / 459)
  }
  @inline(__always) static var middle: PointPair {
    PointPair(p: 0.8125, square: -3.125, constant: 49.0 / 256, norm: -524288.0 / 1_223_235)
  }
  @inline(__always) static var far: PointPair {
    PointPair(p: 1.75, square: -185.0 / 256, constant: 169.0 / 4096, norm: 512.0 / 12915)
  }
}

/// The polynomial that is zero at all pairs: x⁶ + fourth · x⁴ + second · x² + constant.
private enum AllPairs {
  @inline(__always) static var fourth: Float { -969.0 / 256 }
  @inline(__always) static var second: Float { 4617.0 / 2048 }
  @inline(__always) static var constant: Float { -8281.0 / 65536 }
}

/// The transforms of four taps, F(4, 4), on some lanes at a time.
///
/// The points are three pairs ±p and ∞: the values at both points of a pair are sum and difference of what is even and what
/// is odd in p. With 1/4, 13/16 and 7/4 all factors of the data and of the outputs are exact, and the errors about the
/// smallest that a search found: half of those of 0, ±1, ±2, ½ and ∞.
enum SevenPoints {
  /// Seven data to points.
  @inline(__always)
  static func transformData(_ d: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    let d0 = d(0), d1 = d(1), d2 = d(2), d3 = d(3), d4 = d(4), d5 = d(5)
    @inline(__always) func evaluate(_ pair: PointPair, _ point: Int) {
      let even = d4.addingProduct(d2, all(pair.square)).addingProduct(d0, all(pair.constant))
      let odd = d5.addingProduct(d3, all(pair.square)).addingProduct(d1, all(pair.constant))
      put(point, odd.addingProduct(even, all(pair.p)))
      put(point + 1, odd.addingProduct(even, all(-pair.p)))
    }
    evaluate(.near, 0)
    evaluate(.middle, 2)
    evaluate(.far, 4)
    let last = d(6).addingProduct(d4, all(AllPairs.fourth)).addingProduct(d2, all(AllPairs.second))
    put(6, last.addingProduct(d0, all(AllPairs.constant)))
  }

  /// Points to seven data.
  @inline(__always)
  static func transformDataAdjoint(_ v: (Int) -> Lanes, _ put: (_ element: Int, Lanes) -> Void) {
    let v0 = v(0), v1 = v(1), v2 = v(2), v3 = v(3), v4 = v(4), v5 = v(5), v6 = v(6)
    let (near, middle, far) = (PointPair.near, PointPair.middle, PointPair.far)
    let odd0 = v0 + v1, odd1 = v2 + v3, odd2 = v4 + v5
    let even0 = (v0 - v1) * all(near.p), even1 = (v2 - v3) * all(middle.p), even2 = (v4 - v5) * all(far.p)
    @inline(__always) func sum(
      _ first: Lanes, _ a: Lanes, _ b: Lanes, _ c: Lanes, _ factor: (PointPair) -> Float
    ) -> Lanes {
      first.addingProduct(a, all(factor(near))).addingProduct(b, all(factor(middle)))
        .addingProduct(c, all(factor(far)))
    }
    put(0, sum(v6 * all(AllPairs.constant), even0, even1, even2) { $0.constant })
    put(1, sum(.zero, odd0, odd1, odd2) { $0.constant })
    put(2, sum(v6 * all(AllPairs.second), even0, even1, even2) { $0.square })
    put(3, sum(.zero, odd0, odd1, odd2) { $0.square })
    put(4, (even0 + even1 + even2).addingProduct(v6, all(AllPairs.fourth)))
    put(5, odd0 + odd1 + odd2)
    put(6, v6)
  }

  /// Points to four outputs.
  @inline(__always)
  static func transformOutput(_ m: (Int) -> Lanes, _ put: (_ output: Int, Lanes) -> Void) {
    let m0 = m(0), m1 = m(1), m2 = m(2), m3 = m(3), m4 = m(4), m5 = m(5)
    let even0 = m0 + m1, even1 = m2 + m3, even2 = m4 + m5
    let odd0 = m0 - m1, odd1 = m2 - m3, odd2 = m4 - m5
    let (p, q, r) = (PointPair.near.p, PointPair.middle.p, PointPair.far.p)
    put(0, even0 + even1 + even2)
    put(1, (odd0 * all(p)).addingProduct(odd1, all(q)).addingProduct(odd2, all(r)))
    put(2, (even0 * all(p * p)).addingProduct(even1, all(q * q)).addingProduct(even2, all(r * r)))
    let last = m(6).addingProduct(odd0, all(p * p * p)).addingProduct(odd1, all(q * q * q))
    put(3, last.addingProduct(odd2, all(r * r * r)))
  }

  /// Four outputs to points.
  @inline(__always)
  static func transformOutputAdjoint(_ y: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    let y0 = y(0), y1 = y(1), y2 = y(2), y3 = y(3)
    @inline(__always) func evaluate(_ pair: PointPair, _ point: Int) {
      let p = pair.p
      let even = y0.addingProduct(y2, all(p * p)), odd = y1.addingProduct(y3, all(p * p))
      put(point, even.addingProduct(odd, all(p)))
      put(point + 1, even.addingProduct(odd, all(-p)))
    }
    evaluate(.near, 0)
    evaluate(.middle, 2)
    evaluate(.far, 4)
    put(6, y3)
  }

  /// Four taps to points.
  @inline(__always)
  static func transformFilter(_ g: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    let g0 = g(0), g1 = g(1), g2 = g(2), g3 = g(3)
    @inline(__always) func evaluate(_ pair: PointPair, _ point: Int) {
      let p = pair.p
      let even = g0.addingProduct(g2, all(p * p)) * all(pair.norm)
      let odd = g1.addingProduct(g3, all(p * p)) * all(p * pair.norm)
      put(point, even + odd)
      put(point + 1, odd - even)
    }
    evaluate(.near, 0)
    evaluate(.middle, 2)
    evaluate(.far, 4)
    put(6, g3)
  }

  /// Points to four taps.
  @inline(__always)
  static func transformFilterAdjoint(_ u: (Int) -> Lanes, _ put: (_ tap: Int, Lanes) -> Void) {
    let u0 = u(0), u1 = u(1), u2 = u(2), u3 = u(3), u4 = u(4), u5 = u(5)
    let (near, middle, far) = (PointPair.near, PointPair.middle, PointPair.far)
    let even0 = (u0 - u1) * all(near.norm), odd0 = (u0 + u1) * all(near.p * near.norm)
    let even1 = (u2 - u3) * all(middle.norm), odd1 = (u2 + u3) * all(middle.p * middle.norm)
    let even2 = (u4 - u5) * all(far.norm), odd2 = (u4 + u5) * all(far.p * far.norm)
    let (p, q, r) = (near.p * near.p, middle.p * middle.p, far.p * far.p)
    put(0, even0 + even1 + even2)
    put(1, odd0 + odd1 + odd2)
    put(2, (even0 * all(p)).addingProduct(even1, all(q)).addingProduct(even2, all(r)))
    put(3, u(6).addingProduct(odd0, all(p)).addingProduct(odd1, all(q)).addingProduct(odd2, all(r)))
  }
}
