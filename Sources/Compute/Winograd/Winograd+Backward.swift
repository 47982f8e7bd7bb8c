/// The matrices of a backward pass over one block of whole samples.
struct BackwardMemory {
  /// V and dM.
  let data, products: MutableFloatPointer
  /// Floats from point to point of V, and of dM.
  let dataSlice, productSlice: Int
  /// Floats from panel to panel of both.
  let panelFloats: Int
  /// Where the panels of dM begin.
  let table: UnsafePointer<MutableFloatPointer>
  let zeros: FloatPointer
}

extension Winograd {
  /// Tiles whose products are summed up in registers before they are added to dU. Part of the result: a constant.
  static let chunkTiles = 128

  /// Floats of a block's three matrices, about, and its fewest tiles. Smaller blocks stay in the caches, larger ones
  /// read and write the filters less often. Part of the result, as each block's sum is added to dU: constants.
  private static let blockFloats = 1 << 20
  private static let fewestTiles = 64

  /// A block is as many whole samples.
  private func samplesOfBlock(_ batch: Int) -> Int {
    let tileFloats = points * (2 * inputPanels + outputPanels) * rowWidth
    let tiles = max(Self.fewestTiles, Self.blockFloats / tileFloats)
    return max(1, min(batch, tiles / (rows.tiles * columns.tiles)))
  }

  func backwardScratch(batch: Int, threads: Int) -> Int {
    let tiles = samplesOfBlock(batch) * rows.tiles * columns.tiles
    let data = points * slice(panels: inputPanels, tiles: tiles)
    let products = points * slice(panels: outputPanels, tiles: tiles)
    let packed =
      rowWidth + 2 * data + products + packedCount + tableFloats(outputPanels) + threads * (bufferFloats + carryFloats)
    return max(packed, backwardScratchInPassing(batch: batch, threads: threads))
  }

  /// The gradients with respect to the weights and to the input.
  ///
  /// - Parameters:
  ///   - weights: as `packTransposed` wrote them, or as they are; not read if no `dx` is wanted.
  ///   - oihw: the weights' gradient; overwritten; nil if nobody wants it.
  ///   - dx: overwritten, or added to if `accumulate`; nil if nobody wants it.
  ///   - scratch: `scratchCount` floats.
  func backward(
    _ x: Activation, _ dy: PanelTensor, weights: WinogradFilters?, into oihw: MutableFloatPointer?, dx: PanelTensor?,
    accumulate: Bool, scratch: MutableFloatPointer, pool: ThreadPool
  ) {
    var packed: FloatPointer?
    switch weights {
    case .unpacked(let weights):
      return backwardInPassing(x, dy, weights, into: oihw, dx: dx, accumulate: accumulate, scratch, pool)
    case .packed(let weights): packed = weights
    case nil: break
    }
    let batch = dy.batch, samples = samplesOfBlock(batch), ownFloats = bufferFloats + carryFloats
    let (memory, rest) = backwardMemory(samples: samples, scratch)
    let dataGradient = rest, filters = dataGradient + points * memory.dataSlice, buffers = filters + packedCount
    let blocks = dividedUp(batch, samples)
    let (inputPanels, outputPanels) = (inputPanels, outputPanels)
    let parts = partsOfPoint(pool.threads),
      segments = segments(samples * (2 * inputPanels + outputPanels), pool.threads)
    // The input's gradient of one block is written while the next is transformed.
    for index in 0...blocks {
      let block = block(index, samples, batch), before = index > 0 ? self.block(index - 1, samples, batch) : block
      let current = index < blocks ? block.samples : 0, finished = index > 0 && dx != nil ? before.samples : 0
      let gradientItems = current * segments * outputPanels,
        dataItems = oihw == nil ? 0 : current * segments * inputPanels
      pool.forEach(gradientItems + dataItems + finished * segments * inputPanels) { item, thread in
        let buffer = buffers + thread * ownFloats
        if item < gradientItems {
          transformGradient(dy, block, item, segments: segments, memory, buffer)
        } else if item < gradientItems + dataItems {
          transformData(x, block, item - gradientItems, segments: segments, memory, buffer)
        } else if let dx {
          finishInput(
            dx, before, item - gradientItems - dataItems, segments: segments, accumulate: accumulate, dataGradient,
            memory, buffer)
        }
      }
      guard index < blocks else { break }
      let weights = dx == nil ? nil : packed
      pool.forEach(points * parts) { item, _ in
        let (point, part) = (item / parts, item % parts)
        if oihw != nil {
          sumFilters(block, point: point, part: part, of: parts, accumulate: index > 0, into: filters, memory)
        }
        if let weights { multiply(block, point: point, part: part, of: parts, weights, into: dataGradient, memory) }
      }
    }
    guard let oihw else { return }
    pool.forEach(inputPanels * outputPanels) { item, _ in
      writeGradient(
        FloatPointer(filters) + item * rowWidth * rowWidth, slice: filterSlice,
        (input: item % inputPanels, output: item / inputPanels), into: oihw)
    }
  }

