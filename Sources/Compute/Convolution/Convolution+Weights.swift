extension Convolution {
  /// The gradient with respect to the weights.
  ///
  /// Each element is a sum over blocks of pixels in their order. With many panels a thread owns whole 16 × 16 blocks of
  /// the gradient; with few, it takes a part of the pixels, of a fixed size, and the parts are added in their order.
  func sumWeightGradient(
    _ x: PixelSource, _ dy: PanelTensor, _ oihw: MutableFloatPointer, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    if addsParts {
      addParts(x, dy, oihw, scratch, pool)
    } else {
      ownBlocks(x, dy, oihw, scratch, pool)
    }
  }

  // MARK: Plan

  /// Fewer 16-channel blocks than this cannot keep threads busy, or not evenly. Part of the result: a constant.
  private static let fewestBlocks = 16
  /// Pixels of a part, about. Part of the result: a constant.
  private static let partPixels = 2048

  private var addsParts: Bool { forwardPass.inputPanels * forwardPass.outputPanels < Self.fewestBlocks }

  /// Pixels of a part, a multiple of a block's.
  private var pixelsOfPart: Int {
    max(1, Self.partPixels / forwardPass.blockPixels) * forwardPass.blockPixels
  }

  /// Output panels that a thread takes at a time with one input panel.
  private var groups: Int { min(forwardPass.outputPanels, dividedUp(Self.fewestBlocks, forwardPass.inputPanels)) }

  /// Floats of the gradient's rows for one input and one output panel.
  private var blockFloats: Int { forwardPass.rows.kernel * forwardPass.runLength * rowWidth }

  func weightScratch(batch: Int, threads: Int) -> Int {
    let pass = forwardPass
    if addsParts {
      let parts = dividedUp(pass.gridPixels(batch), pixelsOfPart)
      return threads * pass.blockScratch(panels: pass.inputPanels) + parts * pass.weightCount
    }
    return threads * (pass.blockScratch(panels: 1) + dividedUp(pass.outputPanels, groups) * blockFloats)
  }

  // MARK: Threads

  /// A thread owns the gradient of one input panel and a group of output panels, over all pixels.
  private func ownBlocks(
    _ x: PixelSource, _ dy: PanelTensor, _ oihw: MutableFloatPointer, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let pass = forwardPass, groups = self.groups, blockFloats = self.blockFloats, outputPanels = pass.outputPanels
    let blockScratch = pass.blockScratch(panels: 1)
    let perThread = blockScratch + dividedUp(outputPanels, groups) * blockFloats
    let total = pass.gridPixels(dy.batch)
    pool.forEach(pass.inputPanels * groups) { item, thread in
      let panel = item / groups, group = item % groups
      let outputs = outputPanels * group / groups..<outputPanels * (group + 1) / groups
      let copy = scratch + thread * perThread, sums = copy + blockScratch
      sumBlocks(x, dy, inputs: panel..<panel + 1, outputs, 0..<total, copy) { sums + $1 * blockFloats }
      for output in outputs {
        unpack(sums + (output - outputs.lowerBound) * blockFloats, input: panel, output: output, oihw)
      }
    }
  }

  /// A thread takes all panels over a part of the pixels; then the parts are added.
  private func addParts(
    _ x: PixelSource, _ dy: PanelTensor, _ oihw: MutableFloatPointer, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let pass = forwardPass, blockFloats = self.blockFloats, pixelsOfPart = self.pixelsOfPart
    let blockScratch = pass.blockScratch(panels: pass.inputPanels), weightCount = pass.weightCount
    let total = pass.gridPixels(dy.batch), parts = dividedUp(total, pixelsOfPart)
    let inputPanels = pass.inputPanels
    let sums = scratch + pool.threads * blockScratch
    pool.forEach(parts) { part, thread in
      let start = part * pixelsOfPart, target = sums + part * weightCount
      sumBlocks(
        x, dy, inputs: 0..<inputPanels, 0..<pass.outputPanels, start..<min(total, start + pixelsOfPart),
        scratch + thread * blockScratch
      ) { target + ($1 * inputPanels + $0) * blockFloats }
    }
    pool.forEach(inputPanels * pass.outputPanels) { item, _ in
      let first = sums + item * blockFloats
      for index in stride(from: 0, to: blockFloats, by: rowWidth) {
        var sum = load(first + index)
        for part in 1..<max(1, parts) { sum += load(first + part * weightCount + index) }
        store(sum, first + index)
      }
      unpack(first, input: item % inputPanels, output: item / inputPanels, oihw)
    }
  }

  /// Sums some panels' gradient over a range of pixels, block by block, into where `target` says.
  @inline(__always)
  private func sumBlocks(
    _ x: PixelSource, _ dy: PanelTensor, inputs: Range<Int>, _ outputs: Range<Int>, _ pixels: Range<Int>,
    _ scratch: MutableFloatPointer, target: (_ inputIndex: Int, _ outputIndex: Int) -> MutableFloatPointer
  ) {
    let pass = forwardPass, kernelRows = pass.rows.kernel, length = pass.runLength
    var start = pixels.lowerBound
    while start < pixels.upperBound {
      let block = start..<min(pixels.upperBound, start + pass.blockPixels)
      let prepared = pass.prepare(x, panels: inputs, block: block, scratch: scratch)
      for output in stride(from: outputs.lowerBound, to: outputs.upperBound, by: tilePanels) {
        let hasOther = output + 1 < min(outputs.upperBound, output + tilePanels)
        @inline(__always)
        func gradient(_ panel: Int) -> FloatPointer { FloatPointer(dy.panel(panel)) + start * rowWidth }
        for input in 0..<inputs.count {
          let index = output - outputs.lowerBound, sums = target(input, index)
          let otherSums = hasOther ? target(input, index + 1) : nil
          for row in 0..<kernelRows {
            let first = row * length * rowWidth
            outerBlock(
              prepared.input + pass.runOffset(panel: input, row: row), prepared.lines, gradient(output), rows: length,
              accumulate: start > pixels.lowerBound, sums + first,
              and: otherSums.map { (gradient(output + 1), $0 + first) })
          }
        }
      }
      start = block.upperBound
    }
  }
}
