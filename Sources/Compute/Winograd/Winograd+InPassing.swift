// Passes that transform filters in passing. A few tiles read many filters once: at all their points they take up to four
// times their memory and do not stay in the caches. So each output panel's filters are transformed when its turn comes, a
// chunk of input panels at a time, and so are their gradients; the input's gradient goes likewise. All sums are the same.

/// The memory of one thread.
private struct PassingMemory {
  /// Filters of a group of panels and a chunk of those that are summed up, [point][panel][16 · chunk][16]; or their gradient.
  let filters: MutableFloatPointer
  /// M or dV of the group, [point][panel][tile][16].
  let products: MutableFloatPointer
  /// `bufferFloats`, then `carryFloats`.
  let buffer: MutableFloatPointer
}

/// The matrix that is multiplied by the filters.
private struct PassingSource {
  /// Where its panels begin.
  let table: UnsafePointer<MutableFloatPointer>
  let panels: Int
  /// Floats from point to point.
  let slice: Int
  let zeros: FloatPointer
}

extension Winograd {
  /// Tiles of a batch up to which filters are transformed in passing: then it is a single block, forward and backward. And
  /// floats of the transformed filters from which on: a second-level cache. Not part of the result.
  private static let mostTiles = 64
  private static let fewestFloats = 1 << 18

  /// Whether a batch is better given its filters as they are.
  func transformsInPassing(batch: Int) -> Bool { batch <= mostSamplesInPassing }

  private var mostSamplesInPassing: Int {
    packedCount > Self.fewestFloats ? Self.mostTiles / (rows.tiles * columns.tiles) : 0
  }

  // MARK: Memory

  /// Floats from point to point of a group's filters.
  private var groupSlice: Int { (tilePanels * Self.chunkPanels * rowWidth | 1) * rowWidth }

  private func ownFloats(_ tiles: Int) -> Int {
    points * (groupSlice + slice(panels: tilePanels, tiles: tiles)) + bufferFloats + carryFloats
  }

  private func ownMemory(_ first: MutableFloatPointer, _ tiles: Int) -> PassingMemory {
    let products = first + points * groupSlice
    return PassingMemory(
      filters: first, products: products, buffer: products + points * slice(panels: tilePanels, tiles: tiles))
  }

  /// For this batch or any smaller one.
  func forwardScratchInPassing(batch: Int, threads: Int) -> Int {
    let tiles = min(batch, mostSamplesInPassing) * rows.tiles * columns.tiles
    guard tiles > 0 else { return 0 }
    return rowWidth + points * slice(panels: inputPanels, tiles: tiles) + tableFloats(inputPanels)
      + threads * ownFloats(tiles)
  }

  func backwardScratchInPassing(batch: Int, threads: Int) -> Int {
    let tiles = min(batch, mostSamplesInPassing) * rows.tiles * columns.tiles
    guard tiles > 0 else { return 0 }
    return rowWidth + points * (slice(panels: inputPanels, tiles: tiles) + slice(panels: outputPanels, tiles: tiles))
      + tableFloats(outputPanels) + threads * ownFloats(tiles)
  }

  /// The panels of a group.
  private func group(_ index: Int, of panels: Int) -> Range<Int> {
    index * tilePanels..<min(panels, (index + 1) * tilePanels)
  }

  // MARK: Forward

  func forwardInPassing(
    _ x: Activation, _ weights: FloatPointer, _ bias: FloatPointer?, into y: PanelTensor, _ moments: Moments?,
    _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let batch = x.tensor.batch, tiles = batch * rows.tiles * columns.tiles
    let (inputPanels, outputPanels) = (inputPanels, outputPanels), block = block(0, batch, batch)
    let dataSlice = slice(panels: inputPanels, tiles: tiles), productSlice = slice(panels: tilePanels, tiles: tiles)
    let data = scratch + rowWidth, table = data + points * dataSlice, own = table + tableFloats(inputPanels)
    let panelFloats = tiles * rowWidth, ownFloats = ownFloats(tiles)
    store(Row.zero, scratch)
    let source = PassingSource(
      table: writeTable(data, panels: inputPanels, panelFloats: panelFloats, at: table), panels: inputPanels,
      slice: dataSlice, zeros: FloatPointer(scratch))
    @inline(__always) func memory(_ own: PassingMemory) -> ForwardMemory {
      ForwardMemory(
        data: data, dataSlice: dataSlice, products: own.products, productSlice: productSlice, panelFloats: panelFloats,
        table: table, buffer: own.buffer, zeros: source.zeros)
    }
    pool.forEach(inputPanels) { panel, thread in
      transformInput(x, block, panel, memory(ownMemory(own + thread * ownFloats, tiles)))
    }
    pool.forEach(dividedUp(outputPanels, tilePanels)) { item, thread in
      let own = ownMemory(own + thread * ownFloats, tiles), group = group(item, of: outputPanels)
      multiply(source, block, group, productSlice: productSlice, panelFloats: panelFloats, own) {
        packPanels(weights, (input: $1, output: $0), into: $2, slice: groupSlice)
      }
      synthesize(0, block, group, bias, into: y, moments, memory(own))
    }
  }

