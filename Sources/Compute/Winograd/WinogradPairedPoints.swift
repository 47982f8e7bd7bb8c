@inline(__always) private func all(_ x: Float) -> Lanes { Lanes(repeating: x) }

/// A polynomial in x²: constant + second · x² + fourth · x⁴ + sixth · x⁶.
private struct EvenPolynomial {
  let constant, second, fourth, sixth: Float

  @inline(__always) init(_ constant: Float, _ second: Float, _ fourth: Float, _ sixth: Float = 0) {
    (self.constant, self.second, self.fourth, self.sixth) = (constant, second, fourth, sixth)
  }
}

/// The points ±p.
private struct PointPair {
  let p: Float
  /// The product of x² − q² over the other pairs ±q.
  let others: EvenPolynomial
  /// What the filters are multiplied by at p and, negative, at −p: the inverse of p's differences to the other points.
  let norm: Float

  @inline(__always) init(_ p: Float, others: EvenPolynomial, norm: Float) {
    (self.p, self.others, self.norm) = (p, others, norm)
  }
}

/// The transforms at points that are pairs ±p, and ∞: three pairs for four taps, F(4, 4), and four for seven, F(3, 7). On
/// some lanes at a time.
///
/// The values at both points of a pair are sum and difference of what is even and what is odd in p. All factors of the data
/// and of the outputs are exact, and the errors about the smallest that a search found: of four taps half of those with 0,
/// ±1, ±2, ½ and ∞.
///
/// `self` is a literal wherever these are called.
enum WinogradPairedPoints {
  case three, four

  @inline(__always) private var hasFour: Bool { self == .four }
  @inline(__always) private var infinity: Int { hasFour ? 8 : 6 }

  // MARK: The points

  @inline(__always) private var pair0: PointPair {
    hasFour
      ? PointPair(0.25, others: EvenPolynomial(-59049.0 / 16384, 5103.0 / 512, -441.0 / 64, 1), norm: -256.0 / 385)
      : PointPair(0.25, others: EvenPolynomial(8281.0 / 4096, -953.0 / 256, 1), norm: 512.0 / 459)
  }
  @inline(__always) private var pair1: PointPair {
    hasFour
      ? PointPair(0.75, others: EvenPolynomial(-6561.0 / 16384, 3483.0 / 512, -409.0 / 64, 1), norm: 512.0 / 1215)
      : PointPair(0.8125, others: EvenPolynomial(49.0 / 256, -25.0 / 8, 1), norm: -524288.0 / 1_223_235)
  }
  @inline(__always) private var pair2: PointPair {
    hasFour
      ? PointPair(
        1.125, others: EvenPolynomial(-729.0 / 4096, 819.0 / 256, -91.0 / 16, 1), norm: -1048576.0 / 7_577_955)
      : PointPair(1.75, others: EvenPolynomial(169.0 / 4096, -185.0 / 256, 1), norm: 512.0 / 12915)
  }
  /// The one that three pairs lack.
  @inline(__always) private var pair3: PointPair {
    PointPair(2.25, others: EvenPolynomial(-729.0 / 16384, 423.0 / 512, -121.0 / 64, 1), norm: 256.0 / 98415)
  }
  /// The product of x² − p² over all pairs, without its highest power.
  @inline(__always) private var allPairs: EvenPolynomial {
    hasFour
      ? EvenPolynomial(59049.0 / 262144, -69255.0 / 16384, 10647.0 / 1024, -445.0 / 64)
      : EvenPolynomial(-8281.0 / 65536, 4617.0 / 2048, -969.0 / 256)
  }

  @inline(__always) private func forEachPair(_ body: (_ pair: PointPair, _ point: Int) -> Void) {
    body(pair0, 0)
    body(pair1, 2)
    body(pair2, 4)
    if hasFour { body(pair3, 6) }
  }

  /// A value for each pair; that of the pair which three lack is zero.
  private struct Values {
    let value0, value1, value2, value3: Lanes
  }

  /// What a body makes of the values at p and −p.
  @inline(__always)
  private func forPairs(_ v: (Int) -> Lanes, _ body: (_ plus: Lanes, _ minus: Lanes, PointPair) -> Lanes) -> Values {
    Values(
      value0: body(v(0), v(1), pair0), value1: body(v(2), v(3), pair1), value2: body(v(4), v(5), pair2),
      value3: hasFour ? body(v(6), v(7), pair3) : .zero)
  }

  /// The sum of the values, each times its pair's factor, and of what is there first.
  @inline(__always)
  private func sum(from first: Lanes? = nil, _ x: Values, _ factor: (PointPair) -> Float) -> Lanes {
    var sum = first?.addingProduct(x.value0, all(factor(pair0))) ?? x.value0 * all(factor(pair0))
    sum = sum.addingProduct(x.value1, all(factor(pair1))).addingProduct(x.value2, all(factor(pair2)))
    return hasFour ? sum.addingProduct(x.value3, all(factor(pair3))) : sum
  }

  @inline(__always) private func sum(_ x: Values) -> Lanes {
    hasFour ? (x.value0 + x.value1) + (x.value2 + x.value3) : x.value0 + x.value1 + x.value2
  }

  // MARK: Data

