extension Convolution {
  /// y = weights ⋆ x + bias.
  ///
  /// - Parameters:
  ///   - weights: as `pack` wrote them.
  ///   - bias: [16 · panels], zero beyond the channels; nil for none.
  ///   - scratch: `scratchCount` floats, their contents lost.
  public func forward(
    _ x: PanelTensor, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>?, into y: PanelTensor,
    scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    check(x, y)
    correlate(forwardPass, x, weights, start: bias.map { .bias($0) } ?? .zero, y, scratch, pool)
  }

  /// dx = (or +=, if `accumulate`) the gradient with respect to the input.
  ///
  /// - Parameters:
  ///   - weights: as `packTransposed` wrote them.
  ///   - scratch: `scratchCount` floats, their contents lost.
  public func backwardData(
    _ dy: PanelTensor, weights: UnsafePointer<Float>, into dx: PanelTensor, accumulate: Bool,
    scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    check(dx, dy)
    for pass in dataPasses {
      if pass.rowTaps > 0 && pass.columnTaps > 0 {
        correlate(
          pass.correlation, dy, weights + pass.weightStart, start: accumulate ? .output : .zero, dx, scratch, pool)
      } else if !accumulate {
        clear(pass.correlation, dx, pool)
      }
    }
  }

  func correlationScratch(_ pass: Correlation, _ threads: Int) -> Int {
    rowWidth + pass.runScratch + threads * pass.blockScratch(panels: pass.inputPanels)
  }

  private enum Start {
    case zero
    case bias(FloatPointer)
    case output
  }

  private func correlate(
    _ pass: Correlation, _ x: PanelTensor, _ weights: FloatPointer, start: Start, _ y: PanelTensor,
    _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    store(Row.zero, scratch)
    let zeros = FloatPointer(scratch), shared = scratch + rowWidth
    let runs = pass.writeRuns(x.panelStride, into: shared)
    let blockScratch = pass.blockScratch(panels: pass.inputPanels), perThread = shared + pass.runScratch
    let total = pass.gridPixels(x.batch), blockPixels = pass.blockPixels
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
      var run = 0
      while run < runCount {
        let count = min(runsPerBlock, runCount - run)
        for panel in panels {
          let startRow: FloatPointer? =
            if run > 0 {
              nil
            } else {
              switch start {
              case .zero: zeros
              case .bias(let bias): bias + panel * rowWidth
              case .output: nil
              }
            }
          rowBlock(
            prepared.input, prepared.pixels, block.count, runs: runs + run, count, length: length,
            weights + panel * panelWeights + run * length * rowWidth, start: startRow, y.panel(panel))
        }
        run += count
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
