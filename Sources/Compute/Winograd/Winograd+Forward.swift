/// How a forward pass is cut. What each block is depends on the shape alone, because the moments do; who computes which
/// part of it depends on the threads, which changes no result.
struct ForwardPlan {
  let batch: Int
  /// Whole samples of a block, or blocks of a sample.
  let samplesOfBlock, blocksOfSample: Int
  let blocks: Int
  /// Tiles of the largest block.
  let tiles: Int
  /// If the threads get about as many blocks each, they take whole blocks from the input to the output. If not, they
  /// first transform the input of all blocks, and then take a block and some output panels at a time.
  let sharesInput: Bool
  /// Output panels whose products are made before they are transformed.
  let group, groups: Int

  /// Tiles of a block, about: their matrices for some panels stay in the second-level cache. Part of the moments: a
  /// constant.
  private static let blockTiles = 64
  private static let groupPanels = 4

  init(_ rows: WinogradAxis, _ columns: WinogradAxis, outputPanels: Int, batch: Int, threads: Int) {
    self.batch = batch
    let tilesOfSample = rows.tiles * columns.tiles
    samplesOfBlock = max(1, Self.blockTiles / tilesOfSample)
    blocksOfSample = samplesOfBlock > 1 ? 1 : min(rows.tiles, dividedUp(tilesOfSample, Self.blockTiles))
    blocks = samplesOfBlock > 1 ? dividedUp(batch, samplesOfBlock) : batch * blocksOfSample
    tiles =
      samplesOfBlock > 1
      ? min(batch, samplesOfBlock) * tilesOfSample : dividedUp(rows.tiles, blocksOfSample) * columns.tiles
    // Shared, the data are not in the taker's own cache; that is less than what an eighth of the threads waiting costs.
    sharesInput = dividedUp(blocks, threads) * threads > blocks + blocks / 8
    if sharesInput {
      group = max(1, min(Self.groupPanels, outputPanels * blocks / (4 * threads)))
    } else {
      group = min(outputPanels, Self.groupPanels)
    }
    groups = dividedUp(outputPanels, group)
  }

  /// The strips of a block, counted through all samples.
  func strips(_ block: Int, _ rows: WinogradAxis) -> Range<Int> {
    if samplesOfBlock > 1 {
      let first = block * samplesOfBlock
      return first * rows.tiles..<min(batch, first + samplesOfBlock) * rows.tiles
    }
    let first = block / blocksOfSample * rows.tiles, part = block % blocksOfSample
    return first + part * rows.tiles / blocksOfSample..<first + (part + 1) * rows.tiles / blocksOfSample
  }
}

/// The matrices of a forward pass and the memory of the thread that works on them.
struct ForwardMemory {
  /// V of a block, and its floats from point to point.
  let data: MutableFloatPointer
  let dataSlice: Int
  /// M of some output panels, and its floats from point to point.
  let products: MutableFloatPointer
  let productSlice: Int
  /// Floats from panel to panel of both.
  let panelFloats: Int
  let table: MutableFloatPointer
  let buffer: MutableFloatPointer
  let zeros: FloatPointer
}

extension Winograd {
  func plan(_ batch: Int, _ threads: Int) -> ForwardPlan {
    ForwardPlan(rows, columns, outputPanels: outputPanels, batch: batch, threads: threads)
  }

  /// Blocks of `Moments` that `forward` gathers.
  func momentBlocks(_ batch: Int) -> Int { plan(batch, 1).blocks }

  /// For this batch or any smaller one: which of the two ways a pass goes, and so its memory, does not grow with the batch.
  func forwardScratch(batch: Int, threads: Int) -> Int {
    (1...max(1, batch)).reduce(forwardScratchInPassing(batch: batch, threads: threads)) {
      max($0, forwardScratch(ofExactly: $1, threads: threads))
    }
  }

  private func forwardScratch(ofExactly batch: Int, threads: Int) -> Int {
    let plan = plan(batch, threads)
    let data = points * slice(panels: inputPanels, tiles: plan.tiles)
    let products = points * slice(panels: plan.group, tiles: plan.tiles)
    return rowWidth + (plan.sharesInput ? plan.blocks : threads) * data
      + threads * (products + tableFloats(inputPanels) + bufferFloats)
  }

