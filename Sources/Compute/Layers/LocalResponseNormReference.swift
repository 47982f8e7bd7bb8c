/// The response norm as its definition says it.
struct LocalResponseNormReference {
  let size: Int
  let alpha, beta, k: Double

  private func window(_ c: Int, _ channels: Int) -> ClosedRange<Int> {
    max(0, c - size / 2)...min(channels - 1, c + size / 2)
  }

  func scale(_ x: ReferenceTensor, _ n: Int, _ c: Int, _ h: Int, _ w: Int) -> Double {
    k + alpha / Double(size) * window(c, x.channels).reduce(0) { $0 + x[n, $1, h, w] * x[n, $1, h, w] }
  }

  func forward(_ x: ReferenceTensor) -> ReferenceTensor {
    var y = x
    forEach(x) { n, c, h, w in y[n, c, h, w] *= Elementary.pow(scale(x, n, c, h, w), -beta) }
    return y
  }

  func backward(_ x: ReferenceTensor, _ dy: ReferenceTensor) -> ReferenceTensor {
    let y = forward(x)
    var dx = x.zeros
    forEach(x) { n, c, h, w in
      let sum = window(c, x.channels).reduce(0) { $0 + dy[n, $1, h, w] * y[n, $1, h, w] / scale(x, n, $1, h, w) }
      dx[n, c, h, w] =
        dy[n, c, h, w] * Elementary.pow(scale(x, n, c, h, w), -beta) - 2 * alpha * beta / Double(size)
        * x[n, c, h, w] * sum
    }
    return dx
  }

  private func forEach(_ x: ReferenceTensor, _ body: (Int, Int, Int, Int) -> Void) {
    x.forEachPlane { n, c in
      for h in 0..<x.height { for w in 0..<x.width { body(n, c, h, w) } }
    }
  }
}
