// From pixels to points: the input's tiles by B′ d B, those of the output's gradient by A dY A′. A strip's lines are
// transformed first, column by column, into a buffer; then, line by line of the buffer, the columns of each tile.

/// What is transformed.
enum WinogradSource {
  /// Tiles that overlap by all taps of the window but one.
  case data
  /// The gradient of the tiles' outputs.
  case outputGradient
}

/// One plane (a panel of a sample) of a tensor to be transformed.
struct WinogradPlane {
  let pixels: FloatPointer
  let height, width: Int
  let normalization: PanelNormalization?
}

extension WinogradScheme {
  @inline(__always)
  fileprivate func analyze(
    _ source: WinogradSource, _ outputs: Int, _ element: (Int) -> Lanes, _ put: (_ point: Int, Lanes) -> Void
  ) {
    if source == .data {
      transformData(outputs, element, put)
    } else {
      transformOutputAdjoint(outputs, element, put)
    }
  }
}

extension Winograd {
  /// Transforms one strip of a plane.
  ///
  /// - Parameters:
  ///   - source: a literal.
  ///   - points: the panel's first row at the first point; the next point's is `slice` floats further.
  ///   - buffer: `bufferFloats`.
  @inline(__always)
  func analyze(
    _ source: WinogradSource, _ plane: WinogradPlane, _ place: WinogradBlock.Place, into points: MutableFloatPointer,
    slice: Int, buffer: MutableFloatPointer
  ) {
    let reach = source == .data ? 1 : 0
    let outputs = rows.outputs(place.strip)
    let lines = WinogradLines(
      first: place.strip * rows.scheme.outputs - reach * rows.padding, count: outputs + reach * rows.overlap,
      height: plane.height, lineFloats: plane.width * rowWidth)
    let scheme = columns.scheme, stride = bufferColumns * rowWidth
    var tile = 0
    while tile < columns.tiles {
      let end = min(columns.tiles, tile + chunkTiles), last = columns.outputs(end - 1)
      let first = tile * scheme.outputs - reach * columns.padding
      let count = (end - 1 - tile) * scheme.outputs + last + reach * columns.overlap
      let inside = max(0, -first)..<max(max(0, -first), min(count, plane.width - first))
      for row in 0..<rows.scheme.points {
        clearRows(buffer + row * stride, inside.lowerBound)
        clearRows(buffer + row * stride + inside.upperBound * rowWidth, count - inside.upperBound)
      }
      analyzeColumns(
        source, rows.scheme, outputs, lines, plane.normalization, plane.pixels + (first + inside.lowerBound) * rowWidth,
        inside.count, into: buffer + inside.lowerBound * rowWidth, stride)
      let full = min(end, columns.fullTiles) - tile
      for row in 0..<rows.scheme.points where rows.scheme.uses(row, outputs: outputs) {
        let line = FloatPointer(buffer + row * stride), target = points + row * scheme.points * slice
        analyzeTiles(
          source, scheme, scheme.outputs, line, full, into: target + (place.firstRow + tile) * rowWidth, slice)
        if end > columns.fullTiles {
          analyzeTiles(
            source, scheme, last, line + full * scheme.outputs * rowWidth, 1,
            into: target + place.partialRow * rowWidth, slice)
        }
      }
      tile = end
    }
  }

  // MARK: Along columns

  @inline(__always)
  private func analyzeColumns(
    _ source: WinogradSource, _ scheme: WinogradScheme, _ outputs: Int, _ lines: WinogradLines,
    _ normalization: PanelNormalization?, _ pixels: FloatPointer, _ count: Int, into target: MutableFloatPointer,
    _ stride: Int
  ) {
    if source == .outputGradient {
      analyzeGradientColumns(scheme, outputs, lines, pixels, count, into: target, stride)
    } else if let normalization {
      analyzeNormalizedColumns(scheme, outputs, lines, normalization, pixels, count, into: target, stride)
    } else {
      analyzeDataColumns(scheme, outputs, lines, pixels, count, into: target, stride)
    }
  }

  @inline(never)
  private func analyzeDataColumns(
    _ scheme: WinogradScheme, _ outputs: Int, _ lines: WinogradLines, _ pixels: FloatPointer, _ count: Int,
    into target: MutableFloatPointer, _ stride: Int
  ) {
    @inline(__always) func evaluate(_ scheme: WinogradScheme, _ outputs: Int) {
      if lines.areInside {
        evaluateColumns(
          .data, scheme, outputs, lines, cut: false, normalized: false, .identity, pixels, count, target, stride)
      } else {
        evaluateColumns(
          .data, scheme, outputs, lines, cut: true, normalized: false, .identity, pixels, count, target, stride)
      }
    }
    scheme.withLiterals(outputs: outputs, evaluate)
  }

  @inline(never)
  private func analyzeNormalizedColumns(
    _ scheme: WinogradScheme, _ outputs: Int, _ lines: WinogradLines, _ normalization: PanelNormalization,
    _ pixels: FloatPointer, _ count: Int, into target: MutableFloatPointer, _ stride: Int
  ) {
    @inline(__always) func evaluate(_ scheme: WinogradScheme, _ outputs: Int) {
      if lines.areInside {
        evaluateColumns(
          .data, scheme, outputs, lines, cut: false, normalized: true, normalization, pixels, count, target, stride)
      } else {
        evaluateColumns(
          .data, scheme, outputs, lines, cut: true, normalized: true, normalization, pixels, count, target, stride)
      }
    }
    scheme.withLiterals(outputs: outputs, evaluate)
  }

