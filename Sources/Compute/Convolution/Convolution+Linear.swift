// A linear layer over all pixels of a small map: one window a sample. Its input is copied so that each panel's pixel is a
// panel of its own, [panel][pixel][sample][16]; then it is a matrix product of samples and features.

extension Convolution {
  /// Whether it is computed so: one window without padding that covers the input, and whole panels on both sides.
  var isLinear: Bool {
    winograd == nil && outputHeight == 1 && outputWidth == 1 && geometry.kernelHeight == inputHeight
      && geometry.kernelWidth == inputWidth && geometry.paddingHeight == 0 && geometry.paddingWidth == 0
      && geometry.inputChannels >= rowWidth && geometry.outputChannels >= rowWidth
  }

  /// Samples that are summed in registers before they are added to a gradient. Part of the result: a constant.
  private static let chunkSamples = 192

  private var area: Int { inputHeight * inputWidth }
  private var features: Int { forwardPass.inputPanels * area }

  func linearScratch(batch: Int, threads: Int) -> Int {
    let table = dividedUp(2 * max(features, forwardPass.outputPanels), rowWidth) * rowWidth
    return rowWidth + table + features * batch * rowWidth + threads * max(batch, area * rowWidth) * rowWidth
  }

  /// What the passes share: zeros, a table of addresses, the copied features and memory of each thread.
  private func split(
    _ scratch: MutableFloatPointer, batch: Int
  ) -> (table: UnsafeMutablePointer<MutableFloatPointer>, copy: MutableFloatPointer, own: MutableFloatPointer) {
    let table = scratch + rowWidth
    let copy = table + dividedUp(2 * max(features, forwardPass.outputPanels), rowWidth) * rowWidth
    return (
      UnsafeMutableRawPointer(table).assumingMemoryBound(to: MutableFloatPointer.self), copy,
      copy + features * batch * rowWidth
    )
  }

  /// Copies the features, normalised.
  private func flatten(_ x: Activation, into copy: MutableFloatPointer, _ pool: ThreadPool) {
    let area = self.area, batch = x.tensor.batch
    pool.forEach(features) { feature, _ in
      let panel = feature / area, normalization = x.normalization?.panel(panel)
      let source = FloatPointer(x.tensor.panel(panel)) + feature % area * rowWidth
      let target = copy + feature * batch * rowWidth
      for sample in 0..<batch {
        copyRows(source + sample * area * rowWidth, 1, normalization: normalization, into: target + sample * rowWidth)
      }
    }
  }

  func linearForward(
    _ x: Activation, _ weights: FloatPointer, bias: FloatPointer?, into y: PanelTensor, moments: Moments?,
    _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let batch = y.batch, features = self.features, blockSamples = forwardPass.blockPixels
    let (table, copy, _) = split(scratch, batch: batch)
    store(Row.zero, scratch)
    flatten(x, into: copy, pool)
    for feature in 0..<features { table[feature] = copy + feature * batch * rowWidth }
    pool.forEach(y.panels) { panel, _ in
      productBlock(
        table, features, offset: 0, rows: batch, weights + panel * features * rowWidth * rowWidth,
        start: bias.map { $0 + panel * rowWidth } ?? FloatPointer(scratch), into: y.panel(panel))
      guard let moments else { return }
      for block in 0..<moments.blocks {
        let first = block * blockSamples
        moments.gather(
          FloatPointer(y.panel(panel)) + first * rowWidth, min(blockSamples, batch - first), block: block, panel: panel)
      }
    }
  }

  func linearBackward(
    _ x: Activation, _ dy: PanelTensor, weights: FloatPointer?, into oihw: MutableFloatPointer, dx: PanelTensor?,
    accumulate: Bool, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let batch = dy.batch, area = self.area, inputPanels = forwardPass.inputPanels
    let outputPanels = forwardPass.outputPanels, block = rowWidth * rowWidth
    let (table, copy, own) = split(scratch, batch: batch)
    let ownFloats = max(batch, area * rowWidth) * rowWidth
    store(Row.zero, scratch)
    flatten(x, into: copy, pool)
    pool.forEach(inputPanels * outputPanels) { item, thread in
      let output = item / inputPanels, input = item % inputPanels, sums = own + thread * ownFloats
      for first in stride(from: 0, to: batch, by: Self.chunkSamples) {
        for pixel in 0..<area {
          outerProductBlock(
            FloatPointer(copy) + ((input * area + pixel) * batch + first) * rowWidth,
            FloatPointer(dy.panel(output)) + first * rowWidth, rows: min(Self.chunkSamples, batch - first),
            accumulate: first > 0, into: sums + pixel * block)
        }
      }
      unpack(sums, input: input, output: output, oihw)
    }
    guard let dx, let weights else { return }
    for panel in 0..<outputPanels { table[panel] = dy.panel(panel) }
    // Transposed weights lie pixel by pixel, as the phases of the stride do in the general method.
    pool.forEach(features) { item, thread in
      let pixel = item / inputPanels, panel = item % inputPanels, rows = own + thread * ownFloats
      productBlock(
        table, outputPanels, offset: 0, rows: batch, weights + item * outputPanels * block,
        start: FloatPointer(scratch), into: rows)
      for sample in 0..<batch {
        let target = dx.panel(panel) + (sample * area + pixel) * rowWidth, row = load(rows + sample * rowWidth)
        store(accumulate ? load(target) + row : row, target)
      }
    }
  }
}
