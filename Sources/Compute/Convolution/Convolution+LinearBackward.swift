/// Some input panels of a linear layer, whose gradients are summed together.
private struct LinearPart {
  let inputs: Range<Int>
  /// The first of the panels' values, and how many they are.
  let firstValue, count: Int
  /// A thread's memory: what was made of x, sums of dx, both [16 values each][sample][16], and what is at work.
  let copy, sums, spare: MutableFloatPointer
  /// A thread's memory for sums of the gradient with respect to the weights.
  let gradient: MutableFloatPointer
  /// Floats of 16 values.
  let blockFloats: Int

  /// The values that are whole blocks, and those left over in the last panel of all.
  var blocks: Int { count / rowWidth }
  var rest: Int { count % rowWidth }
}

extension Convolution {
  /// Samples that are summed in registers before they are added to a gradient. Part of the result: a constant.
  private static let chunkSamples = 192
  /// Values of a sample, about, whose gradients are summed together: as long a run as there is in each row of weights.
  private static let partValues = 128

  private var partPanels: Int { max(1, Self.partValues / (rowWidth * area)) }

  /// Floats of each thread's memory.
  func linearBackwardFloats(batch: Int) -> Int {
    LinearGradient.floats + 2 * partPanels * area * batch * rowWidth + max(2 * area, rowWidth) * rowWidth
  }

  func linearBackward(
    _ x: Activation, _ dy: PanelTensor, weights: FloatPointer?, into oihw: MutableFloatPointer?,
    bias: MutableFloatPointer?, dx: PanelTensor?, accumulate: Bool, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let batch = dy.batch, ownFloats = linearBackwardFloats(batch: batch)
    let inputPanels = forwardPass.inputPanels, outputPanels = forwardPass.outputPanels
    // Of many threads, each gets a shorter run.
    let together = max(1, min(partPanels, inputPanels / (2 * pool.threads)))
    let weights = dx == nil ? nil : weights
    let items = dividedUp(inputPanels, together)
    pool.forEach(items) { item, thread in
      let inputs = item * together..<min(inputPanels, (item + 1) * together)
      let firstValue = inputs.lowerBound * area * rowWidth, blockFloats = batch * rowWidth
      let gradient = scratch + thread * ownFloats, own = gradient + LinearGradient.floats
      let partFloats = together * area * blockFloats
      let part = LinearPart(
        inputs: inputs, firstValue: firstValue, count: min(values - firstValue, inputs.count * area * rowWidth),
        copy: own, sums: own + partFloats, spare: own + 2 * partFloats, gradient: gradient,
        blockFloats: blockFloats)
      if oihw != nil { flatten(x, part) }
      if dx != nil { clearRows(part.sums, inputs.count * area * batch) }
      // One panel of outputs after the other. With more at once, and the next ones' lines fetched, too many lines of rows
      // whose distance is a power of two would share their places in the caches.
      for panel in 0..<outputPanels {
        if let bias, panel % items == item { sumBiasGradient(dy, panel, into: bias) }
        if let oihw { sumLinearGradient(part, dy, panel, into: oihw, weights) }
        if let weights { addInputGradient(part, dy, panel, weights) }
      }
      if let dx { unflatten(part, into: dx, accumulate: accumulate) }
    }
  }

  /// The gradient with respect to the weights between a part and an output panel.
  private func sumLinearGradient(
    _ part: LinearPart, _ dy: PanelTensor, _ panel: Int, into oihw: MutableFloatPointer, _ weights: FloatPointer?
  ) {
    let firstRow = panel * rowWidth, outputs = min(rowWidth, geometry.outputChannels - firstRow)
    let blocks = dividedUp(part.count, rowWidth)
    // What the thread does next: the following outputs, or the following part.
    let ahead = panel + 1 < forwardPass.outputPanels ? rowWidth * values : part.count - firstRow * values
    for run in stride(from: 0, to: blocks, by: LinearGradient.values / rowWidth) {
      let end = min(blocks, run + LinearGradient.values / rowWidth)
      for block in stride(from: run, to: end, by: tilePanels) {
        let place = firstRow * values + part.firstValue + block * rowWidth
        sumBlocks(
          part, dy, panel, outputs, block: block, isPair: block + 1 < end,
          LinearGradient(
            rows: part.gradient + (block - run) * rowWidth, nextWeights: weights.map { $0 + place + ahead },
            weightStride: values))
      }
      // Not before a line is whole: written piece by piece, it would be read from memory first.
      let first = part.firstValue + run * rowWidth, count = min(part.count, end * rowWidth) - run * rowWidth
      for row in 0..<outputs {
        streamFloats(
          part.gradient + row * LinearGradient.stride, count, into: oihw + (firstRow + row) * values + first)
      }
    }
  }

