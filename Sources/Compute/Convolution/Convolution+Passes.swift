extension Convolution {
  /// Blocks of `Moments` that `forward` gathers.
  public func momentBlocks(batch: Int) -> Int {
    if let strided { return strided.momentBlocks(batch) }
    return winograd?.momentBlocks(batch) ?? dividedUp(forwardPass.gridPixels(batch), forwardPass.blockPixels)
  }

  /// y = weights ⋆ x + bias.
  ///
  /// - Parameters:
  ///   - weights: as `pack` wrote them, or, unless `arePacked`, as they are: for batches that `packsInPassing` is true of.
  ///   - bias: [16 · panels], zero beyond the channels; nil for none.
  ///   - moments: where those of y are recorded, if anybody wants them.
  ///   - scratch: `scratchCount` floats, their contents lost.
  public func forward(
    _ x: Activation, weights: UnsafePointer<Float>, arePacked: Bool = true, bias: UnsafePointer<Float>?,
    into y: PanelTensor,
    moments: Moments? = nil, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    check(x.tensor, y)
    if let winograd {
      winograd.forward(
        x, weights: arePacked ? .packed(weights) : .unpacked(weights), bias: bias, into: y, moments: moments,
        scratch: scratch, pool: pool)
    } else if isLinear {
      linearForward(x, weights, bias: bias, into: y, moments: moments, scratch, pool)
    } else {
      let start: Start = bias.map { .bias($0) } ?? .zero
      correlate(forwardPass, PixelSource(x), weights, start: start, y, moments: moments, scratch, pool)
    }
  }

  /// The same for the network's input, for a convolution that was planned to read images.
  public func forward(
    _ images: Images, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>?, into y: PanelTensor,
    moments: Moments? = nil, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    check(images, y)
    if let strided {
      strided.forward(images, weights: weights, bias: bias, into: y, moments: moments, scratch: scratch, pool: pool)
      return
    }
    let start: Start = bias.map { .bias($0) } ?? .zero
    correlate(forwardPass, PixelSource(images), weights, start: start, y, moments: moments, scratch, pool)
  }

  /// The gradients with respect to the weights and to the input.
  ///
  /// - Parameters:
  ///   - weights: as `packTransposed` wrote them, or, unless `arePacked`, as they are: for batches that `packsInPassing` is
  ///     true of; not read if no `dx` is wanted.
  ///   - oihw: the weights' gradient, [outputChannels, inputChannels, kernelHeight, kernelWidth]; overwritten; nil if
  ///     nobody wants it.
  ///   - bias: the bias's gradient, as `biasGradient` makes it, if `sumsBiasGradient`; nil if nobody wants it.
  ///   - dx: overwritten, or added to if `accumulate`; nil if nobody wants it.
  ///   - scratch: `scratchCount` floats, their contents lost.
  public func backward(
    _ x: Activation, _ dy: PanelTensor, weights: UnsafePointer<Float>?, arePacked: Bool = true,
    into oihw: UnsafeMutablePointer<Float>?, bias: UnsafeMutablePointer<Float>? = nil, dx: PanelTensor?,
    accumulate: Bool, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    check(x.tensor, dy)
    require(bias == nil || sumsBiasGradient, "the bias's gradient is made by `biasGradient`")
    require(dx == nil || weights != nil, "the gradient of the input is made of the weights")
    if let dx { check(dx, dy) }
    if let winograd {
      winograd.backward(
        x, dy, weights: weights.map { arePacked ? .packed($0) : .unpacked($0) }, into: oihw, dx: dx,
        accumulate: accumulate, scratch: scratch, pool: pool)
      return
    }
    if isLinear {
      linearBackward(
        x, dy, weights: weights, into: oihw, bias: bias, dx: dx, accumulate: accumulate, scratch, pool)
      return
    }
    if let oihw { sumWeightGradient(PixelSource(x), dy, oihw, scratch, pool) }
    guard let dx, let weights else { return }
    for pass in dataPasses {
      if pass.rowTaps > 0 && pass.columnTaps > 0 {
        correlate(
          pass.correlation, PixelSource(Activation(dy)), weights + pass.weightStart,
          start: accumulate ? .output : .zero, dx,
          moments: nil, scratch, pool)
      } else if !accumulate {
        clear(pass.correlation, dx, pool)
      }
    }
  }

  /// The gradient with respect to the weights where the network's input is what is read.
  public func backward(
    _ images: Images, _ dy: PanelTensor, into oihw: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    pool: ThreadPool
  ) {
    check(images, dy)
    if let strided { return strided.backward(images, dy, into: oihw, scratch: scratch, pool: pool) }
    sumWeightGradient(PixelSource(images), dy, oihw, scratch, pool)
  }

  private func check(_ images: Images, _ y: PanelTensor) {
    require(
      images.height == inputHeight && images.width == inputWidth && images.channels == geometry.inputChannels
        && images.layout == imageLayout && images.batch == y.batch,
      "images have the shape and the layout that the convolution was planned for")
    require(
      y.height == outputHeight && y.width == outputWidth && y.channels == geometry.outputChannels,
      "a convolution's output has the shape it was planned for")
  }

  func correlationScratch(_ pass: Correlation, _ threads: Int) -> Int {
    rowWidth + pass.runScratch + threads * pass.blockScratch(panels: pass.inputPanels)
  }

  private enum Start {
    case zero
    case bias(FloatPointer)
    case output

    /// What a panel's sums start from; nil for what is there.
    func row(_ panel: Int, zeros: FloatPointer) -> FloatPointer? {
      switch self {
      case .zero: zeros
      case .bias(let bias): bias + panel * rowWidth
      case .output: nil
      }
    }
  }

  private func correlate(
    _ pass: Correlation, _ x: PixelSource, _ weights: FloatPointer, start: Start, _ y: PanelTensor, moments: Moments?,
    _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    store(Row.zero, scratch)
    let zeros = FloatPointer(scratch), shared = scratch + rowWidth
    let runs = pass.writeRuns(into: shared)
    let blockScratch = pass.blockScratch(panels: pass.inputPanels), perThread = shared + pass.runScratch
    let total = pass.gridPixels(y.batch), blockPixels = pass.blockPixels
    let blocks = dividedUp(total, blockPixels)
    // Few blocks: several threads take different output panels of the same one.
    let wanted = pool.threads == 1 ? 1 : dividedUp(4 * pool.threads, max(1, blocks))
    let groups = min(pass.outputPanels, wanted), outputPanels = pass.outputPanels
    let runCount = pass.runCount, length = pass.runLength, runsPerBlock = pass.runsPerBlock
    let panelWeights = pass.panelWeightCount, inputPanels = pass.inputPanels
    pool.forEach(blocks * groups) { item, thread in
      let first = item / groups * blockPixels, group = item % groups
      let block = first..<min(total, first + blockPixels)
      let prepared = pass.prepare(x, panels: 0..<inputPanels, block: block, scratch: perThread + thread * blockScratch)
      let panels = outputPanels * group / groups..<outputPanels * (group + 1) / groups
      for run in stride(from: 0, to: runCount, by: runsPerBlock) {
        let windows = WindowRuns(starts: runs + run, count: min(runsPerBlock, runCount - run), length: length)
        @inline(__always) func columns(_ panel: Int) -> ProductColumns {
          ProductColumns(
            weights: weights + panel * panelWeights + run * length * rowWidth,
            start: run > 0 ? nil : start.row(panel, zeros: zeros), output: y.panel(panel))
        }
        for panel in stride(from: panels.lowerBound, to: panels.upperBound, by: tilePanels) {
          rowBlock(
            prepared.input, prepared.lines, windows, columns(panel),
            and: panel + 1 < min(panels.upperBound, panel + tilePanels) ? columns(panel + 1) : nil)
        }
      }
      guard let moments else { return }
      for panel in panels {
        moments.gather(
          FloatPointer(y.panel(panel)) + first * rowWidth, block.count, block: item / groups, panel: panel)
      }
    }
  }

  /// Zeroes the output pixels of a pass that no window row or column meets.
  private func clear(_ pass: Correlation, _ y: PanelTensor, _ pool: ThreadPool) {
    let (rows, columns, batch) = (pass.rows, pass.columns, y.batch)
    pool.forEach(pass.outputPanels * batch) { item, _ in
      let panel = y.panel(item / batch), sample = item % batch
      for row in 0..<rows.grid {
        let line = (sample * rows.output + rows.outputStart + row * rows.outputStep) * columns.output
        for column in 0..<columns.grid {
          store(Row.zero, panel + (line + columns.outputStart + column * columns.outputStep) * rowWidth)
        }
      }
    }
  }
}

/// The gradient with respect to the bias of a convolution, [channels]; overwritten.
///
/// Each channel's sum over all pixels is taken in single precision over chunks, and in double precision over the chunks.
public func biasGradient(_ dy: PanelTensor, into bias: UnsafeMutablePointer<Float>, pool: ThreadPool) {
  pool.forEach(dy.panels) { panel, _ in sumBiasGradient(dy, panel, into: bias) }
}

/// That of a panel's channels.
func sumBiasGradient(_ dy: PanelTensor, _ panel: Int, into bias: MutableFloatPointer) {
  let chunk = 128, count = dy.pixels, source = FloatPointer(dy.panel(panel))
  var total = WideRow.zero
  var start = 0
  while start < count {
    let end = min(count, start + chunk)
    var sum = Row.zero
    for pixel in start..<end { sum += load(source + pixel * rowWidth) }
    total += WideRow(sum)
    start = end
  }
  let first = panel * rowWidth, row = Row(total)
  if dy.channels - first >= rowWidth { return store(row, bias + first) }
  for lane in 0..<dy.channels - first { bias[first + lane] = row[lane] }
}
