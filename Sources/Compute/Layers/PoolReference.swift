/// The pooling layers as their definitions say them.
struct PoolReference {
  let geometry: PoolGeometry

  func output(_ x: ReferenceTensor) -> ReferenceTensor {
    ReferenceTensor(
      batch: x.batch, channels: x.channels, height: geometry.outputSize(x.height), width: geometry.outputSize(x.width))
  }

  /// The largest values and where they are: the first of equals, the first NaN if there is one.
  func maximum(_ x: ReferenceTensor) -> (y: ReferenceTensor, places: [Int]) {
    var y = output(x)
    var places: [Int] = []
    forEachWindow(x, y) { n, c, oh, ow, pixels in
      var best = (value: -Double.infinity, place: -1)
      for (h, w) in pixels {
        let value = x[n, c, h, w]
        if best.place < 0 || value > best.value || (value.isNaN && !best.value.isNaN) {
          best = (value, ((n * x.channels + c) * x.height + h) * x.width + w)
        }
      }
      y[n, c, oh, ow] = best.value
      places.append(best.place)
    }
    return (y, places)
  }

  func maximumBackward(_ x: ReferenceTensor, _ dy: ReferenceTensor) -> ReferenceTensor {
    var dx = x.zeros
    for (index, place) in maximum(x).places.enumerated() { dx.values[place] += dy.values[index] }
    return dx
  }

  func average(_ x: ReferenceTensor, countsPadding: Bool) -> ReferenceTensor {
    var y = output(x)
    forEachWindow(x, y) { n, c, oh, ow, pixels in
      let divisor = self.divisor(x, oh, ow, pixels.count, countsPadding)
      y[n, c, oh, ow] = pixels.reduce(0) { $0 + x[n, c, $1.0, $1.1] } / divisor
    }
    return y
  }

  func averageBackward(_ dy: ReferenceTensor, like x: ReferenceTensor, countsPadding: Bool) -> ReferenceTensor {
    var dx = x.zeros
    forEachWindow(x, dy) { n, c, oh, ow, pixels in
      let divisor = self.divisor(x, oh, ow, pixels.count, countsPadding)
      for (h, w) in pixels { dx[n, c, h, w] += dy[n, c, oh, ow] / divisor }
    }
    return dx
  }

  /// The window is cut at the end padding if padding counts, and at the image otherwise.
  private func divisor(_ x: ReferenceTensor, _ oh: Int, _ ow: Int, _ pixels: Int, _ countsPadding: Bool) -> Double {
    guard countsPadding else { return Double(pixels) }
    let g = geometry
    func length(_ index: Int, _ n: Int) -> Int {
      let start = index * g.stride - g.padding
      return min(start + g.kernel, n + g.padding) - start
    }
    return Double(length(oh, x.height) * length(ow, x.width))
  }

  private func forEachWindow(
    _ x: ReferenceTensor, _ y: ReferenceTensor,
    _ body: (_ n: Int, _ c: Int, _ oh: Int, _ ow: Int, _ pixels: [(Int, Int)]) -> Void
  ) {
    let g = geometry
    y.forEachPlane { n, c in
      for oh in 0..<y.height {
        for ow in 0..<y.width {
          var pixels: [(Int, Int)] = []
          for kh in 0..<g.kernel {
            for kw in 0..<g.kernel {
              let h = oh * g.stride - g.padding + kh, w = ow * g.stride - g.padding + kw
              if h >= 0 && h < x.height && w >= 0 && w < x.width { pixels.append((h, w)) }
            }
          }
          body(n, c, oh, ow, pixels)
        }
      }
    }
  }
}

/// Adaptive average pooling as its definition says it: window i covers ⌊i n / outputs⌋ up to ⌈(i + 1) n / outputs⌉.
struct AdaptivePoolReference {
  let height, width: Int

  func forward(_ x: ReferenceTensor) -> ReferenceTensor {
    var y = ReferenceTensor(batch: x.batch, channels: x.channels, height: height, width: width)
    forEachPixel(x) { n, c, oh, ow, h, w, count in y[n, c, oh, ow] += x[n, c, h, w] / Double(count) }
    return y
  }

  func backward(_ dy: ReferenceTensor, like x: ReferenceTensor) -> ReferenceTensor {
    var dx = x.zeros
    forEachPixel(x) { n, c, oh, ow, h, w, count in dx[n, c, h, w] += dy[n, c, oh, ow] / Double(count) }
    return dx
  }

  private func forEachPixel(
    _ x: ReferenceTensor, _ body: (_ n: Int, _ c: Int, _ oh: Int, _ ow: Int, _ h: Int, _ w: Int, _ count: Int) -> Void
  ) {
    func window(_ index: Int, _ n: Int, _ outputs: Int) -> Range<Int> {
      index * n / outputs..<((index + 1) * n + outputs - 1) / outputs
    }
    x.forEachPlane { n, c in
      for oh in 0..<height {
        for ow in 0..<width {
          let rows = window(oh, x.height, height), columns = window(ow, x.width, width)
          for h in rows { for w in columns { body(n, c, oh, ow, h, w, rows.count * columns.count) } }
        }
      }
    }
  }
}
