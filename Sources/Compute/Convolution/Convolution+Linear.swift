// A linear layer over all pixels of a small map: one window a sample. Its input is copied so that each panel's pixel is a
// panel of its own, [panel][pixel][sample][16]; then it is a matrix product of samples and features. There are few
// samples, so weights are read from memory once, where they lie, and brought into order part by part in the caches.

extension Convolution {
  /// Whether it is computed so: one window without padding that covers the input.
  var isLinear: Bool { Self.isLinear(geometry, inputHeight: inputHeight, inputWidth: inputWidth) }

  static func isLinear(_ geometry: ConvolutionGeometry, inputHeight: Int, inputWidth: Int) -> Bool {
    geometry.kernelHeight == inputHeight && geometry.kernelWidth == inputWidth && geometry.paddingHeight == 0
      && geometry.paddingWidth == 0 && geometry.inputChannels >= rowWidth
  }

  /// Samples that are summed in registers before they are added to a gradient. Part of the result: a constant.
  private static let chunkSamples = 192
  /// Features, about, whose weights are packed before they are used: 16 KiB for an output panel.
  private static let chunkFeatures = 16
  /// Output panels whose weights are transposed before they are used: 64 KiB for 16 features.
  private static let chunkPanels = 4
  /// Input panels of a single pixel that are transposed together, as memory is read in runs of more than a line.
  private static let fewestFeatures = 4

  private var area: Int { inputHeight * inputWidth }
  private var features: Int { forwardPass.inputPanels * area }
  /// Input panels that are packed, and that are transposed, together.
  private var packedPanels: Int { max(1, Self.chunkFeatures / area) }
  private var transposedPanels: Int { dividedUp(Self.fewestFeatures, area) }

  private var tableFloats: Int { dividedUp(2 * max(features, forwardPass.outputPanels), rowWidth) * rowWidth }

  /// Floats of each thread's memory.
  private func ownFloats(batch: Int) -> Int {
    let block = rowWidth * rowWidth
    return max(
      packedPanels * area * block, transposedPanels * area * (Self.chunkPanels * block + batch * rowWidth))
  }

  func linearScratch(batch: Int, threads: Int) -> Int {
    rowWidth + tableFloats + features * batch * rowWidth + threads * ownFloats(batch: batch)
  }

  /// What the passes share: zeros, a table of addresses, the copied features and memory of each thread.
  private func split(
    _ scratch: MutableFloatPointer, batch: Int
  ) -> (table: UnsafeMutablePointer<MutableFloatPointer>, copy: MutableFloatPointer, own: MutableFloatPointer) {
    let table = scratch + rowWidth, copy = table + tableFloats
    return (
      UnsafeMutableRawPointer(table).assumingMemoryBound(to: MutableFloatPointer.self), copy,
      copy + features * batch * rowWidth
    )
  }

  /// Copies the features, normalised.
  private func flatten(_ x: Activation, into copy: MutableFloatPointer, _ pool: ThreadPool) {
    let area = self.area, batch = x.tensor.batch
    pool.forEach(features) { feature, _ in
      let panel = feature / area, normalization = x.normalization?.panel(panel)
      let source = FloatPointer(x.tensor.panel(panel)) + feature % area * rowWidth
      let target = copy + feature * batch * rowWidth
      for sample in 0..<batch {
        copyRows(source + sample * area * rowWidth, 1, normalization: normalization, into: target + sample * rowWidth)
      }
    }
  }

  func linearForward(
    _ x: Activation, _ weights: FloatPointer, bias: FloatPointer?, into y: PanelTensor, moments: Moments?,
    _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let batch = y.batch, features = self.features, area = self.area, blockSamples = forwardPass.blockPixels
    let inputPanels = forwardPass.inputPanels, packedPanels = self.packedPanels, block = rowWidth * rowWidth
    let (table, copy, own) = split(scratch, batch: batch), ownFloats = self.ownFloats(batch: batch)
    store(Row.zero, scratch)
    flatten(x, into: copy, pool)
    for feature in 0..<features { table[feature] = copy + feature * batch * rowWidth }
    pool.forEach(y.panels) { panel, thread in
      let packed = own + thread * ownFloats
      for first in stride(from: 0, to: inputPanels, by: packedPanels) {
        let inputs = first..<min(inputPanels, first + packedPanels)
        for input in inputs {
          packBlock(weights, output: panel, input: input, into: packed + (input - first) * area * block)
        }
        let start = first > 0 ? nil : bias.map { $0 + panel * rowWidth } ?? FloatPointer(scratch)
        productBlock(
          table + first * area, inputs.count * area, offset: 0, rows: batch,
          ProductColumns(weights: FloatPointer(packed), start: start, output: y.panel(panel)))
      }
      guard let moments else { return }
      for block in 0..<moments.blocks {
        let first = block * blockSamples
        moments.gather(
          FloatPointer(y.panel(panel)) + first * rowWidth, min(blockSamples, batch - first), block: block, panel: panel)
      }
    }
  }

