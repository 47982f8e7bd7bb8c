extension BatchNorm {
  /// Turns the gradient of z into the gradient of y, in place, and gives those of γ and β.
  ///
  /// Where the ReLU cut is computed again from `y`, with the very operations of the forward pass. With g the gradient that
  /// passes, i = 1 / √(variance + ε) and means over samples and pixels:
  /// dβ = Σ g, dγ = i Σ g (y − mean), dy = γ i (g − mean(g) − (y − mean) i² mean(g (y − mean))).
  ///
  /// - Parameters:
  ///   - normalization, inverse: as `finish` or `forward` made them.
  ///   - dgamma, dbeta: [channels], overwritten.
  ///   - maxPool: the gradient of a max pool behind it, whose `dx` is dz: computed in both passes, some rows at a time, for
  ///     that takes less time than to write it to memory and read it again. Nil if dz is there.
  ///   - scratch: `scratchCount(pixels:)` floats, and behind them what the gradient of the pool needs; their contents lost.
  public func backward(
    _ y: PanelTensor, dz: PanelTensor, behind maxPool: MaxPoolGradient? = nil, normalization: Normalization,
    inverse: UnsafePointer<Float>, dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    require(y.channels == channels && dz.hasShape(of: y), "the tensors of a batch norm have its channels and one shape")
    let passes = TwoPasses(y), channels = self.channels
    let sums = GradientSums(scratch, panels: panels, blocks: passes.blocks)
    let poolScratch = scratch + scratchCount(pixels: y.pixels)
    let streamed = maxPool != nil && dz.isStreamed
    /// Where the gradient of some blocks is.
    @inline(__always) func gradient(_ panel: Int, _ rows: Range<Int>, _ thread: Int) -> FloatPointer {
      guard let maxPool else { return FloatPointer(dz.panel(panel)) + rows.lowerBound * rowWidth }
      return maxPool.rows(panel, rows.lowerBound / y.width..<rows.upperBound / y.width, poolScratch, thread)
    }
    passes.run(
      pool, together: maxPool == nil ? 1 : MaxPoolGradient.blocksTogether,
      first: { panel, blocks, thread in
        let first = passes.rows(of: blocks).lowerBound, gradient = gradient(panel, passes.rows(of: blocks), thread)
        for block in blocks {
          let rows = passes.rows(of: block)
          sums.gather(
            y.panel(panel) + rows.lowerBound * rowWidth, gradient + (rows.lowerBound - first) * rowWidth, rows.count,
            normalization.panel(panel), block: block, panel: panel)
        }
      },
      between: { panel in
        let first = panel * rowWidth
        let gradients = sums.finish(panel: panel, inverse: load(inverse + first), count: y.pixels)
        for lane in 0..<min(rowWidth, channels - first) {
          dgamma[first + lane] = gradients.gamma[lane]
          dbeta[first + lane] = gradients.beta[lane]
        }
      },
      second: { panel, blocks, thread in
        let rows = passes.rows(of: blocks), start = rows.lowerBound * rowWidth
        sums.apply(
          y.panel(panel) + start, gradient(panel, rows, thread), into: dz.panel(panel) + start, rows.count,
          normalization.panel(panel), panel: panel, streamed: streamed)
      })
  }
}

extension BatchNorm {
  /// Turns the gradient of z into the gradient of y, in place, where the normalisation does not depend on y: that of running
  /// statistics, as `finishEvaluation` made it. dy = γ g / √(running variance + ε), with g the gradient that passes the ReLU.
  public func backward(_ y: PanelTensor, dz: PanelTensor, fixed normalization: Normalization, pool: ThreadPool) {
    require(y.channels == channels && dz.hasShape(of: y), "the tensors of a batch norm have its channels and one shape")
    let passes = TwoPasses(y)
    pool.forEach(panels * passes.blocks) { item, _ in
      let panel = item / passes.blocks, rows = passes.rows(of: item % passes.blocks)
      let start = rows.lowerBound * rowWidth, normalization = normalization.panel(panel)
      let source = FloatPointer(y.panel(panel)) + start, gradient = dz.panel(panel) + start
      for index in 0..<rows.count {
        let row = load(source + index * rowWidth)
        let g = Row.zero.replacing(with: load(gradient + index * rowWidth), where: normalization.passes(row))
        store(g * normalization.scale, gradient + index * rowWidth)
      }
    }
  }
}

