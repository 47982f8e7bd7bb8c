/// The matrices of a block for one output panel, and what the transforms need.
private struct BlockMemory {
  /// V, and M or dM.
  let data, products: MutableFloatPointer
  let buffer: MutableFloatPointer
}

extension StridedWinograd {
  /// Tiles of a block, about; from 28 to 84 make no difference. Part of the moments: a constant.
  private static let blockTiles = 56
  /// Tiles whose products are summed up in registers before they are added to dU, at most: with 128, errors would be half
  /// as large again. Part of the result: a constant.
  private static let chunkTiles = 32
  /// Tiles, about, whose products one thread sums up before all such sums are added: a quarter of a sample of 224 × 224
  /// pixels, so that a few samples are enough for many threads. Part of the result: a constant.
  private static let partTiles = 196

  // MARK: Plan

  private func strips(_ batch: Int) -> Int { batch * rows.tiles }
  private var stripsOfBlock: Int { max(1, Self.blockTiles / columns.tiles) }
  private var stripsOfPart: Int { max(1, Self.partTiles / (stripsOfBlock * columns.tiles)) * stripsOfBlock }
  private func parts(_ batch: Int) -> Int { dividedUp(strips(batch), stripsOfPart) }

  /// Floats from point to point of a matrix.
  private var slice: Int { winograd.slice(panels: 1, tiles: stripsOfBlock * columns.tiles) }
  private var matrixFloats: Int { winograd.points * slice }
  private var blockFloats: Int { 2 * matrixFloats + winograd.bufferFloats }

  private func memory(_ scratch: MutableFloatPointer, _ thread: Int) -> BlockMemory {
    let first = scratch + thread * blockFloats
    return BlockMemory(data: first, products: first + matrixFloats, buffer: first + 2 * matrixFloats)
  }

  private func block(_ strips: Range<Int>) -> WinogradBlock {
    WinogradBlock(strips, rows: rows, columns: columns)
  }

  /// Blocks of `Moments` that `forward` gathers.
  func momentBlocks(_ batch: Int) -> Int { dividedUp(strips(batch), stripsOfBlock) }

  /// Floats of scratch that any of the calls needs.
  func scratchCount(batch: Int, threads: Int) -> Int { threads * blockFloats + parts(batch) * packedCount }

  // MARK: Forward

  /// Y = A′ (V U) A + bias.
  ///
  /// - Parameters:
  ///   - images: in phases.
  ///   - weights: as `pack` wrote them.
  ///   - bias: [16 · output panels], or nil.
  ///   - moments: where those of y are recorded, if anybody wants them.
  ///   - scratch: `scratchCount` floats.
  func forward(
    _ images: Images, weights: FloatPointer, bias: FloatPointer?, into y: PanelTensor, moments: Moments?,
    scratch: MutableFloatPointer, pool: ThreadPool
  ) {
    let strips = strips(images.batch), stripsOfBlock = self.stripsOfBlock
    pool.forEach(momentBlocks(images.batch)) { index, thread in
      let memory = memory(scratch, thread)
      let block = block(index * stripsOfBlock..<min(strips, (index + 1) * stripsOfBlock))
      transformData(images, block, memory)
      for panel in 0..<outputPanels {
        finish(index, block, panel, weights, bias: bias.map { $0 + panel * rowWidth }, into: y, moments, memory)
      }
    }
  }

  @inline(never)
  private func transformData(_ images: Images, _ block: WinogradBlock, _ memory: BlockMemory) {
    for strip in block.strips {
      let place = block.place(strip), pixel = place.sample * phases.height * phases.width
      let plane = WinogradPlane(
        pixels: FloatPointer(images.pointer) + pixel * rowWidth, height: phases.height, width: phases.width,
        normalization: nil)
      winograd.analyze(.data, plane, place, into: memory.data, slice: slice, buffer: memory.buffer)
    }
  }

