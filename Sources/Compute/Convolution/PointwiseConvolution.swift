/// 1×1 convolutions with stride 1 that read the same tensor, as one matrix product: pixels × input channels times input
/// channels × the output channels of all of them. A linear layer is one over a single pixel.
///
/// Panels are read and written where they lie. Only what is normalised is copied first, block by block, because each value
/// is read once for every output panel. Every output element has one thread that computes it and one order of summation.
public struct PointwiseConvolution: Sendable {
  /// Channels that all of them read.
  public let inputChannels: Int
  /// Channels that each of them writes.
  public let outputChannels: [Int]
  /// Panels of all outputs, one convolution after the other.
  public let outputPanels: Int
  let inputPanels: Int
  /// Pixels of a sample.
  private let area: Int
  /// The first output panel of each.
  let firstPanels: [Int]

  /// Pixels of a block: few enough that its panels stay in the second-level cache; measured in the prototype of this
  /// design, where anything from 48 to 288 was within 3 %. Blocks are what moments are gathered of: a constant.
  static let blockPixels = 96
  /// Panels up to which the next block is asked for while the copies of one are multiplied: 192 KiB together.
  private static let mostPrefetchedPanels = 16
  /// Input panels that are accumulated before the next output panels are begun: the weights of a tile's panels stay within
  /// half of a first-level cache.
  private static let panelsPerRun = 18 / tilePanels

  /// Plans the product for an input of one height and width; the batch may be any.
  public init(inputChannels: Int, outputChannels: [Int], height: Int, width: Int) {
    require(
      inputChannels > 0 && !outputChannels.isEmpty && outputChannels.allSatisfy { $0 > 0 }, "a convolution has channels"
    )
    require(height > 0 && width > 0, "a convolution's input has pixels")
    (self.inputChannels, self.outputChannels) = (inputChannels, outputChannels)
    inputPanels = dividedUp(inputChannels, rowWidth)
    area = height * width
    var firstPanels: [Int] = [], panels = 0
    for channels in outputChannels {
      firstPanels.append(panels)
      panels += dividedUp(channels, rowWidth)
    }
    (self.firstPanels, outputPanels) = (firstPanels, panels)
  }

  /// Floats of the packed weights of all of them, transposed or not.
  public var packedCount: Int { inputPanels * outputPanels * rowWidth * rowWidth }

  /// Blocks of `Moments` that `forward` gathers.
  public func momentBlocks(batch: Int) -> Int { dividedUp(batch * area, Self.blockPixels) }

  /// Floats of scratch that any call needs.
  public func scratchCount(batch: Int, threads: Int) -> Int {
    max(
      rowWidth + tableFloats(threads) + threads * inputPanels * Self.blockPixels * rowWidth,
      gradientScratch(pixels: batch * area, threads: threads))
  }

  // MARK: Forward

  /// y = weights ⋆ x + bias, for all of them.
  ///
  /// - Parameters:
  ///   - weights: as `pack` wrote them.
  ///   - bias: [16 · outputPanels], zero where there is none; nil for none at all.
  ///   - outputs: the panels of their outputs, one convolution after the other.
  ///   - moments: where those of all output panels are recorded, if anybody wants them.
  ///   - scratch: `scratchCount` floats, their contents lost.
  public func forward(
    _ x: Activation, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>?, into outputs: PanelTable,
    moments: Moments? = nil, scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    check(x.tensor)
    require(outputs.count == outputPanels, "a product writes all its panels")
    let pixels = x.tensor.pixels, inputPanels = self.inputPanels, outputPanels = self.outputPanels
    let tables = scratch + rowWidth, tableFloats = self.tableFloats(1)
    let copies = tables + pool.threads * tableFloats, copyFloats = inputPanels * Self.blockPixels * rowWidth
    store(Row.zero, scratch)
    let zeros = FloatPointer(scratch)
    let blocks = dividedUp(pixels, Self.blockPixels), groups = groupCount(blocks, outputPanels, pool.threads)
    pool.forEach(blocks * groups) { item, thread in
      let first = item / groups * Self.blockPixels, count = min(Self.blockPixels, pixels - first)
      let inputs = Self.table(tables + thread * tableFloats), sources = inputs + inputPanels
      for panel in 0..<inputPanels {
        sources[panel] = x.tensor.panel(panel) + first * rowWidth
        inputs[panel] = sources[panel]
        guard let normalization = x.normalization else { continue }
        let copy = copies + thread * copyFloats + panel * Self.blockPixels * rowWidth
        copyRows(sources[panel], count, normalization: normalization.panel(panel), into: copy)
        inputs[panel] = copy
      }
      let panels = Self.part(item % groups, of: groups, outputPanels)
      Self.multiply(
        inputs, inputPanels, offset: 0, rows: count, weights, panels, of: outputPanels,
        prefetches: prefetches(sources, areCopied: x.normalization != nil)
      ) { panel in
        (bias.map { $0 + panel * rowWidth } ?? zeros, outputs.pointers[panel] + first * rowWidth)
      } finished: { panel, rows in
        moments?.gather(rows, count, block: item / groups, panel: panel)
      }
    }
  }

  // MARK: Backward