  /// The products of all tiles for a group of panels.
  ///
  /// - Parameter pack: writes the filters of one of these and one of the source's panels, `groupSlice` from point to point.
  @inline(__always)
  private func multiply(
    _ source: PassingSource, _ block: WinogradBlock, _ group: Range<Int>, productSlice: Int, panelFloats: Int,
    _ own: PassingMemory, pack: (_ panel: Int, _ summed: Int, MutableFloatPointer) -> Void
  ) {
    let matrix = rowWidth * rowWidth, chunks = dividedUp(source.panels, Self.chunkPanels)
    for chunk in 0..<chunks {
      let summed = source.panels * chunk / chunks..<source.panels * (chunk + 1) / chunks
      for panel in group {
        let filters = own.filters + (panel - group.lowerBound) * summed.count * matrix
        for other in summed { pack(panel, other, filters + (other - summed.lowerBound) * matrix) }
      }
      for point in 0..<points {
        let tiles = range(point, block), firstRow = tiles.lowerBound * rowWidth
        let filters = FloatPointer(own.filters) + point * groupSlice
        let target = own.products + point * productSlice + firstRow
        @inline(__always) func columns(_ panel: Int) -> ProductColumns {
          ProductColumns(
            weights: filters + panel * summed.count * matrix, start: source.zeros, output: target + panel * panelFloats)
        }
        productBlock(
          source.table + summed.lowerBound, summed.count, offset: point * source.slice + firstRow, rows: tiles.count,
          columns(0), and: group.count > 1 ? columns(1) : nil, adding: chunk > 0)
      }
    }
  }

  // MARK: Backward

  func backwardInPassing(
    _ x: Activation, _ dy: PanelTensor, _ weights: FloatPointer, into oihw: MutableFloatPointer?, dx: PanelTensor?,
    accumulate: Bool, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let batch = dy.batch, tiles = batch * rows.tiles * columns.tiles, ownFloats = ownFloats(tiles)
    let (inputPanels, outputPanels) = (inputPanels, outputPanels)
    let (memory, own) = backwardMemory(samples: batch, scratch), block = block(0, batch, batch)
    let segments = segments(batch * (inputPanels + outputPanels), pool.threads)
    let gradientItems = batch * segments * outputPanels, dataItems = oihw == nil ? 0 : batch * segments * inputPanels
    pool.forEach(gradientItems + dataItems) { item, thread in
      let buffer = ownMemory(own + thread * ownFloats, tiles).buffer
      if item < gradientItems {
        transformGradient(dy, block, item, segments: segments, memory, buffer)
      } else {
        transformData(x, block, item - gradientItems, segments: segments, memory, buffer)
      }
    }
    let source = PassingSource(
      table: memory.table, panels: outputPanels, slice: memory.productSlice, zeros: memory.zeros)
    let productSlice = slice(panels: tilePanels, tiles: tiles)
    let filterItems = oihw == nil ? 0 : dividedUp(outputPanels, tilePanels)
    let inputItems = dx == nil ? 0 : dividedUp(inputPanels, tilePanels)
    pool.forEach(filterItems + inputItems) { item, thread in
      let own = ownMemory(own + thread * ownFloats, tiles)
      if item < filterItems, let oihw {
        sumFilters(block, group(item, of: outputPanels), into: oihw, memory, own.filters)
      } else if let dx {
        let group = group(item - filterItems, of: inputPanels)
        multiply(source, block, group, productSlice: productSlice, panelFloats: memory.panelFloats, own) {
          packTransposedPanels(weights, (input: $0, output: $1), into: $2, slice: groupSlice)
        }
        for panel in group {
          for sample in 0..<batch {
            synthesizeInputGradient(
              own.products + (panel - group.lowerBound) * memory.panelFloats, slice: productSlice, block,
              strips: sample * rows.tiles..<(sample + 1) * rows.tiles, accumulate: accumulate,
              into: dx.panel(panel) + sample * rows.input * columns.input * rowWidth, buffer: own.buffer)
          }
        }
      }
    }
  }

  /// The filters' gradient of a group of output panels, one input panel at a time.
  private func sumFilters(
    _ block: WinogradBlock, _ group: Range<Int>, into oihw: MutableFloatPointer, _ memory: BackwardMemory,
    _ filters: MutableFloatPointer
  ) {
    let matrix = rowWidth * rowWidth
    for input in 0..<inputPanels {
      for point in 0..<points {
        let tiles = range(point, block), target = filters + point * groupSlice
        let chunks = max(1, dividedUp(tiles.count, Self.chunkTiles))
        for chunk in 0..<chunks {
          let first = tiles.count * chunk / chunks, rows = tiles.count * (chunk + 1) / chunks - first
          let row = (tiles.lowerBound + first) * rowWidth
          let data = FloatPointer(memory.data) + point * memory.dataSlice + input * memory.panelFloats + row
          let gradient =
            FloatPointer(memory.products) + point * memory.productSlice + group.lowerBound * memory.panelFloats + row
          outerProductBlock(
            data, gradient, rows: rows, accumulate: chunk > 0, into: target,
            and: group.count > 1 ? (gradient + memory.panelFloats, target + matrix) : nil)
        }
      }
      for output in group {
        writeGradient(
          FloatPointer(filters) + (output - group.lowerBound) * matrix, slice: groupSlice,
          (input: input, output: output), into: oihw)
      }
    }
  }
}
