extension PointwiseConvolution {
  // MARK: Packing

  /// Writes one convolution's weights in the order that `forward` reads: [output panel][input channel][16 outputs].
  ///
  /// - Parameter weights: [outputChannels, inputChannels].
  public func pack(
    _ weights: UnsafePointer<Float>, part: Int, into packed: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    let inputPanels = self.inputPanels, inputs = inputChannels, outputs = outputChannels[part]
    let target = packed + firstPanels[part] * inputPanels * rowWidth * rowWidth
    pool.forEach(dividedUp(outputs, rowWidth)) { panel, _ in
      for input in 0..<inputPanels {
        transposeBlock(
          weights + (panel * rowWidth * inputs + input * rowWidth), inputs,
          rows: min(rowWidth, outputs - panel * rowWidth),
          columns: min(rowWidth, inputs - input * rowWidth),
          into: target + (panel * inputPanels + input) * rowWidth * rowWidth)
      }
    }
  }

  /// Writes one convolution's weights in the order that `backward` reads: [input panel][output channel][16 inputs].
  ///
  /// - Parameter weights: [outputChannels, inputChannels].
  public func packTransposed(
    _ weights: UnsafePointer<Float>, part: Int, into packed: UnsafeMutablePointer<Float>, pool: ThreadPool
  ) {
    let inputPanels = self.inputPanels, outputPanels = self.outputPanels
    let inputs = inputChannels, outputs = outputChannels[part], rows = dividedUp(outputs, rowWidth) * rowWidth
    let first = firstPanels[part] * rowWidth * rowWidth
    pool.forEach(inputPanels) { panel, _ in
      let target = packed + panel * outputPanels * rowWidth * rowWidth + first
      let columns = min(rowWidth, inputs - panel * rowWidth)
      for output in 0..<rows {
        let row = target + output * rowWidth
        guard output < outputs else {
          store(Row.zero, row)
          continue
        }
        let source = weights + output * inputs + panel * rowWidth
        if columns == rowWidth {
          store(load(source), row)
        } else {
          for lane in 0..<rowWidth { row[lane] = lane < columns ? source[lane] : 0 }
        }
      }
    }
  }

  /// Transposes up to 16 × 16 floats into rows of 16, with zeros where there are none.
  private func transposeBlock(
    _ source: FloatPointer, _ stride: Int, rows: Int, columns: Int, into target: MutableFloatPointer
  ) {
    if rows == rowWidth && columns == rowWidth { return transpose16(source, stride, into: target, rowWidth) }
    for column in 0..<rowWidth {
      for row in 0..<rowWidth {
        target[column * rowWidth + row] = row < rows && column < columns ? source[row * stride + column] : 0
      }
    }
  }

  // MARK: Gradient

  /// Pixels that are summed in registers before they are added to the gradient. Part of the result: a constant.
  private static let chunkPixels = 192
  /// The pixels are cut into parts whose sums are added in their order: a few, so that each thread reads some pixels once and
  /// not all of them for some blocks of the gradient; or, with fewer 16 × 16 blocks than can keep threads busy, many. Parts
  /// are large beside what their sums cost to write and to read. Part of the result: constants.
  private static let fewestBlocks = 16
  private static let mostParts = 4
  private static let fewestPixels = 512
  private static let partPixels = 12 * chunkPixels

  private var blockCount: Int { inputPanels * outputPanels }

  private func partCount(_ pixels: Int) -> Int {
    if blockCount < Self.fewestBlocks { return dividedUp(pixels, Self.partPixels) }
    var parts = Self.mostParts
    while parts > 1 && pixels < parts * Self.fewestPixels { parts /= 2 }
    return parts
  }

  func gradientScratch(pixels: Int, threads: Int) -> Int {
    let copies = threads * inputPanels * Self.chunkPixels * rowWidth
    return copies + partCount(pixels) * packedCount
  }