/// The sums of a batch norm's backward pass, block by block, and what becomes of them.
struct GradientSums {
  /// [panels][2][16] of Float: mean gradient and slope; then [panels][blocks][2][16] of Double: Σ g and Σ g (y − mean).
  private let slopes: UnsafeMutablePointer<Float>
  private let records: UnsafeMutableRawPointer
  private let blocks: Int

  private static let recordBytes = 2 * MemoryLayout<WideRow>.size
  /// Rows that are added up in single precision. Part of the result: a constant.
  private static let chunk = 128

  init(_ scratch: MutableFloatPointer, panels: Int, blocks: Int) {
    (slopes, self.blocks) = (scratch, blocks)
    records = UnsafeMutableRawPointer(scratch + panels * 2 * rowWidth)
  }

  static func floatCount(_ panels: Int, _ blocks: Int) -> Int {
    panels * (2 * rowWidth + blocks * recordBytes / MemoryLayout<Float>.size)
  }

  private func record(_ panel: Int, _ block: Int) -> UnsafeMutableRawPointer {
    records + (panel * blocks + block) * Self.recordBytes
  }

  /// Records the sums of one block of a panel.
  @inline(never)
  func gather(
    _ y: FloatPointer, _ dz: FloatPointer, _ count: Int, _ normalization: PanelNormalization, block: Int, panel: Int
  ) {
    var sums = WideRow.zero, products = WideRow.zero
    var start = 0
    while start < count {
      let end = min(count, start + Self.chunk)
      var sum = Row.zero, product = Row.zero
      for index in start..<end {
        let row = load(y + index * rowWidth), gradient = load(dz + index * rowWidth), passes = normalization.passes(row)
        // Chosen after adding: a choice between a gradient and zero becomes a load through a mask, which waits for y.
        sum = choose(passes, sum + gradient, sum)
        product = choose(passes, product.addingProduct(gradient, row - normalization.center), product)
      }
      sums += WideRow(sum)
      products += WideRow(product)
      start = end
    }
    record(panel, block).storeBytes(of: sums, as: WideRow.self)
    record(panel, block).storeBytes(of: products, toByteOffset: MemoryLayout<WideRow>.size, as: WideRow.self)
  }

  /// Adds up the blocks of a panel in their order; gives the gradients of γ and β, and keeps what `apply` needs.
  func finish(panel: Int, inverse: Row, count: Int) -> (gamma: Row, beta: Row) {
    var sums = WideRow.zero, products = WideRow.zero
    for block in 0..<blocks {
      sums += record(panel, block).loadUnaligned(as: WideRow.self)
      products += record(panel, block).loadUnaligned(fromByteOffset: MemoryLayout<WideRow>.size, as: WideRow.self)
    }
    let gamma = products * WideRow(inverse), share = 1 / Double(count)
    store(Row(sums * share), slopes + panel * 2 * rowWidth)
    store(Row(gamma * WideRow(inverse) * share), slopes + panel * 2 * rowWidth + rowWidth)
    return (Row(gamma), Row(sums))
  }

  /// Turns the gradient of z into that of y for some rows of a panel; may be done in place if it is not `streamed`.
  @inline(never)
  func apply(
    _ y: FloatPointer, _ dz: FloatPointer, into dy: MutableFloatPointer, _ count: Int,
    _ normalization: PanelNormalization, panel: Int, streamed: Bool
  ) {
    let mean = load(slopes + panel * 2 * rowWidth), slope = -load(slopes + panel * 2 * rowWidth + rowWidth)
    for index in 0..<count {
      let row = load(y + index * rowWidth)
      let g = Row.zero.replacing(with: load(dz + index * rowWidth), where: normalization.passes(row))
      let centered = (g - mean).addingProduct(slope, row - normalization.center)
      store(centered * normalization.scale, dy + index * rowWidth, streamed: streamed)
    }
  }
}
