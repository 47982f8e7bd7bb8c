extension Convolution {
  /// Writes weights in the order that `forward` reads: [output panel][input panel][row][column][lane][16 outputs].
  ///
  /// - Parameter oihw: [outputChannels, inputChannels, kernelHeight, kernelWidth].
  public func pack(_ oihw: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>, pool: ThreadPool) {
    let taps = geometry.kernelHeight * geometry.kernelWidth
    packPanels(
      forwardPass, oihw, outerCount: geometry.outputChannels, outerStride: geometry.inputChannels * taps,
      innerCount: geometry.inputChannels, innerStride: taps, packed, pool
    ) { row, column in row * geometry.kernelWidth + column }
  }

  /// Writes weights in the order that `backwardData` reads: for each phase of the stride, transposed and turned around.
  ///
  /// - Parameter oihw: [outputChannels, inputChannels, kernelHeight, kernelWidth].
  public func packTransposed(_ oihw: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>, pool: ThreadPool) {
    let taps = geometry.kernelHeight * geometry.kernelWidth
    for pass in dataPasses where pass.rowTaps > 0 && pass.columnTaps > 0 {
      packPanels(
        pass.correlation, oihw, outerCount: geometry.inputChannels, outerStride: taps,
        innerCount: geometry.outputChannels, innerStride: geometry.inputChannels * taps, packed + pass.weightStart, pool
      ) { row, column in
        let kernelRow = pass.firstRow + (pass.rowTaps - 1 - row) * pass.rowStride
        let kernelColumn = pass.firstColumn + (pass.columnTaps - 1 - column) * pass.columnStride
        return kernelRow * geometry.kernelWidth + kernelColumn
      }
    }
  }

  /// Packs one pass: `outer` are the channels that its output has, `inner` those that it sums over, `tap` the place of a
  /// window's element in the 2-D filter.
  private func packPanels(
    _ pass: Correlation, _ oihw: FloatPointer, outerCount: Int, outerStride: Int, innerCount: Int, innerStride: Int,
    _ packed: MutableFloatPointer, _ pool: ThreadPool, tap: (_ row: Int, _ column: Int) -> Int
  ) {
    let (kernelRows, kernelColumns, lanes) = (pass.rows.kernel, pass.columns.kernel, pass.lanes)
    let inputPanels = pass.inputPanels, panelRows = kernelRows * kernelColumns * lanes
    pool.forEach(pass.outputPanels * inputPanels) { item, _ in
      let firstOuter = item / inputPanels * rowWidth, firstInner = item % inputPanels * rowWidth
      let outers = min(rowWidth, outerCount - firstOuter), inners = min(lanes, innerCount - firstInner)
      var target = packed + item * panelRows * rowWidth
      for row in 0..<kernelRows {
        for column in 0..<kernelColumns {
          let source = oihw + tap(row, column) + firstOuter * outerStride + firstInner * innerStride
          for lane in 0..<lanes {
            if lane < inners {
              let element = source + lane * innerStride
              for outer in 0..<outers { target[outer] = element[outer * outerStride] }
              for outer in outers..<rowWidth { target[outer] = 0 }
            } else {
              store(Row.zero, target)
            }
            target += rowWidth
          }
        }
      }
    }
  }
}