  /// The gradients with respect to the weights and to the input.
  ///
  /// - Parameters:
  ///   - gradients: the panels of their outputs' gradients, one convolution after the other.
  ///   - weights: as `packTransposed` wrote them; not read if no `dx` is wanted.
  ///   - flat, offsets: where each one's gradient [outputChannels, inputChannels] goes; overwritten; nil for those that
  ///     nobody wants, whose outputs' gradients are then read for `dx` alone.
  ///   - dx: overwritten, or added to if `accumulate`; nil if nobody wants it.
  ///   - scratch: `scratchCount` floats, their contents lost.
  public func backward(
    _ x: Activation, _ gradients: PanelTable, weights: UnsafePointer<Float>?,
    into flat: UnsafeMutablePointer<Float>, at offsets: [Int?], dx: PanelTensor?, accumulate: Bool,
    scratch: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    check(x.tensor)
    require(gradients.count == outputPanels, "a product has gradients of all its panels")
    require(offsets.count == outputChannels.count, "each convolution's gradient has a place")
    if offsets.contains(where: { $0 != nil }) { sumWeightGradients(x, gradients, flat, offsets, scratch, pool) }
    guard let dx else { return }
    guard let weights else { fatalError("the gradient of the input is made of the weights") }
    check(dx)
    let pixels = dx.pixels, inputPanels = self.inputPanels, outputPanels = self.outputPanels
    store(Row.zero, scratch)
    let start = accumulate ? nil : FloatPointer(scratch)
    let blocks = dividedUp(pixels, Self.blockPixels), groups = groupCount(blocks, inputPanels, pool.threads)
    pool.forEach(blocks * groups) { item, _ in
      let offset = item / groups * Self.blockPixels * rowWidth
      Self.multiply(
        gradients.pointers, outputPanels, offset: offset, rows: min(Self.blockPixels, pixels - offset / rowWidth),
        weights, Self.part(item % groups, of: groups, inputPanels), of: inputPanels, prefetches: ProductPrefetches()
      ) {
        (start, dx.panel($0) + offset)
      } finished: { _, _ in
      }
    }
  }

  // MARK: The product

  /// Some output panels of a block of rows.
  ///
  /// - Parameters:
  ///   - allPanels: how many output panels there are weights of.
  ///   - prefetches: what is asked for with the first output panel. Gradients were just written: to ask for them made it no
  ///     faster.
  ///   - output: for each panel, what its sums start from (nil for what is there), and its first row.
  ///   - finished: called with each panel when it has its final values, while its rows are in the cache.
  @inline(__always)
  private static func multiply(
    _ inputs: UnsafePointer<MutableFloatPointer>, _ inputPanels: Int, offset: Int, rows: Int, _ weights: FloatPointer,
    _ panels: Range<Int>, of allPanels: Int, prefetches: ProductPrefetches,
    output: (_ panel: Int) -> (start: FloatPointer?, first: MutableFloatPointer),
    finished: (_ panel: Int, _ rows: FloatPointer) -> Void
  ) {
    let runs = dividedUp(inputPanels, panelsPerRun)
    for run in 0..<runs {
      let depth = part(run, of: runs, inputPanels)
      @inline(__always) func weightsOfRun(_ panel: Int) -> FloatPointer {
        weights + (panel * inputPanels + depth.lowerBound) * rowWidth * rowWidth
      }
      @inline(__always) func columns(_ panel: Int) -> ProductColumns {
        let (start, first) = output(panel)
        return ProductColumns(
          weights: weightsOfRun(panel), start: run > 0 ? nil : start, output: first)
      }
      for panel in stride(from: panels.lowerBound, to: panels.upperBound, by: tilePanels) {
        let end = min(panels.upperBound, panel + tilePanels)
        productBlock(
          inputs + depth.lowerBound, depth.count, offset: offset, rows: rows, columns(panel),
          and: end - panel > 1 ? columns(panel + 1) : nil,
          prefetches: ProductPrefetches(
            rows: panel == panels.lowerBound ? prefetches.rows.map { $0 + depth.lowerBound } : nil,
            distance: prefetches.distance, weights: end < allPanels ? weightsOfRun(end) : nil))
        guard run == runs - 1 else { continue }
        for panel in panel..<end { finished(panel, FloatPointer(output(panel).first)) }
      }
    }
  }

  /// One of several nearly equal parts of some panels.
  private static func part(_ index: Int, of parts: Int, _ panels: Int) -> Range<Int> {
    panels * index / parts..<panels * (index + 1) / parts
  }

  /// Parts of the output panels that are items of their own, so that all threads have work. Not part of the result.
  private func groupCount(_ blocks: Int, _ panels: Int, _ threads: Int) -> Int {
    threads == 1 ? 1 : min(panels, dividedUp(4 * threads, max(1, blocks)))
  }

  /// The rows that come next: of what is multiplied where it lies, those of the next tile; of what is copied, those of the
  /// next block, if they leave the second-level cache room for the copies.
  private func prefetches(
    _ sources: UnsafeMutablePointer<MutableFloatPointer>, areCopied: Bool
  ) -> ProductPrefetches {
    ProductPrefetches(
      rows: areCopied && inputPanels > Self.mostPrefetchedPanels ? nil : UnsafePointer(sources),
      distance: areCopied ? Self.blockPixels : mostTileRows)
  }

  /// Floats that hold the addresses of the input panels for each thread, and those of what they may be copies of.
  private func tableFloats(_ threads: Int) -> Int { threads * dividedUp(4 * inputPanels, rowWidth) * rowWidth }

  private static func table(_ scratch: MutableFloatPointer) -> UnsafeMutablePointer<MutableFloatPointer> {
    UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: MutableFloatPointer.self)
  }

  private func check(_ x: PanelTensor) {
    require(
      x.channels == inputChannels && x.height * x.width == area, "a product's tensors have the shape it was planned for"
    )
  }
}