  @inline(never)
  private func analyzeGradientColumns(
    _ scheme: WinogradScheme, _ outputs: Int, _ lines: WinogradLines, _ pixels: FloatPointer, _ count: Int,
    into target: MutableFloatPointer, _ stride: Int
  ) {
    @inline(__always) func evaluate(_ scheme: WinogradScheme, _ outputs: Int) {
      if lines.areInside {
        evaluateColumns(
          .outputGradient, scheme, outputs, lines, cut: false, normalized: false, .identity, pixels, count, target,
          stride)
      } else {
        evaluateColumns(
          .outputGradient, scheme, outputs, lines, cut: true, normalized: false, .identity, pixels, count, target,
          stride)
      }
    }
    scheme.withLiterals(outputs: outputs, evaluate)
  }

  /// `cut` and `normalized` are literals, and each pair of them loads by a function of its own: one that asks for both is
  /// too much for the compiler to put where it is called.
  @inline(__always)
  private func evaluateColumns(
    _ source: WinogradSource, _ scheme: WinogradScheme, _ outputs: Int, _ lines: WinogradLines, cut: Bool,
    normalized: Bool, _ normalization: PanelNormalization, _ pixels: FloatPointer, _ count: Int,
    _ target: MutableFloatPointer, _ stride: Int
  ) {
    var lane = 0
    while lane < rowWidth {
      let normalize = LaneNormalization(normalization, lane: lane)
      for column in 0..<count {
        let from = pixels + column * rowWidth + lane, to = target + column * rowWidth + lane
        @inline(__always) func inside(_ line: Int) -> Lanes { loadLanes(from + lines.offset(line)) }
        @inline(__always) func nearest(_ line: Int) -> Lanes { loadLanes(from + lines.nearestOffset(line)) }
        @inline(__always) func normalizedInside(_ line: Int) -> Lanes { normalize(inside(line)) }
        @inline(__always) func cutOff(_ line: Int) -> Lanes { lines.zeroOutside(nearest(line), line) }
        @inline(__always) func normalizedCutOff(_ line: Int) -> Lanes {
          lines.zeroOutside(normalize(nearest(line)), line)
        }
        @inline(__always) func put(_ point: Int, _ value: Lanes) { storeLanes(value, to + point * stride) }
        if normalized {
          if cut {
            scheme.analyze(source, outputs, normalizedCutOff, put)
          } else {
            scheme.analyze(source, outputs, normalizedInside, put)
          }
        } else if cut {
          scheme.analyze(source, outputs, cutOff, put)
        } else {
          scheme.analyze(source, outputs, inside, put)
        }
      }
      lane += Lanes.scalarCount
    }
  }

  // MARK: Along lines

  @inline(__always)
  private func analyzeTiles(
    _ source: WinogradSource, _ scheme: WinogradScheme, _ outputs: Int, _ line: FloatPointer, _ tiles: Int,
    into target: MutableFloatPointer, _ slice: Int
  ) {
    if source == .data {
      analyzeDataTiles(scheme, outputs, line, tiles, into: target, slice)
    } else {
      analyzeGradientTiles(scheme, outputs, line, tiles, into: target, slice)
    }
  }

  @inline(never)
  private func analyzeDataTiles(
    _ scheme: WinogradScheme, _ outputs: Int, _ line: FloatPointer, _ tiles: Int, into target: MutableFloatPointer,
    _ slice: Int
  ) {
    @inline(__always) func evaluate(_ scheme: WinogradScheme, _ outputs: Int) {
      evaluateTiles(.data, scheme, outputs, line, tiles, target, slice)
    }
    scheme.withLiterals(outputs: outputs, evaluate)
  }

  @inline(never)
  private func analyzeGradientTiles(
    _ scheme: WinogradScheme, _ outputs: Int, _ line: FloatPointer, _ tiles: Int, into target: MutableFloatPointer,
    _ slice: Int
  ) {
    @inline(__always) func evaluate(_ scheme: WinogradScheme, _ outputs: Int) {
      evaluateTiles(.outputGradient, scheme, outputs, line, tiles, target, slice)
    }
    scheme.withLiterals(outputs: outputs, evaluate)
  }

  @inline(__always)
  private func evaluateTiles(
    _ source: WinogradSource, _ scheme: WinogradScheme, _ outputs: Int, _ line: FloatPointer, _ tiles: Int,
    _ target: MutableFloatPointer, _ slice: Int
  ) {
    for tile in 0..<tiles {
      var lane = 0
      while lane < rowWidth {
        let from = line + tile * outputs * rowWidth + lane, to = target + tile * rowWidth + lane
        @inline(__always) func element(_ index: Int) -> Lanes { loadLanes(from + index * rowWidth) }
        @inline(__always) func put(_ point: Int, _ value: Lanes) { storeLanes(value, to + point * slice) }
        scheme.analyze(source, outputs, element, put)
        lane += Lanes.scalarCount
      }
    }
  }
}
