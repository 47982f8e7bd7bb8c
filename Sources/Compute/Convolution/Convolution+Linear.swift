// A linear layer over all pixels of a small map: one window a sample. It is a matrix product whose weights are much larger
// than all else. They are read from memory once, where they lie, [output][channel][pixel], and never transposed: forwards
// the lanes of a register are samples, and backwards neighbours of a row of weights.

extension Convolution {
  /// Whether it is computed so: one window without padding that covers the input.
  public var isLinear: Bool { Self.isLinear(geometry, inputHeight: inputHeight, inputWidth: inputWidth) }

  static func isLinear(_ geometry: ConvolutionGeometry, inputHeight: Int, inputWidth: Int) -> Bool {
    geometry.kernelHeight == inputHeight && geometry.kernelWidth == inputWidth && geometry.paddingHeight == 0
      && geometry.paddingWidth == 0 && geometry.inputChannels >= rowWidth
  }

  /// Pixels of the window.
  var area: Int { inputHeight * inputWidth }
  /// Values of a sample, and so of an output's weights.
  var values: Int { geometry.inputChannels * area }
  /// Input panels whose weights are taken together.
  private var chunkPanels: Int { area == 1 ? rowWidth : 1 }
  /// And pixels of them.
  private var chunkPixels: Int { min(area, rowWidth) }

  func linearScratch(batch: Int, threads: Int) -> Int {
    let groups = dividedUp(batch, rowWidth), block = rowWidth * rowWidth
    let own = max(groups * block, linearBackwardFloats(batch: batch))
    return forwardPass.inputPanels * area * groups * block + threads * own
  }

  /// Writes the samples as columns: [16 samples each][panel][pixel][channel][sample].
  private func transpose(_ x: Activation, into target: MutableFloatPointer, _ pool: ThreadPool) {
    let batch = x.tensor.batch, area = self.area, features = forwardPass.inputPanels * area
    pool.forEach(features * dividedUp(batch, rowWidth)) { item, _ in
      let feature = item % features, first = item / features * rowWidth, panel = feature / area
      let normalization = x.normalization?.panel(panel)
      let source = FloatPointer(x.tensor.panel(panel)) + (first * area + feature % area) * rowWidth
      let samples = min(rowWidth, batch - first)
      withTransposeBlock { rows in
        for sample in 0..<samples {
          copyRows(source + sample * area * rowWidth, 1, normalization: normalization, into: rows + sample * rowWidth)
        }
        clearRows(rows + samples * rowWidth, rowWidth - samples)
        transpose16(rows, rowWidth, into: target + item * rowWidth * rowWidth, rowWidth)
      }
    }
  }

  func linearForward(
    _ x: Activation, _ weights: FloatPointer, bias: FloatPointer?, into y: PanelTensor, moments: Moments?,
    _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let batch = y.batch, blockSamples = forwardPass.blockPixels
    let groups = dividedUp(batch, rowWidth), block = rowWidth * rowWidth
    transpose(x, into: scratch, pool)
    let own = scratch + forwardPass.inputPanels * area * groups * block
    let ownFloats = groups * block
    pool.forEach(y.panels) { panel, thread in
      let sums = own + thread * ownFloats
      for index in 0..<rowWidth {
        let start = Row(repeating: bias.map { $0[panel * rowWidth + index] } ?? 0)
        for group in 0..<groups { store(start, sums + group * block + index * rowWidth) }
      }
      addProducts(FloatPointer(scratch), groups, weights, output: panel, to: sums)
      withTransposeBlock { rows in
        for group in 0..<groups {
          transpose16(sums + group * block, rowWidth, into: rows, rowWidth)
          copyRows(rows, min(rowWidth, batch - group * rowWidth), into: y.panel(panel) + group * block)
        }
      }
      guard let moments else { return }
      for block in 0..<moments.blocks {
        let first = block * blockSamples
        moments.gather(
          FloatPointer(y.panel(panel)) + first * rowWidth, min(blockSamples, batch - first), block: block, panel: panel)
      }
    }
  }

  /// Adds all products of an output panel: [16 samples each][output][sample].
  private func addProducts(
    _ x: FloatPointer, _ groups: Int, _ weights: FloatPointer, output panel: Int, to sums: MutableFloatPointer
  ) {
    let inputPanels = forwardPass.inputPanels, area = self.area, block = rowWidth * rowWidth
    let outputs = min(rowWidth, geometry.outputChannels - panel * rowWidth)
    let rows = weights + panel * rowWidth * values
    for first in stride(from: 0, to: inputPanels, by: chunkPanels) {
      let end = min(inputPanels, first + chunkPanels), part = rows + first * rowWidth * area
      let channels = min(geometry.inputChannels, end * rowWidth) - first * rowWidth
      // What comes after these panels: more of them, or those of the following outputs.
      let next = end < inputPanels ? part + channels * area : rows + rowWidth * values
      for pixel in stride(from: 0, to: area, by: chunkPixels) {
        let pixels = min(chunkPixels, area - pixel)
        for group in 0..<groups {
          linearBlock(
            LinearWeights(
              rows: part + pixel, outputs: outputs, channels: channels, area: area, pixels: area == 1 ? nil : pixels,
              stride: values, next: group == 0 ? next + pixel * rowWidth : nil),
            x + ((group * inputPanels + first) * area + pixel) * block, into: sums + group * block)
        }
      }
    }
    guard geometry.inputChannels % rowWidth != 0 else { return }
    // The products of the last panel's missing channels, 0 each, have a place in the sum: they make −0 a 0.
    for row in 0..<groups * rowWidth { store(load(sums + row * rowWidth) + Row.zero, sums + row * rowWidth) }
  }
}
