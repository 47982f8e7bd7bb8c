/// Writes a tensor from NCHW order, with zeros in the lanes beyond its channels.
public func loadPanels(nchw: UnsafePointer<Float>, into x: PanelTensor, pool: ThreadPool) {
  let area = x.height * x.width, channels = x.channels
  pool.forEach(x.panels * x.batch) { item, _ in
    let panel = item / x.batch, sample = item % x.batch
    let count = min(rowWidth, channels - panel * rowWidth)
    let source = nchw + (sample * channels + panel * rowWidth) * area
    let target = x.panel(panel) + sample * area * rowWidth
    for pixel in 0..<area {
      let row = target + pixel * rowWidth
      for lane in 0..<count { row[lane] = source[lane * area + pixel] }
      for lane in count..<rowWidth { row[lane] = 0 }
    }
  }
}

/// Writes a tensor in NCHW order.
public func storePanels(_ x: PanelTensor, nchw: UnsafeMutablePointer<Float>, pool: ThreadPool) {
  let area = x.height * x.width, channels = x.channels
  pool.forEach(x.panels * x.batch) { item, _ in
    let panel = item / x.batch, sample = item % x.batch
    let count = min(rowWidth, channels - panel * rowWidth)
    let source = x.panel(panel) + sample * area * rowWidth
    let target = nchw + (sample * channels + panel * rowWidth) * area
    for lane in 0..<count {
      for pixel in 0..<area { target[lane * area + pixel] = source[pixel * rowWidth + lane] }
    }
  }
}
