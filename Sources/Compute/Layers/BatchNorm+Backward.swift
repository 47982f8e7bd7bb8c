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
  ///   - scratch: `scratchCount(pixels:)` floats, their contents lost.
  public func backward(
    _ y: PanelTensor, dz: PanelTensor, normalization: Normalization, inverse: UnsafePointer<Float>,
    dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    pool: ThreadPool
  ) {
    require(y.channels == channels && dz.hasShape(of: y), "the tensors of a batch norm have its channels and one shape")
    let passes = TwoPasses(y), sums = GradientSums(scratch, panels: panels, blocks: passes.blocks)
    passes.run(
      pool,
      first: { panel, block in
        sums.gather(y, dz, passes.rows(of: block), normalization, block: block, panel: panel)
      },
      between: { panel in
        finish(sums, panel, count: y.pixels, inverse: inverse, dgamma: dgamma, dbeta: dbeta)
      },
      second: { panel, block in
        let rows = passes.rows(of: block), start = rows.lowerBound * rowWidth
        sums.apply(
          y.panel(panel) + start, FloatPointer(dz.panel(panel)) + start, into: dz.panel(panel) + start, rows.count,
          normalization.panel(panel), panel: panel, streamed: false)
      })
  }

  /// The same behind a max pool that kept what is stored of y (`maxPoolForward`), given the gradient of what the pool's
  /// readers see.
  ///
  /// All other pixels have the gradient zero, so that the sums are those over what the pool wrote. Its gradient is only
  /// computed, some rows at a time, where that of y is: it is never stored.
  ///
  /// - Parameters:
  ///   - pooled: what the pool wrote, not larger than y.
  ///   - dpooled: the gradient of what its readers see.
  ///   - dy: overwritten.
  ///   - scratch: `scratchCount(pixels:)` floats, and behind them what the gradient of the pool needs; their contents lost.
  public func backward(
    _ y: PanelTensor, pooled: PanelTensor, _ dpooled: PanelTensor, winners: Winners, geometry: PoolGeometry,
    into dy: PanelTensor, normalization: Normalization, inverse: UnsafePointer<Float>,
    dgamma: UnsafeMutablePointer<Float>, dbeta: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    pool: ThreadPool
  ) {
    require(
      y.channels == channels && dy.hasShape(of: y) && dpooled.hasShape(of: pooled),
      "the tensors of a batch norm have its channels and one shape")
    require(pooled.pixels <= y.pixels, "a pool behind a batch norm writes no more than it reads")
    let first = TwoPasses(pooled), sums = GradientSums(scratch, panels: panels, blocks: first.blocks)
    pool.forEach(panels * first.blocks) { item, _ in
      let (panel, block) = item.quotientAndRemainder(dividingBy: first.blocks)
      sums.gather(pooled, dpooled, first.rows(of: block), normalization, block: block, panel: panel)
    }
    for panel in 0..<panels {
      finish(sums, panel, count: y.pixels, inverse: inverse, dgamma: dgamma, dbeta: dbeta)
    }
    let gradient = MaxPoolGradient(winners: winners, dpooled, into: dy, accumulate: false, geometry: geometry)
    let blocks = gradient.blocks, poolScratch = scratch + scratchCount(pixels: y.pixels)
    pool.forEach(blocks.count) { block, thread in
      let panel = blocks.panel(block), rows = blocks.rows(block), start = rows.lowerBound * y.width * rowWidth
      sums.apply(
        y.panel(panel) + start, gradient.rows(block, poolScratch, thread), into: dy.panel(panel) + start,
        rows.count * y.width, normalization.panel(panel), panel: panel, streamed: dy.isStreamed)
    }
  }

  private func finish(
    _ sums: GradientSums, _ panel: Int, count: Int, inverse: FloatPointer, dgamma: MutableFloatPointer,
    dbeta: MutableFloatPointer
  ) {
    let first = panel * rowWidth, gradients = sums.finish(panel: panel, inverse: load(inverse + first), count: count)
    for lane in 0..<min(rowWidth, channels - first) {
      dgamma[first + lane] = gradients.gamma[lane]
      dbeta[first + lane] = gradients.beta[lane]
    }
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
    _ y: PanelTensor, _ dz: PanelTensor, _ rows: Range<Int>, _ normalization: Normalization, block: Int, panel: Int
  ) {
    let y = FloatPointer(y.panel(panel)) + rows.lowerBound * rowWidth, count = rows.count
    let dz = FloatPointer(dz.panel(panel)) + rows.lowerBound * rowWidth, normalization = normalization.panel(panel)
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