  /// That of one or two blocks of 16 values and of an output panel.
  @inline(__always)
  private func sumBlocks(
    _ part: LinearPart, _ dy: PanelTensor, _ panel: Int, _ outputs: Int, block: Int, isPair: Bool,
    _ gradient: LinearGradient
  ) {
    for first in stride(from: 0, to: dy.batch, by: Self.chunkSamples) {
      let x = FloatPointer(part.copy) + block * part.blockFloats + first * rowWidth
      linearGradientBlock(
        FloatPointer(dy.panel(panel)) + first * rowWidth, outputs: outputs, x, and: isPair ? x + part.blockFloats : nil,
        samples: min(Self.chunkSamples, dy.batch - first), adding: first > 0, into: gradient)
    }
  }

  /// Adds an output panel's products to a part's sums of dx.
  private func addInputGradient(_ part: LinearPart, _ dy: PanelTensor, _ panel: Int, _ weights: FloatPointer) {
    let rows = weights + panel * rowWidth * values + part.firstValue, gradient = FloatPointer(dy.panel(panel))
    let outputs = min(rowWidth, geometry.outputChannels - panel * rowWidth)
    for block in stride(from: 0, to: part.blocks, by: tilePanels) {
      let sums = part.sums + block * part.blockFloats
      linearInputBlock(
        gradient, outputs: outputs, rows + block * rowWidth, stride: values, samples: dy.batch, into: sums,
        and: block + 1 < part.blocks ? sums + part.blockFloats : nil)
    }
    guard part.rest > 0 else { return }
    for row in 0..<outputs {
      let target = part.spare + row * rowWidth
      store(Row.zero, target)
      copyFloats(rows + row * values + part.blocks * rowWidth, part.rest, into: target)
    }
    linearInputBlock(
      gradient, outputs: outputs, FloatPointer(part.spare), stride: rowWidth, samples: dy.batch,
      into: part.sums + part.blocks * part.blockFloats)
  }

  /// Copies a part's values, normalised, in the order of the weights.
  private func flatten(_ x: Activation, _ part: LinearPart) {
    let area = self.area, rows = part.spare, ordered = part.spare + area * rowWidth
    for input in part.inputs {
      let normalization = x.normalization?.panel(input)
      let target = part.copy + (input - part.inputs.lowerBound) * area * part.blockFloats
      for sample in 0..<x.tensor.batch {
        let source = FloatPointer(x.tensor.panel(input)) + sample * area * rowWidth
        copyRows(source, area, normalization: normalization, into: rows)
        transposePixels(FloatPointer(rows), into: ordered)
        for block in 0..<area {
          store(load(ordered + block * rowWidth), target + block * part.blockFloats + sample * rowWidth)
        }
      }
    }
  }

  /// Writes a part of dx, or adds to it.
  private func unflatten(_ part: LinearPart, into dx: PanelTensor, accumulate: Bool) {
    let area = self.area, rows = part.spare, ordered = part.spare + area * rowWidth
    // As forwards, missing outputs have a place in the sum.
    let isWhole = geometry.outputChannels % rowWidth == 0
    for input in part.inputs {
      let source = part.sums + (input - part.inputs.lowerBound) * area * part.blockFloats
      for sample in 0..<dx.batch {
        let target = dx.panel(input) + sample * area * rowWidth
        for block in 0..<area {
          let row = load(source + block * part.blockFloats + sample * rowWidth)
          store(isWhole ? row : row + Row.zero, ordered + block * rowWidth)
        }
        transposeChannels(FloatPointer(ordered), into: rows)
        for pixel in 0..<area {
          let row = load(rows + pixel * rowWidth), target = target + pixel * rowWidth
          store(accumulate ? load(target) + row : row, target)
        }
      }
    }
  }

  /// [pixel][16 channels] as [channel][pixel].
  private func transposePixels(_ source: FloatPointer, into target: MutableFloatPointer) {
    let area = self.area, whole = area - area % rowWidth
    for first in stride(from: 0, to: whole, by: rowWidth) {
      transpose16(source + first * rowWidth, rowWidth, into: target + first, area)
    }
    for channel in 0..<rowWidth {
      for pixel in whole..<area { target[channel * area + pixel] = source[pixel * rowWidth + channel] }
    }
  }

  /// And back.
  private func transposeChannels(_ source: FloatPointer, into target: MutableFloatPointer) {
    let area = self.area, whole = area - area % rowWidth
    for first in stride(from: 0, to: whole, by: rowWidth) {
      transpose16(source + first, area, into: target + first * rowWidth, rowWidth)
    }
    for channel in 0..<rowWidth {
      for pixel in whole..<area { target[pixel * rowWidth + channel] = source[channel * area + pixel] }
    }
  }
}