  func linearBackward(
    _ x: Activation, _ dy: PanelTensor, weights: FloatPointer?, into oihw: MutableFloatPointer?, dx: PanelTensor?,
    accumulate: Bool, _ scratch: MutableFloatPointer, _ pool: ThreadPool
  ) {
    let batch = dy.batch, area = self.area, inputPanels = forwardPass.inputPanels
    let outputPanels = forwardPass.outputPanels, block = rowWidth * rowWidth
    let (table, _, own) = split(scratch, batch: batch), ownFloats = self.ownFloats(batch: batch)
    store(Row.zero, scratch)
    if let oihw { sumLinearGradient(x, dy, into: oihw, scratch, pool) }
    guard let dx, let weights else { return }
    for panel in 0..<outputPanels { table[panel] = dy.panel(panel) }
    let together = transposedPanels, chunkFloats = Self.chunkPanels * block
    pool.forEach(dividedUp(inputPanels, together)) { item, thread in
      let inputs = item * together..<min(inputPanels, (item + 1) * together), features = inputs.count * area
      let transposed = own + thread * ownFloats, rows = transposed + together * area * chunkFloats
      for first in stride(from: 0, to: outputPanels, by: Self.chunkPanels) {
        let outputs = first..<min(outputPanels, first + Self.chunkPanels)
        transpose(weights, inputs, outputs, into: transposed, featureFloats: chunkFloats)
        for feature in 0..<features {
          productBlock(
            table + first, outputs.count, offset: 0, rows: batch,
            ProductColumns(
              weights: FloatPointer(transposed) + feature * chunkFloats, start: first > 0 ? nil : FloatPointer(scratch),
              output: rows + feature * batch * rowWidth))
        }
      }
      for feature in 0..<features {
        let panel = dx.panel(inputs.lowerBound + feature / area) + feature % area * rowWidth
        for sample in 0..<batch {
          let target = panel + sample * area * rowWidth, row = load(rows + (feature * batch + sample) * rowWidth)
          store(accumulate ? load(target) + row : row, target)
        }
      }
    }
  }

  /// The gradient with respect to the weights.
  private func sumLinearGradient(
    _ x: Activation, _ dy: PanelTensor, into oihw: MutableFloatPointer, _ scratch: MutableFloatPointer,
    _ pool: ThreadPool
  ) {
    let batch = dy.batch, area = self.area, inputPanels = forwardPass.inputPanels
    let outputPanels = forwardPass.outputPanels, block = rowWidth * rowWidth
    let (_, copy, own) = split(scratch, batch: batch), ownFloats = self.ownFloats(batch: batch)
    flatten(x, into: copy, pool)
    // Neighbours in a filter are one item's, as far as there are enough items: two threads would fight for a line.
    let groups = pool.threads == 1 ? 1 : min(inputPanels, dividedUp(4 * pool.threads, outputPanels))
    pool.forEach(outputPanels * groups) { item, thread in
      let output = item / groups, group = item % groups, sums = own + thread * ownFloats
      for input in inputPanels * group / groups..<inputPanels * (group + 1) / groups {
        for first in stride(from: 0, to: batch, by: Self.chunkSamples) {
          let samples = min(Self.chunkSamples, batch - first)
          let gradient = FloatPointer(dy.panel(output)) + first * rowWidth
          for pixel in 0..<area {
            let feature = FloatPointer(copy) + ((input * area + pixel) * batch + first) * rowWidth
            // Of one pixel, [output][16 inputs] is the order that the gradient has.
            outerProductBlock(
              area == 1 ? gradient : feature, area == 1 ? feature : gradient, rows: samples, accumulate: first > 0,
              into: sums + pixel * block)
          }
        }
        if area == 1 {
          writeRows(sums, input: input, output: output, oihw)
        } else {
          unpack(sums, input: input, output: output, oihw)
        }
      }
    }
  }

  /// Writes one input and output panel's gradient of a single pixel, [16 outputs][16 inputs], where it belongs.
  private func writeRows(_ sums: FloatPointer, input: Int, output: Int, _ gradient: MutableFloatPointer) {
    let (inputs, outputs) = (geometry.inputChannels, geometry.outputChannels)
    let target = gradient + output * rowWidth * inputs + input * rowWidth
    let columns = min(rowWidth, inputs - input * rowWidth)
    for row in 0..<min(rowWidth, outputs - output * rowWidth) {
      if columns == rowWidth {
        store(load(sums + row * rowWidth), target + row * inputs)
      } else {
        for column in 0..<columns { target[row * inputs + column] = sums[row * rowWidth + column] }
      }
    }
  }

  /// Writes the weights between some panels: [input panel][pixel][output][16 inputs].
  private func transpose(
    _ oihw: FloatPointer, _ inputs: Range<Int>, _ outputs: Range<Int>, into target: MutableFloatPointer,
    featureFloats: Int
  ) {
    let area = self.area, filter = geometry.inputChannels * area, end = geometry.weightCount
    withTransposeBlock { block in
      for output in outputs.lowerBound * rowWidth..<outputs.upperBound * rowWidth {
        for input in inputs {
          let start = output * filter + input * rowWidth * area
          let channels = min(rowWidth, geometry.inputChannels - input * rowWidth)
          let rows =
            target + (input - inputs.lowerBound) * area * featureFloats
            + (output - outputs.lowerBound * rowWidth) * rowWidth
          for first in stride(from: 0, to: area, by: rowWidth) {
            let pixels = first..<min(area, first + rowWidth)
            // 16 pixels of 16 channels at once, if none of these rows reaches beyond the weights.
            if output < geometry.outputChannels && channels == rowWidth && area > 1
              && start + first + (rowWidth - 1) * area + rowWidth <= end
            {
              transpose16(oihw + start + first, area, into: block, rowWidth)
              for pixel in pixels {
                store(load(block + (pixel - first) * rowWidth), rows + pixel * featureFloats)
              }
            } else if output < geometry.outputChannels && channels == rowWidth && area == 1 {
              store(load(oihw + start), rows)
            } else {
              for pixel in pixels {
                let row = rows + pixel * featureFloats
                store(Row.zero, row)
                guard output < geometry.outputChannels else { continue }
                for channel in 0..<channels { row[channel] = oihw[start + channel * area + pixel] }
              }
            }
          }
        }
      }
    }
  }
}
