extension Convolution {
  private var taps: Int { geometry.kernelHeight * geometry.kernelWidth }

  /// Whether `forward` and `backward` read the weights as they are, [outputChannels, inputChannels, kernelHeight,
  /// kernelWidth]: both ways of packing only copy them.
  public var readsWeightsInPlace: Bool { isLinear }

  /// Whether a batch's passes are faster given the weights as they are, which they then bring into order part by part.
  public func packsInPassing(batch: Int) -> Bool { winograd?.transformsInPassing(batch: batch) ?? false }

  /// Writes weights in the order that `forward` reads: by the direct method
  /// [output panel][input panel][row][column][lane][16 outputs].
  ///
  /// - Parameter oihw: [outputChannels, inputChannels, kernelHeight, kernelWidth].
  public func pack(_ oihw: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>, pool: ThreadPool) {
    if let strided { return strided.pack(oihw, into: packed, pool: pool) }
    if let winograd { return winograd.pack(oihw, into: packed, pool: pool) }
    if readsWeightsInPlace { return packed.update(from: oihw, count: geometry.weightCount) }
    let blockFloats = taps * forwardPass.lanes * rowWidth, inputPanels = forwardPass.inputPanels
    pool.forEach(forwardPass.outputPanels * inputPanels) { item, _ in
      packBlock(oihw, output: item / inputPanels, input: item % inputPanels, into: packed + item * blockFloats)
    }
  }

  /// Writes the weights of one output and one input panel: [row][column][lane][16 outputs].
  func packBlock(_ oihw: FloatPointer, output: Int, input: Int, into target: MutableFloatPointer) {
    let (taps, lanes) = (self.taps, forwardPass.lanes), filter = geometry.inputChannels * taps
    let outputs = min(rowWidth, geometry.outputChannels - output * rowWidth)
    let inputs = min(lanes, geometry.inputChannels - input * rowWidth)
    let source = oihw + output * rowWidth * filter + input * rowWidth * taps
    if inputs < lanes || outputs < rowWidth { clearRows(target, taps * lanes) }
    // A filter's floats for these inputs lie together, channel by channel: blocks of 16 of 16 filters are transposed.
    let whole = outputs == rowWidth ? inputs * taps / rowWidth * rowWidth : 0
    withTransposeBlock { block in
      var (channel, tap) = (0, 0)
      for first in stride(from: 0, to: whole, by: rowWidth) {
        transpose16(source + first, filter, into: block, rowWidth)
        for index in 0..<rowWidth {
          store(load(block + index * rowWidth), target + (tap * lanes + channel) * rowWidth)
          next(&channel, &tap)
        }
      }
    }
    for index in whole..<inputs * taps {
      let row = target + (index % taps * lanes + index / taps) * rowWidth
      for output in 0..<outputs { row[output] = source[output * filter + index] }
    }
  }

  /// The next float of a filter.
  @inline(__always)
  private func next(_ channel: inout Int, _ tap: inout Int) {
    tap += 1
    if tap == taps { (channel, tap) = (channel + 1, 0) }
  }

  /// Writes weights in the order that `backward` reads: by the direct method, for each phase of the stride, transposed and
  /// turned around.
  ///
  /// For images in phases, of which nobody wants the gradient, there is nothing to write.
  ///
  /// - Parameter oihw: [outputChannels, inputChannels, kernelHeight, kernelWidth].
  public func packTransposed(_ oihw: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>, pool: ThreadPool) {
    if strided != nil { return }
    if let winograd { return winograd.packTransposed(oihw, into: packed, pool: pool) }
    if readsWeightsInPlace { return packed.update(from: oihw, count: geometry.weightCount) }
    let geometry = self.geometry, taps = self.taps, filter = geometry.inputChannels * taps
    let inputPanels = forwardPass.inputPanels, outputPanels = forwardPass.outputPanels
    let dataPasses = self.dataPasses
    pool.forEach(inputPanels * outputPanels) { item, _ in
      let inputPanel = item / outputPanels, firstOutput = item % outputPanels * rowWidth
      let inputs = min(rowWidth, geometry.inputChannels - inputPanel * rowWidth)
      let outputs = min(rowWidth, geometry.outputChannels - firstOutput)
      withTransposeBlock { block in
        for lane in 0..<rowWidth {
          let start = (firstOutput + lane) * filter + inputPanel * rowWidth * taps
          // All taps of the 16 inputs at once, if a row of 16 floats does not reach beyond the weights.
          let isTransposed =
            lane < outputs && inputs == rowWidth && taps <= rowWidth
            && start + (rowWidth - 1) * taps + rowWidth <= geometry.weightCount
          if isTransposed { transpose16(oihw + start, taps, into: block, rowWidth) }
          for pass in dataPasses where pass.rowTaps > 0 && pass.columnTaps > 0 && lane < pass.correlation.lanes {
            let panel =
              packed + pass.weightStart + item * pass.rowTaps * pass.columnTaps * pass.correlation.lanes * rowWidth
            for row in 0..<pass.rowTaps {
              let kernelRow = pass.firstRow + (pass.rowTaps - 1 - row) * pass.rowStride
              for column in 0..<pass.columnTaps {
                let kernelColumn = pass.firstColumn + (pass.columnTaps - 1 - column) * pass.columnStride
                let tap = kernelRow * geometry.kernelWidth + kernelColumn
                let target = panel + ((row * pass.columnTaps + column) * pass.correlation.lanes + lane) * rowWidth
                if isTransposed {
                  store(load(block + tap * rowWidth), target)
                } else {
                  store(Row.zero, target)
                  guard lane < outputs else { continue }
                  for input in 0..<inputs { target[input] = oihw[start + input * taps + tap] }
                }
              }
            }
          }
        }
      }
    }
  }

  /// Writes one input and output panel's gradient, [row][column][lane][16 outputs], where it belongs.
  func unpack(_ sums: FloatPointer, input: Int, output: Int, _ oihw: MutableFloatPointer) {
    let (taps, lanes) = (self.taps, forwardPass.lanes), filter = geometry.inputChannels * taps
    let outputs = min(rowWidth, geometry.outputChannels - output * rowWidth)
    let inputs = min(lanes, geometry.inputChannels - input * rowWidth)
    let target = oihw + output * rowWidth * filter + input * rowWidth * taps
    let whole = outputs == rowWidth ? inputs * taps / rowWidth * rowWidth : 0
    withTransposeBlock { block in
      var (channel, tap) = (0, 0)
      for first in stride(from: 0, to: whole, by: rowWidth) {
        for index in 0..<rowWidth {
          store(load(sums + (tap * lanes + channel) * rowWidth), block + index * rowWidth)
          next(&channel, &tap)
        }
        transpose16(block, rowWidth, into: target + first, filter)
      }
    }
    for index in whole..<inputs * taps {
      let row = sums + (index % taps * lanes + index / taps) * rowWidth
      for lane in 0..<outputs { target[lane * filter + index] = row[lane] }
    }
  }
}