  /// Data to points.
  @inline(__always)
  func transformData(_ d: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    let d0 = d(0), d1 = d(1), d2 = d(2), d3 = d(3), d4 = d(4), d5 = d(5)
    let d6 = hasFour ? d(6) : .zero, d7 = hasFour ? d(7) : .zero
    @inline(__always)
    func value(_ x: EvenPolynomial, _ a: Lanes, _ b: Lanes, _ c: Lanes, _ highest: Lanes) -> Lanes {
      let sum = hasFour ? highest.addingProduct(c, all(x.fourth)) : c
      return sum.addingProduct(b, all(x.second)).addingProduct(a, all(x.constant))
    }
    forEachPair { pair, point in
      let even = value(pair.others, d0, d2, d4, d6), odd = value(pair.others, d1, d3, d5, d7)
      put(point, odd.addingProduct(even, all(pair.p)))
      put(point + 1, odd.addingProduct(even, all(-pair.p)))
    }
    var last = hasFour ? d(8).addingProduct(d6, all(allPairs.sixth)) : d(6)
    last = last.addingProduct(d4, all(allPairs.fourth)).addingProduct(d2, all(allPairs.second))
    put(infinity, last.addingProduct(d0, all(allPairs.constant)))
  }

  /// Points to data.
  @inline(__always)
  func transformDataAdjoint(_ v: (Int) -> Lanes, _ put: (_ element: Int, Lanes) -> Void) {
    let odd = forPairs(v) { plus, minus, _ in plus + minus }
    let even = forPairs(v) { plus, minus, pair in (plus - minus) * all(pair.p) }
    let last = v(infinity)
    put(0, sum(from: last * all(allPairs.constant), even) { $0.others.constant })
    put(1, sum(odd) { $0.others.constant })
    put(2, sum(from: last * all(allPairs.second), even) { $0.others.second })
    put(3, sum(odd) { $0.others.second })
    if hasFour {
      put(4, sum(from: last * all(allPairs.fourth), even) { $0.others.fourth })
      put(5, sum(odd) { $0.others.fourth })
      put(6, sum(even).addingProduct(last, all(allPairs.sixth)))
      put(7, sum(odd))
    } else {
      put(4, sum(even).addingProduct(last, all(allPairs.fourth)))
      put(5, sum(odd))
    }
    put(infinity, last)
  }

  // MARK: Outputs

  /// Points to outputs.
  @inline(__always)
  func transformOutput(_ m: (Int) -> Lanes, _ put: (_ output: Int, Lanes) -> Void) {
    let even = forPairs(m) { plus, minus, _ in plus + minus }
    let odd = forPairs(m) { plus, minus, _ in plus - minus }
    let last = m(infinity)
    put(0, sum(even))
    put(1, sum(odd) { $0.p })
    put(2, sum(from: hasFour ? last : nil, even) { $0.p * $0.p })
    if !hasFour { put(3, sum(from: last, odd) { $0.p * $0.p * $0.p }) }
  }

  /// Outputs to points.
  @inline(__always)
  func transformOutputAdjoint(_ y: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    let y0 = y(0), y1 = y(1), y2 = y(2), y3 = hasFour ? .zero : y(3)
    forEachPair { pair, point in
      let square = all(pair.p * pair.p)
      let even = y0.addingProduct(y2, square), odd = hasFour ? y1 : y1.addingProduct(y3, square)
      put(point, even.addingProduct(odd, all(pair.p)))
      put(point + 1, even.addingProduct(odd, all(-pair.p)))
    }
    put(infinity, hasFour ? y2 : y3)
  }

  // MARK: Filters

  /// Taps to points.
  @inline(__always)
  func transformFilter(_ g: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void) {
    let g0 = g(0), g1 = g(1), g2 = g(2), g3 = g(3)
    let g4 = hasFour ? g(4) : .zero, g5 = hasFour ? g(5) : .zero, g6 = hasFour ? g(6) : .zero
    forEachPair { pair, point in
      let square = pair.p * pair.p
      var even = g0.addingProduct(g2, all(square)), odd = g1.addingProduct(g3, all(square))
      if hasFour {
        even = even.addingProduct(g4, all(square * square)).addingProduct(g6, all(square * square * square))
        odd = odd.addingProduct(g5, all(square * square))
      }
      (even, odd) = (even * all(pair.norm), odd * all(pair.p * pair.norm))
      put(point, even + odd)
      put(point + 1, odd - even)
    }
    put(infinity, hasFour ? g6 : g3)
  }

  /// Points to taps.
  @inline(__always)
  func transformFilterAdjoint(_ u: (Int) -> Lanes, _ put: (_ tap: Int, Lanes) -> Void) {
    let even = forPairs(u) { plus, minus, pair in (plus - minus) * all(pair.norm) }
    let odd = forPairs(u) { plus, minus, pair in (plus + minus) * all(pair.p * pair.norm) }
    let last = u(infinity)
    put(0, sum(even))
    put(1, sum(odd))
    put(2, sum(even) { $0.p * $0.p })
    put(3, sum(from: hasFour ? nil : last, odd) { $0.p * $0.p })
    guard hasFour else { return }
    put(4, sum(even) { $0.p * $0.p * ($0.p * $0.p) })
    put(5, sum(odd) { $0.p * $0.p * ($0.p * $0.p) })
    put(6, sum(from: last, even) { $0.p * $0.p * ($0.p * $0.p) * ($0.p * $0.p) })
  }
}
