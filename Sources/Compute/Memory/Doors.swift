/// Writes a tensor from NCHW order, with zeros in the lanes beyond its channels.
public func loadPanels(nchw: UnsafePointer<Float>, into x: PanelTensor, pool: ThreadPool) {
  let area = x.height * x.width
  forEachPart(of: x, pool) { panel, sample, pixels in
    let count = min(rowWidth, x.channels - panel * rowWidth)
    let source = nchw + (sample * x.channels + panel * rowWidth) * area
    let target = x.panel(panel) + sample * area * rowWidth
    var pixel = pixels.lowerBound
    if count == rowWidth {
      while pixel + rowWidth <= pixels.upperBound {
        transpose16(source + pixel, area, into: target + pixel * rowWidth, rowWidth)
        pixel += rowWidth
      }
    } else if count <= 4 {
      while pixel + 8 <= pixels.upperBound {
        loadFewChannels(source + pixel, area, count, into: target + pixel * rowWidth)
        pixel += 8
      }
    }
    for pixel in pixel..<pixels.upperBound {
      let row = target + pixel * rowWidth
      for lane in 0..<count { row[lane] = source[lane * area + pixel] }
      for lane in count..<rowWidth { row[lane] = 0 }
    }
  }
}

/// Writes a tensor in NCHW order.
public func storePanels(_ x: PanelTensor, nchw: UnsafeMutablePointer<Float>, pool: ThreadPool) {
  let area = x.height * x.width
  forEachPart(of: x, pool) { panel, sample, pixels in
    let count = min(rowWidth, x.channels - panel * rowWidth)
    let source = x.panel(panel) + sample * area * rowWidth
    let target = nchw + (sample * x.channels + panel * rowWidth) * area
    var pixel = pixels.lowerBound
    if count == rowWidth {
      while pixel + rowWidth <= pixels.upperBound {
        transpose16(FloatPointer(source + pixel * rowWidth), rowWidth, into: target + pixel, area)
        pixel += rowWidth
      }
    }
    for pixel in pixel..<pixels.upperBound {
      for lane in 0..<count { target[lane * area + pixel] = source[pixel * rowWidth + lane] }
    }
  }
}

/// Eight pixels of at most four channels, as images have.
@inline(__always)
private func loadFewChannels(
  _ source: FloatPointer, _ area: Int, _ count: Int, into target: MutableFloatPointer
) {
  @inline(__always) func channel(_ index: Int) -> SIMD8<Float> {
    index < count ? UnsafeRawPointer(source + index * area).loadUnaligned(as: SIMD8<Float>.self) : .zero
  }
  var even = Row.zero, odd = Row.zero
  (even.evenHalf, even.oddHalf) = (channel(0), channel(2))
  (odd.evenHalf, odd.oddHalf) = (channel(1), channel(3))
  @inline(__always) func put(_ pixels: Row, _ first: Int) {
    var row = Row.zero
    row.lowHalf.lowHalf = pixels.lowHalf.lowHalf
    store(row, target + first * rowWidth)
    row.lowHalf.lowHalf = pixels.lowHalf.highHalf
    store(row, target + (first + 1) * rowWidth)
    row.lowHalf.lowHalf = pixels.highHalf.lowHalf
    store(row, target + (first + 2) * rowWidth)
    row.lowHalf.lowHalf = pixels.highHalf.highHalf
    store(row, target + (first + 3) * rowWidth)
  }
  var pixels = Row.zero
  (pixels.evenHalf, pixels.oddHalf) = (even.lowHalf, odd.lowHalf)
  put(pixels, 0)
  (pixels.evenHalf, pixels.oddHalf) = (even.highHalf, odd.highHalf)
  put(pixels, 4)
}

/// Calls a body for parts of each panel of each sample.
@inline(__always)
private func forEachPart(
  of x: PanelTensor, _ pool: ThreadPool, _ body: (_ panel: Int, _ sample: Int, _ pixels: Range<Int>) -> Void
) {
  // Few enough that several threads share one large image.
  let partPixels = 4096
  let area = x.height * x.width, parts = dividedUp(area, partPixels), batch = x.batch
  pool.forEach(x.panels * batch * parts) { item, _ in
    let first = item % parts * partPixels, plane = item / parts
    body(plane / batch, plane % batch, first..<min(area, first + partPixels))
  }
}
