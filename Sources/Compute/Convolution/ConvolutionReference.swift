/// The convolution as its definition says it; weights are OIHW.
struct ConvolutionReference {
  let geometry: ConvolutionGeometry

  /// Calls a body for every product of an output element's sum with the tensors' indices.
  func forEachProduct(
    _ x: ReferenceTensor, _ y: ReferenceTensor,
    _ body: (_ n: Int, _ o: Int, _ c: Int, _ out: (h: Int, w: Int), _ in: (h: Int, w: Int), _ weight: Int) -> Void
  ) {
    let g = geometry
    for n in 0..<x.batch {
      for o in 0..<g.outputChannels {
        for oh in 0..<y.height {
          for ow in 0..<y.width {
            for c in 0..<g.inputChannels {
              for kh in 0..<g.kernelHeight {
                for kw in 0..<g.kernelWidth {
                  let ih = oh * g.strideHeight - g.paddingHeight + kh, iw = ow * g.strideWidth - g.paddingWidth + kw
                  guard ih >= 0 && ih < x.height && iw >= 0 && iw < x.width else { continue }
                  let weight = ((o * g.inputChannels + c) * g.kernelHeight + kh) * g.kernelWidth + kw
                  body(n, o, c, (oh, ow), (ih, iw), weight)
                }
              }
            }
          }
        }
      }
    }
  }

  private func output(_ x: ReferenceTensor) -> ReferenceTensor {
    ReferenceTensor(
      batch: x.batch, channels: geometry.outputChannels, height: geometry.outputHeight(x.height),
      width: geometry.outputWidth(x.width))
  }

  func forward(_ x: ReferenceTensor, weights: [Double], bias: [Double]? = nil) -> ReferenceTensor {
    var y = output(x)
    if let bias {
      y.forEachPlane { n, c in
        for h in 0..<y.height { for w in 0..<y.width { y[n, c, h, w] = bias[c] } }
      }
    }
    forEachProduct(x, y) { n, o, c, out, input, weight in
      y[n, o, out.h, out.w] += x[n, c, input.h, input.w] * weights[weight]
    }
    return y
  }

  func backwardData(_ dy: ReferenceTensor, weights: [Double], like x: ReferenceTensor) -> ReferenceTensor {
    var dx = x.zeros
    forEachProduct(x, dy) { n, o, c, out, input, weight in
      dx[n, c, input.h, input.w] += dy[n, o, out.h, out.w] * weights[weight]
    }
    return dx
  }

  func backwardWeights(_ x: ReferenceTensor, _ dy: ReferenceTensor) -> [Double] {
    var dw = [Double](repeating: 0, count: geometry.weightCount)
    forEachProduct(x, dy) { n, o, c, out, input, weight in
      dw[weight] += x[n, c, input.h, input.w] * dy[n, o, out.h, out.w]
    }
    return dw
  }

  func backwardBias(_ dy: ReferenceTensor) -> [Double] {
    var sums = [Double](repeating: 0, count: dy.channels)
    dy.forEachPlane { n, c in
      for h in 0..<dy.height { for w in 0..<dy.width { sums[c] += dy[n, c, h, w] } }
    }
    return sums
  }
}
