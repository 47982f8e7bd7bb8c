// From points to pixels: outputs by A′ M A, the input's gradient by B dV B′. The points of each line of a strip are
// transformed first, tile by tile, into a buffer; then, column by column of the buffer, the lines.

extension Winograd {
  // MARK: Outputs

  /// Writes the outputs of one strip of one panel.
  ///
  /// - Parameters:
  ///   - points: the panel's first row at the first point; the next point's is `slice` floats further.
  ///   - bias: the panel's 16, or nil.
  ///   - plane: the panel of the sample.
  func synthesizeOutput(
    _ points: FloatPointer, slice: Int, _ place: WinogradBlock.Place, bias: FloatPointer?,
    into plane: MutableFloatPointer, buffer: MutableFloatPointer
  ) {
    let outputs = rows.outputs(place.strip), scheme = columns.scheme, stride = bufferColumns * rowWidth
    let lines = WinogradLines(
      first: place.strip * rows.scheme.outputs, count: outputs, height: rows.output,
      lineFloats: columns.output * rowWidth)
    var tile = 0
    while tile < columns.tiles {
      let end = min(columns.tiles, tile + chunkTiles), full = min(end, columns.fullTiles) - tile
      for row in 0..<rows.scheme.points where rows.scheme.uses(row, outputs: outputs) {
        let line = buffer + row * stride, source = points + row * scheme.points * slice
        synthesizeTiles(scheme, scheme.outputs, source + (place.firstRow + tile) * rowWidth, full, slice, into: line)
        if end > columns.fullTiles {
          synthesizeTiles(
            scheme, columns.lastOutputs, source + place.partialRow * rowWidth, 1, slice,
            into: line + full * scheme.outputs * rowWidth)
        }
      }
      let first = tile * scheme.outputs
      synthesizeColumns(
        rows.scheme, outputs, buffer, stride, min(columns.output, end * scheme.outputs) - first, lines, bias,
        into: plane + first * rowWidth)
      tile = end
    }
  }

  @inline(never)
  private func synthesizeTiles(
    _ scheme: WinogradScheme, _ outputs: Int, _ points: FloatPointer, _ tiles: Int, _ slice: Int,
    into line: MutableFloatPointer
  ) {
    @inline(__always) func synthesize(_ scheme: WinogradScheme, _ outputs: Int) {
      for tile in 0..<tiles {
        var lane = 0
        while lane < rowWidth {
          let from = points + tile * rowWidth + lane, to = line + tile * outputs * rowWidth + lane
          @inline(__always) func point(_ index: Int) -> Lanes { loadLanes(from + index * slice) }
          @inline(__always) func put(_ output: Int, _ value: Lanes) { storeLanes(value, to + output * rowWidth) }
          scheme.transformOutput(outputs, point, put)
          lane += Lanes.scalarCount
        }
      }
    }
    scheme.withLiterals(outputs: outputs, synthesize)
  }

  @inline(never)
  private func synthesizeColumns(
    _ scheme: WinogradScheme, _ outputs: Int, _ buffer: FloatPointer, _ stride: Int, _ count: Int,
    _ lines: WinogradLines, _ bias: FloatPointer?, into pixels: MutableFloatPointer
  ) {
    @inline(__always) func synthesize(_ scheme: WinogradScheme, _ outputs: Int, cut: Bool) {
      for column in 0..<count {
        var lane = 0
        while lane < rowWidth {
          let from = buffer + column * rowWidth + lane, to = pixels + column * rowWidth + lane
          @inline(__always) func point(_ index: Int) -> Lanes { loadLanes(from + index * stride) }
          @inline(__always) func put(_ line: Int, _ value: Lanes) {
            if cut && !lines.isInside(line) { return }
            storeLanes(bias.map { value + loadLanes($0 + lane) } ?? value, to + lines.offset(line))
          }
          scheme.transformOutput(outputs, point, put)
          lane += Lanes.scalarCount
        }
      }
    }
    @inline(__always) func synthesize(_ scheme: WinogradScheme, _ outputs: Int) {
      if lines.areInside {
        synthesize(scheme, outputs, cut: false)
      } else {
        synthesize(scheme, outputs, cut: true)
      }
    }
    scheme.withLiterals(outputs: outputs, synthesize)
  }

  // MARK: The input's gradient

  /// Writes, or adds to, the gradient of some consecutive strips' input lines; those that the next strip touches too
  /// are left to whoever has that one.
  ///
  /// - Parameters:
  ///   - points: the panel's first row at the first point.
  ///   - strips: of one sample, counted through all samples.
  ///   - plane: the panel of the sample.
  ///   - buffer: `bufferFloats`, then `carryFloats`.
  func synthesizeInputGradient(
    _ points: FloatPointer, slice: Int, _ block: WinogradBlock, strips: Range<Int>, accumulate: Bool,
    into plane: MutableFloatPointer, buffer: MutableFloatPointer
  ) {
    let firstOfSample = strips.lowerBound / rows.tiles * rows.tiles
    // Strips before the first whose tiles reach into its lines.
    let reach = dividedUp(rows.overlap, rows.scheme.outputs)
    let carry = buffer + bufferFloats
    clearRows(carry, rows.overlap * columns.input)
    for strip in max(firstOfSample, strips.lowerBound - reach)..<strips.upperBound {
      let place = block.place(strip), isLast = place.strip == rows.tiles - 1
      let lineCount = isLast ? rows.outputs(place.strip) + rows.overlap : rows.scheme.outputs
      let lines =
        strip < strips.lowerBound
        ? WinogradLines.none
        : WinogradLines(
          first: place.strip * rows.scheme.outputs - rows.padding, count: lineCount, height: rows.input,
          lineFloats: columns.input * rowWidth)
      synthesizeInputStrip(
        points, slice: slice, place, lines, lineCount, accumulate: accumulate, into: plane, buffer: buffer, carry)
    }
  }