  /// The matrices of blocks of so many samples, and the scratch behind them.
  func backwardMemory(
    samples: Int, _ scratch: MutableFloatPointer
  ) -> (memory: BackwardMemory, rest: MutableFloatPointer) {
    let tiles = samples * rows.tiles * columns.tiles
    let dataSlice = slice(panels: inputPanels, tiles: tiles), productSlice = slice(panels: outputPanels, tiles: tiles)
    store(Row.zero, scratch)
    let data = scratch + rowWidth, products = data + points * dataSlice, table = products + points * productSlice
    let memory = BackwardMemory(
      data: data, products: products, dataSlice: dataSlice, productSlice: productSlice, panelFloats: tiles * rowWidth,
      table: writeTable(products, panels: outputPanels, panelFloats: tiles * rowWidth, at: table),
      zeros: FloatPointer(scratch))
    return (memory, table + tableFloats(outputPanels))
  }

  // MARK: Items

  func block(_ index: Int, _ samples: Int, _ batch: Int) -> WinogradBlock {
    let first = min(batch, index * samples)
    return WinogradBlock(
      first * rows.tiles..<min(batch, first + samples) * rows.tiles, rows: rows, columns: columns)
  }

  /// Into how many ranges of panels each point's products are cut for many threads.
  private func partsOfPoint(_ threads: Int) -> Int {
    threads == 1 ? 1 : max(1, min(dividedUp(4 * threads, points), max(inputPanels, outputPanels)))
  }

  /// Into how many ranges of strips each plane is cut for many threads.
  func segments(_ planes: Int, _ threads: Int) -> Int {
    threads == 1 ? 1 : max(1, min(dividedUp(4 * threads, planes), rows.tiles / 3))
  }

  /// An item of a block: a panel, a sample and some of its strips.
  private func strips(
    _ block: WinogradBlock, _ item: Int, segments: Int
  ) -> (panel: Int, strips: Range<Int>) {
    let segment = item % segments, plane = item / segments
    let first = block.strips.lowerBound + plane % block.samples * rows.tiles
    return (
      plane / block.samples,
      first + segment * rows.tiles / segments..<first + (segment + 1) * rows.tiles / segments
    )
  }

  func transformGradient(
    _ dy: PanelTensor, _ block: WinogradBlock, _ item: Int, segments: Int, _ memory: BackwardMemory,
    _ buffer: MutableFloatPointer
  ) {
    let (panel, strips) = strips(block, item, segments: segments), target = memory.products + panel * memory.panelFloats
    for strip in strips {
      let place = block.place(strip)
      let plane = WinogradPlane(
        pixels: FloatPointer(dy.panel(panel)) + place.sample * rows.output * columns.output * rowWidth,
        height: rows.output, width: columns.output, normalization: nil)
      analyze(.outputGradient, plane, place, into: target, slice: memory.productSlice, buffer: buffer)
    }
  }

