/// y = max(x, 0); NaN and −0 stay what they are. May be done in place.
public func reluForward(_ x: PanelTensor, into y: PanelTensor, pool: ThreadPool) {
  require(y.hasShape(of: x), "a ReLU keeps its input's shape")
  forEachBlock(of: x, pool) { panel, rows in
    let source = x.panel(panel), target = y.panel(panel)
    for row in rows { store(rectified(load(source + row * rowWidth)), target + row * rowWidth) }
  }
}

/// Zeroes the gradient where y, the ReLU's output, is not above zero; in place.
public func reluBackward(_ y: PanelTensor, _ dy: PanelTensor, pool: ThreadPool) {
  require(dy.hasShape(of: y), "a gradient has the shape of its tensor")
  forEachBlock(of: y, pool) { panel, rows in
    let source = y.panel(panel), target = dy.panel(panel)
    for row in rows {
      let gradient = load(target + row * rowWidth), isCut = load(source + row * rowWidth) .<= Row.zero
      store(gradient.replacing(with: Row.zero, where: isCut), target + row * rowWidth)
    }
  }
}

/// Calls a body for every panel of a tensor, some rows of all its samples at a time: so many that handing them to a thread
/// takes little of the time that they take.
private func forEachBlock(of x: PanelTensor, _ pool: ThreadPool, _ body: (_ panel: Int, _ rows: Range<Int>) -> Void) {
  let rows = x.batch * x.height * x.width, blockRows = 512, blocks = dividedUp(rows, blockRows)
  pool.forEach(x.panels * blocks) { item, _ in
    let first = item % blocks * blockRows
    body(item / blocks, first..<min(rows, first + blockRows))
  }
}