  /// Y = A′ (Σ V U) A + bias.
  ///
  /// - Parameters:
  ///   - weights: as `pack` wrote them, or as they are.
  ///   - bias: [16 · output panels], or nil.
  ///   - moments: where those of y are recorded, if anybody wants them.
  ///   - scratch: `scratchCount` floats.
  func forward(
    _ x: Activation, weights: WinogradFilters, bias: FloatPointer?, into y: PanelTensor, moments: Moments?,
    scratch: MutableFloatPointer, pool: ThreadPool
  ) {
    let packed: FloatPointer
    switch weights {
    case .unpacked(let weights): return forwardInPassing(x, weights, bias, into: y, moments, scratch, pool)
    case .packed(let weights): packed = weights
    }
    let plan = plan(x.tensor.batch, pool.threads), (rows, columns) = (rows, columns)
    let dataSlice = slice(panels: inputPanels, tiles: plan.tiles)
    let productSlice = slice(panels: plan.group, tiles: plan.tiles)
    let (dataFloats, productFloats) = (points * dataSlice, points * productSlice)
    let (tableFloats, bufferFloats) = (tableFloats(inputPanels), bufferFloats)
    let data = scratch + rowWidth, own = data + (plan.sharesInput ? plan.blocks : pool.threads) * dataFloats
    store(Row.zero, scratch)

    @inline(__always) func memory(_ thread: Int, data index: Int) -> ForwardMemory {
      let first = own + thread * (productFloats + tableFloats + bufferFloats)
      return ForwardMemory(
        data: data + index * dataFloats, dataSlice: dataSlice, products: first, productSlice: productSlice,
        panelFloats: plan.tiles * rowWidth, table: first + productFloats, buffer: first + productFloats + tableFloats,
        zeros: FloatPointer(scratch))
    }
    @inline(__always) func block(_ index: Int) -> WinogradBlock {
      WinogradBlock(plan.strips(index, rows), rows: rows, columns: columns)
    }
    let (inputPanels, outputPanels) = (inputPanels, outputPanels)
    guard plan.sharesInput else {
      pool.forEach(plan.blocks) { index, thread in
        let memory = memory(thread, data: thread), block = block(index)
        for panel in 0..<inputPanels { transformInput(x, block, panel, memory) }
        var panel = 0
        while panel < outputPanels {
          let group = panel..<min(outputPanels, panel + plan.group)
          finish(index, block, group, packed, bias, into: y, moments, memory)
          panel = group.upperBound
        }
      }
      return
    }
    pool.forEach(plan.blocks * inputPanels) { item, thread in
      let index = item / inputPanels
      transformInput(x, block(index), item % inputPanels, memory(thread, data: index))
    }
    pool.forEach(plan.blocks * plan.groups) { item, thread in
      let index = item % plan.blocks, panel = item / plan.blocks * plan.group
      finish(
        index, block(index), panel..<min(outputPanels, panel + plan.group), packed, bias, into: y, moments,
        memory(thread, data: index))
    }
  }

  /// V of one panel of a block.
  @inline(never)
  func transformInput(_ x: Activation, _ block: WinogradBlock, _ panel: Int, _ memory: ForwardMemory) {
    let normalization = x.normalization?.panel(panel), pixels = rows.input * columns.input * rowWidth
    for strip in block.strips {
      let place = block.place(strip)
      let plane = WinogradPlane(
        pixels: FloatPointer(x.tensor.panel(panel)) + place.sample * pixels, height: rows.input, width: columns.input,
        normalization: normalization)
      analyze(
        .data, plane, place, into: memory.data + panel * memory.panelFloats, slice: memory.dataSlice,
        buffer: memory.buffer)
    }
  }

  /// Some output panels of a block, from the products to the moments.
  @inline(never)
  private func finish(
    _ index: Int, _ block: WinogradBlock, _ panels: Range<Int>, _ weights: FloatPointer, _ bias: FloatPointer?,
    into y: PanelTensor, _ moments: Moments?, _ memory: ForwardMemory
  ) {
    multiply(block, panels, weights, memory)
    synthesize(index, block, panels, bias, into: y, moments, memory)
  }

  /// The outputs of some panels of a block whose products are made, and their moments.
  func synthesize(
    _ index: Int, _ block: WinogradBlock, _ panels: Range<Int>, _ bias: FloatPointer?, into y: PanelTensor,
    _ moments: Moments?, _ memory: ForwardMemory
  ) {
    let line = columns.output * rowWidth
    let firstLine = outputLine(block.strips.lowerBound), endLine = outputLine(block.strips.upperBound)
    for panel in panels {
      let source = memory.products + (panel - panels.lowerBound) * memory.panelFloats
      let target = y.panel(panel)
      for strip in block.strips {
        let place = block.place(strip)
        synthesizeOutput(
          source, slice: memory.productSlice, place, bias: bias.map { $0 + panel * rowWidth },
          into: target + place.sample * rows.output * line, buffer: memory.buffer)
      }
      moments?.gather(
        FloatPointer(target) + firstLine * line, (endLine - firstLine) * columns.output, block: index, panel: panel)
    }
  }

  /// M = Σ V U of some output panels of a block.
  private func multiply(
    _ block: WinogradBlock, _ panels: Range<Int>, _ weights: FloatPointer, _ memory: ForwardMemory
  ) {
    let table = writeTable(memory.data, panels: inputPanels, panelFloats: memory.panelFloats, at: memory.table)
    let panelFilters = inputPanels * rowWidth * rowWidth
    for point in 0..<points {
      let range = range(point, block)
      guard !range.isEmpty else { continue }
      let target = memory.products + point * memory.productSlice + range.lowerBound * rowWidth
      multiply(
        table, panels: inputPanels, offset: point * memory.dataSlice + range.lowerBound * rowWidth, rows: range.count,
        outputs: panels.count, weights + point * filterSlice + panels.lowerBound * panelFilters, zeros: memory.zeros,
        into: target, outputFloats: memory.panelFloats)
    }
  }

  /// The first output line of a strip, both counted through all samples.
  func outputLine(_ strip: Int) -> Int {
    strip / rows.tiles * rows.output + strip % rows.tiles * rows.scheme.outputs
  }
}