  /// An output panel of a block, from the products to the moments.
  @inline(never)
  private func finish(
    _ index: Int, _ block: WinogradBlock, _ panel: Int, _ weights: FloatPointer, bias: FloatPointer?,
    into y: PanelTensor, _ moments: Moments?, _ memory: BlockMemory
  ) {
    for point in 0..<winograd.points {
      let tiles = winograd.range(point, block), lanes = lanes(point)
      let first = point * slice + tiles.lowerBound * rowWidth
      narrowProduct(
        memory.data + first + lanes.lowerBound, lanes: lanes.count, rows: tiles.count,
        weights + filter(point, panel, lanes), into: memory.products + first)
    }
    let line = columns.output * rowWidth, target = y.panel(panel)
    for strip in block.strips {
      let place = block.place(strip)
      winograd.synthesizeOutput(
        memory.products, slice: slice, place, bias: bias, into: target + place.sample * rows.output * line,
        buffer: memory.buffer)
    }
    let firstLine = winograd.outputLine(block.strips.lowerBound), endLine = winograd.outputLine(block.strips.upperBound)
    moments?.gather(
      FloatPointer(target) + firstLine * line, (endLine - firstLine) * columns.output, block: index, panel: panel)
  }

  /// Floats up to a panel's filters at a point.
  private func filter(_ point: Int, _ panel: Int, _ lanes: Range<Int>) -> Int {
    point * winograd.filterSlice + (panel * rowWidth + lanes.lowerBound) * rowWidth
  }

  // MARK: Backward

  /// The gradient with respect to the weights, dg = G′ (V′ dM) G; overwritten.
  func backward(
    _ images: Images, _ dy: PanelTensor, into oihw: MutableFloatPointer, scratch: MutableFloatPointer, pool: ThreadPool
  ) {
    let strips = strips(dy.batch), stripsOfPart = self.stripsOfPart, stripsOfBlock = self.stripsOfBlock
    let sums = scratch + pool.threads * blockFloats, parts = parts(dy.batch), packedCount = self.packedCount
    pool.forEach(parts) { part, thread in
      let memory = memory(scratch, thread), start = part * stripsOfPart, end = min(strips, start + stripsOfPart)
      for first in stride(from: start, to: end, by: stripsOfBlock) {
        let block = block(first..<min(end, first + stripsOfBlock))
        transformData(images, block, memory)
        for panel in 0..<outputPanels {
          addProducts(dy, block, panel, accumulate: first > start, into: sums + part * packedCount, memory)
        }
      }
    }
    pool.forEach(winograd.points * outputPanels) { item, _ in
      addParts(sums, parts, point: item / outputPanels, panel: item % outputPanels)
    }
    pool.forEach(outputPanels) { panel, _ in writeGradient(sums, panel: panel, into: oihw) }
  }

  /// dU (+)= V′ dM of one output panel of a block.
  @inline(never)
  private func addProducts(
    _ dy: PanelTensor, _ block: WinogradBlock, _ panel: Int, accumulate: Bool, into filters: MutableFloatPointer,
    _ memory: BlockMemory
  ) {
    for strip in block.strips {
      let place = block.place(strip), pixel = place.sample * rows.output * columns.output
      let plane = WinogradPlane(
        pixels: FloatPointer(dy.panel(panel)) + pixel * rowWidth, height: rows.output, width: columns.output,
        normalization: nil)
      winograd.analyze(.outputGradient, plane, place, into: memory.products, slice: slice, buffer: memory.buffer)
    }
    for point in 0..<winograd.points {
      let tiles = winograd.range(point, block), lanes = lanes(point)
      let chunks = max(1, dividedUp(tiles.count, Self.chunkTiles))
      for chunk in 0..<chunks {
        let start = tiles.count * chunk / chunks, end = tiles.count * (chunk + 1) / chunks
        let first = point * slice + (tiles.lowerBound + start) * rowWidth
        outerProductBlock(
          memory.data + first + lanes.lowerBound, lanes: lanes.count, memory.products + first, rows: end - start,
          accumulate: accumulate || chunk > 0, into: filters + filter(point, panel, lanes))
      }
    }
  }

  /// Adds the parts' dU at a point of one output panel to the first part's. That of lanes with nothing there is zero.
  private func addParts(_ sums: MutableFloatPointer, _ parts: Int, point: Int, panel: Int) {
    let lanes = lanes(point), packedCount = self.packedCount
    for lane in 0..<rowWidth {
      let target = sums + filter(point, panel, lane..<lane)
      var sum = lanes.contains(lane) ? load(target) : Row.zero
      if lanes.contains(lane) {
        for part in 1..<max(1, parts) { sum += load(target + part * packedCount) }
      }
      store(sum, target)
    }
  }
}