  /// The gradients with respect to the weights, each [outputChannels, inputChannels].
  ///
  /// A thread takes some 16 × 16 blocks of the gradient over a part of the pixels, and goes through them chunk by chunk, so
  /// that a chunk is read from memory once for all blocks.
  func sumWeightGradients(
    _ x: Activation, _ gradients: PanelTable, _ flat: MutableFloatPointer, _ offsets: [Int?],
    _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let pixels = x.tensor.pixels, inputPanels = self.inputPanels, outputPanels = self.outputPanels
    let parts = partCount(pixels), packedCount = self.packedCount
    let sums = scratch + pool.threads * inputPanels * Self.chunkPixels * rowWidth
    let (inputGroups, outputGroups) = groups(wanted: pool.threads == 1 ? 1 : dividedUp(2 * pool.threads, parts))
    pool.forEach(parts * inputGroups * outputGroups) { item, thread in
      let part = item / (inputGroups * outputGroups), group = item % (inputGroups * outputGroups)
      let inputGroup = group / outputGroups, outputGroup = group % outputGroups
      let inputs = inputPanels * inputGroup / inputGroups..<inputPanels * (inputGroup + 1) / inputGroups
      let outputs = outputPanels * outputGroup / outputGroups..<outputPanels * (outputGroup + 1) / outputGroups
      let copies = scratch + thread * inputPanels * Self.chunkPixels * rowWidth
      let start = pixels * part / parts, countOfPart = pixels * (part + 1) / parts - start
      let chunks = dividedUp(countOfPart, Self.chunkPixels)
      for chunk in 0..<chunks {
        let first = start + countOfPart * chunk / chunks
        let count = start + countOfPart * (chunk + 1) / chunks - first
        @inline(__always) func source(_ input: Int) -> FloatPointer {
          let rows = FloatPointer(x.tensor.panel(input)) + first * rowWidth
          guard let normalization = x.normalization else { return rows }
          let copy = copies + (input - inputs.lowerBound) * Self.chunkPixels * rowWidth
          copyRows(rows, count, normalization: normalization.panel(input), into: copy)
          return FloatPointer(copy)
        }
        for input in stride(from: inputs.lowerBound, to: inputs.upperBound, by: tilePanels) {
          let end = min(inputs.upperBound, input + tilePanels), rows = source(input)
          let others = end - input > 1 ? source(input + 1) : nil
          for output in outputs where offsets[convolution(ofPanel: output)] != nil {
            let block = sums + part * packedCount + (output * inputPanels + input) * rowWidth * rowWidth
            outerProductBlock(
              FloatPointer(gradients.pointers[output]) + first * rowWidth, rows, rows: count,
              accumulate: chunk > 0, into: block, and: others.map { ($0, block + rowWidth * rowWidth) })
            guard parts == 1 && chunk == chunks - 1 else { continue }
            for panel in input..<end {
              unpack(block + (panel - input) * rowWidth * rowWidth, output: output, input: panel, flat, offsets)
            }
          }
        }
      }
    }
    guard parts > 1 else { return }
    pool.forEach(outputPanels * inputPanels) { item, _ in
      let block = sums + item * rowWidth * rowWidth
      guard offsets[convolution(ofPanel: item / inputPanels)] != nil else { return }
      for part in 1..<parts {
        for row in 0..<rowWidth {
          let target = block + row * rowWidth
          store(load(target) + load(target + part * packedCount), target)
        }
      }
      unpack(block, output: item / inputPanels, input: item % inputPanels, flat, offsets)
    }
  }

  /// How many groups input and output panels are cut into, so that a pair of them is an item. Not part of the result.
  ///
  /// Each group of inputs reads all the gradients, and each group of outputs all of x: the cut with the least traffic.
  private func groups(wanted: Int) -> (inputs: Int, outputs: Int) {
    var best = (inputs: 1, outputs: 1), least = Int.max
    for inputs in 1...min(wanted, inputPanels) {
      let outputs = min(outputPanels, dividedUp(wanted, inputs))
      // What is missing to the wanted number of items counts as if each read everything once more.
      let missing = max(0, wanted - inputs * outputs)
      let traffic = inputs * outputPanels + outputs * inputPanels + missing * (inputPanels + outputPanels)
      if traffic < least { (best, least) = ((inputs, outputs), traffic) }
    }
    return best
  }

  /// The convolution that an output panel is one of.
  private func convolution(ofPanel panel: Int) -> Int {
    var part = 0
    while part + 1 < firstPanels.count && firstPanels[part + 1] <= panel { part += 1 }
    return part
  }

  /// Writes a block, [16 outputs][16 inputs], where it belongs.
  private func unpack(
    _ block: FloatPointer, output panel: Int, input: Int, _ flat: MutableFloatPointer, _ offsets: [Int?]
  ) {
    let part = convolution(ofPanel: panel)
    guard let offset = offsets[part] else { return }
    let firstOutput = (panel - firstPanels[part]) * rowWidth
    let columns = min(rowWidth, inputChannels - input * rowWidth)
    let target = flat + offset + firstOutput * inputChannels + input * rowWidth
    for row in 0..<min(rowWidth, outputChannels[part] - firstOutput) {
      let source = block + row * rowWidth, line = target + row * inputChannels
      if columns == rowWidth {
        store(load(source), line)
      } else {
        for column in 0..<columns { line[column] = source[column] }
      }
    }
  }
}
