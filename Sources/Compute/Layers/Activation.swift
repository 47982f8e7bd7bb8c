/// y = max(x, 0); NaN and −0 stay what they are. May be done in place.
public func reluForward(_ x: PanelTensor, into y: PanelTensor, pool: ThreadPool) {
  require(y.hasShape(of: x), "a ReLU keeps its input's shape")
  forEachSample(of: x, pool) { panel, sample, rows in
    let source = x.panel(panel) + sample * rows * rowWidth, target = y.panel(panel) + sample * rows * rowWidth
    for index in 0..<rows { store(rectified(load(source + index * rowWidth)), target + index * rowWidth) }
  }
}

/// Zeroes the gradient where y, the ReLU's output, is not above zero; in place.
public func reluBackward(_ y: PanelTensor, _ dy: PanelTensor, pool: ThreadPool) {
  require(dy.hasShape(of: y), "a gradient has the shape of its tensor")
  forEachSample(of: y, pool) { panel, sample, rows in
    let source = y.panel(panel) + sample * rows * rowWidth, target = dy.panel(panel) + sample * rows * rowWidth
    for index in 0..<rows {
      let gradient = load(target + index * rowWidth)
      let isCut = load(source + index * rowWidth) .<= Row.zero
      store(gradient.replacing(with: Row.zero, where: isCut), target + index * rowWidth)
    }
  }
}

/// Calls a body for every panel of every sample with the number of rows there.
@inline(__always)
func forEachSample(of x: PanelTensor, _ pool: ThreadPool, _ body: (_ panel: Int, _ sample: Int, _ rows: Int) -> Void) {
  let batch = x.batch, rows = x.height * x.width
  pool.forEach(x.panels * batch) { item, _ in body(item / batch, item % batch, rows) }
}