  func transformData(
    _ x: Activation, _ block: WinogradBlock, _ item: Int, segments: Int, _ memory: BackwardMemory,
    _ buffer: MutableFloatPointer
  ) {
    let (panel, strips) = strips(block, item, segments: segments), target = memory.data + panel * memory.panelFloats
    let normalization = x.normalization?.panel(panel)
    for strip in strips {
      let place = block.place(strip)
      let plane = WinogradPlane(
        pixels: FloatPointer(x.tensor.panel(panel)) + place.sample * rows.input * columns.input * rowWidth,
        height: rows.input, width: columns.input, normalization: normalization)
      analyze(.data, plane, place, into: target, slice: memory.dataSlice, buffer: buffer)
    }
  }

  private func finishInput(
    _ dx: PanelTensor, _ block: WinogradBlock, _ item: Int, segments: Int, accumulate: Bool,
    _ dataGradient: FloatPointer, _ memory: BackwardMemory, _ buffer: MutableFloatPointer
  ) {
    let (panel, strips) = strips(block, item, segments: segments)
    let sample = strips.lowerBound / rows.tiles
    synthesizeInputGradient(
      dataGradient + panel * memory.panelFloats, slice: memory.dataSlice, block, strips: strips,
      accumulate: accumulate, into: dx.panel(panel) + sample * rows.input * columns.input * rowWidth, buffer: buffer)
  }

  /// dU (+)= V′ dM at one point, for some of the output panels.
  private func sumFilters(
    _ block: WinogradBlock, point: Int, part: Int, of parts: Int, accumulate: Bool, into filters: MutableFloatPointer,
    _ memory: BackwardMemory
  ) {
    let range = range(point, block), firstRow = range.lowerBound * rowWidth, matrix = rowWidth * rowWidth
    let data = FloatPointer(memory.data) + point * memory.dataSlice + firstRow
    let products = point * memory.productSlice + firstRow
    let chunks = max(1, dividedUp(range.count, Self.chunkTiles))
    for chunk in 0..<chunks {
      let first = range.count * chunk / chunks, rows = range.count * (chunk + 1) / chunks - first
      let gradient = FloatPointer(memory.products) + products + first * rowWidth
      let outputs = outputPanels * part / parts..<outputPanels * (part + 1) / parts
      for output in stride(from: outputs.lowerBound, to: outputs.upperBound, by: tilePanels) {
        let target = filters + point * filterSlice + output * inputPanels * matrix
        let hasOther = output + 1 < min(outputs.upperBound, output + tilePanels)
        for input in 0..<inputPanels {
          let b = gradient + output * memory.panelFloats, block = target + input * matrix
          outerProductBlock(
            data + first * rowWidth + input * memory.panelFloats, b, rows: rows,
            accumulate: accumulate || chunk > 0, into: block,
            and: hasOther ? (b + memory.panelFloats, block + inputPanels * matrix) : nil)
        }
      }
    }
  }

  /// dV = dM U′ at one point, for some of the input panels.
  private func multiply(
    _ block: WinogradBlock, point: Int, part: Int, of parts: Int, _ weights: FloatPointer,
    into dataGradient: MutableFloatPointer, _ memory: BackwardMemory
  ) {
    let range = range(point, block), firstRow = range.lowerBound * rowWidth, matrix = rowWidth * rowWidth
    let products = point * memory.productSlice + firstRow
    let inputs = inputPanels * part / parts..<inputPanels * (part + 1) / parts
    multiply(
      memory.table, panels: outputPanels, offset: products, rows: range.count, outputs: inputs.count,
      weights + point * filterSlice + inputs.lowerBound * outputPanels * matrix, zeros: memory.zeros,
      into: dataGradient + point * memory.dataSlice + inputs.lowerBound * memory.panelFloats + firstRow,
      outputFloats: memory.panelFloats)
  }
}