  private func synthesizeInputStrip(
    _ points: FloatPointer, slice: Int, _ place: WinogradBlock.Place, _ lines: WinogradLines, _ lineCount: Int,
    accumulate: Bool, into plane: MutableFloatPointer, buffer: MutableFloatPointer, _ carry: MutableFloatPointer
  ) {
    let outputs = rows.outputs(place.strip), scheme = columns.scheme, stride = bufferColumns * rowWidth
    var tile = 0
    while tile < columns.tiles {
      let end = min(columns.tiles, tile + chunkTiles), full = min(end, columns.fullTiles) - tile
      for row in 0..<rows.scheme.points where rows.scheme.uses(row, outputs: outputs) {
        let line = buffer + row * stride, source = points + row * scheme.points * slice
        // What the chunk before has left for this one's first columns.
        if tile == 0 {
          clearRows(line, columns.overlap)
        } else {
          copyRows(line + chunkTiles * scheme.outputs * rowWidth, columns.overlap, into: line)
        }
        addTiles(scheme, scheme.outputs, source + (place.firstRow + tile) * rowWidth, full, slice, into: line)
        if end > columns.fullTiles {
          addTiles(
            scheme, columns.lastOutputs, source + place.partialRow * rowWidth, 1, slice,
            into: line + full * scheme.outputs * rowWidth)
        }
      }
      let first = tile * scheme.outputs - columns.padding, skipped = max(0, -first)
      let reached = end == columns.tiles ? columns.input : end * scheme.outputs - columns.padding
      let count = max(0, min(columns.input, reached) - first - skipped)
      addColumns(
        rows.scheme, outputs, buffer + skipped * rowWidth, stride, count, lines, lineCount, accumulate: accumulate,
        carry + (first + skipped) * rowWidth, into: plane + (first + skipped) * rowWidth)
      tile = end
    }
  }

  /// Adds to the columns that a tile shares with the one before, and sets its others.
  @inline(never)
  private func addTiles(
    _ scheme: WinogradScheme, _ outputs: Int, _ points: FloatPointer, _ tiles: Int, _ slice: Int,
    into line: MutableFloatPointer
  ) {
    @inline(__always) func add(_ scheme: WinogradScheme, _ outputs: Int) {
      for tile in 0..<tiles {
        var lane = 0
        while lane < rowWidth {
          let from = points + tile * rowWidth + lane, to = line + tile * outputs * rowWidth + lane
          @inline(__always) func point(_ index: Int) -> Lanes { loadLanes(from + index * slice) }
          @inline(__always) func put(_ element: Int, _ value: Lanes) {
            let target = to + element * rowWidth
            storeLanes(element < scheme.taps - 1 ? loadLanes(target) + value : value, target)
          }
          scheme.transformDataAdjoint(outputs, point, put)
          lane += Lanes.scalarCount
        }
      }
    }
    scheme.withLiterals(outputs: outputs, add)
  }

  /// Adds what the strips before have left for the first lines, writes those that no later strip touches and leaves the
  /// others in `carry`.
  @inline(never)
  private func addColumns(
    _ scheme: WinogradScheme, _ outputs: Int, _ buffer: FloatPointer, _ stride: Int, _ count: Int,
    _ lines: WinogradLines, _ lineCount: Int, accumulate: Bool, _ carry: MutableFloatPointer,
    into pixels: MutableFloatPointer
  ) {
    let carryStride = columns.input * rowWidth
    @inline(__always) func add(_ scheme: WinogradScheme, _ outputs: Int, _ lineCount: Int, cut: Bool) {
      for column in 0..<count {
        var lane = 0
        while lane < rowWidth {
          let from = buffer + column * rowWidth + lane, to = pixels + column * rowWidth + lane
          let left = carry + column * rowWidth + lane
          @inline(__always) func point(_ index: Int) -> Lanes { loadLanes(from + index * stride) }
          // Elements come in ascending order: one that is left replaces one that has been taken.
          @inline(__always) func put(_ line: Int, _ value: Lanes) {
            let sum = line < scheme.taps - 1 ? loadLanes(left + line * carryStride) + value : value
            if line >= lineCount {
              storeLanes(sum, left + (line - outputs) * carryStride)
            } else if !cut || lines.isInside(line) {
              let target = to + lines.offset(line)
              storeLanes(accumulate ? loadLanes(target) + sum : sum, target)
            }
          }
          scheme.transformDataAdjoint(outputs, point, put)
          lane += Lanes.scalarCount
        }
      }
    }
    @inline(__always) func add(_ scheme: WinogradScheme, _ outputs: Int) {
      // Of a strip with others below it, all of whose lines are inside, the lines that are written are known.
      if lines.areInside && lineCount == outputs {
        add(scheme, outputs, outputs, cut: false)
      } else {
        add(scheme, outputs, lineCount, cut: true)
      }
    }
    scheme.withLiterals(outputs: outputs, add)
  }
}
