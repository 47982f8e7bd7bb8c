extension Winograd {
  /// Filters of one input and one output panel while they are transformed: [16 · taps] rows, of at most 5 × 5 taps.
  private typealias Filters = InlineArray<400, Row>

  private var taps: Int { rows.scheme.taps * columns.scheme.taps }

  /// U = G g G′: [point][output panel][16 · input panels][16 outputs].
  func pack(_ oihw: FloatPointer, into packed: MutableFloatPointer, pool: ThreadPool) {
    let inputs = inputPanels
    pool.forEach(outputPanels * inputs) { item, _ in
      packPanels(
        oihw, (input: item % inputs, output: item / inputs), into: packed + item * rowWidth * rowWidth,
        slice: filterSlice)
    }
  }

  /// The filters of one input and one output panel at the points: [16 inputs][16 outputs], `slice` floats apart.
  func packPanels(
    _ oihw: FloatPointer, _ panels: (input: Int, output: Int), into packed: MutableFloatPointer, slice: Int
  ) {
    packPanels(into: packed, slice: slice) { load(oihw, panels: panels, into: $0) }
  }

  /// - Parameter load: writes filters, [16 inputs][taps][16 outputs], over zeros.
  @inline(__always)
  func packPanels(into packed: MutableFloatPointer, slice: Int, load: (MutableFloatPointer) -> Void) {
    var filters = Filters(repeating: .zero)
    withFloats(of: &filters) { filters in
      load(filters)
      // Of each input, its taps follow each other.
      transform(filters, rowFloats: taps * rowWidth, tapFloats: rowWidth, into: packed, slice: slice)
    }
  }

  /// U′: [point][input panel][16 · output panels][16 inputs].
  func packTransposed(_ oihw: FloatPointer, into packed: MutableFloatPointer, pool: ThreadPool) {
    let outputs = outputPanels
    pool.forEach(outputs * inputPanels) { item, _ in
      packTransposedPanels(
        oihw, (input: item / outputs, output: item % outputs), into: packed + item * rowWidth * rowWidth,
        slice: filterSlice)
    }
  }

  /// The same filters of one input and one output panel transposed: [16 outputs][16 inputs].
  func packTransposedPanels(
    _ oihw: FloatPointer, _ panels: (input: Int, output: Int), into packed: MutableFloatPointer, slice: Int
  ) {
    var filters = Filters(repeating: .zero), transposed = Filters(repeating: .zero)
    withFloats(of: &filters) { filters in
      withFloats(of: &transposed) { transposed in
        load(oihw, panels: panels, into: filters)
        for tap in 0..<taps {
          transpose16(
            filters + tap * rowWidth, taps * rowWidth, into: transposed + tap * rowWidth * rowWidth, rowWidth)
        }
        transform(transposed, rowFloats: rowWidth, tapFloats: rowWidth * rowWidth, into: packed, slice: slice)
      }
    }
  }

  /// The weights' gradient of one input and one output panel, dg = G′ dU G, where it belongs.
  ///
  /// - Parameter gradient: dU, as `packPanels` writes filters.
  func writeGradient(
    _ gradient: FloatPointer, slice: Int, _ panels: (input: Int, output: Int), into oihw: MutableFloatPointer
  ) {
    unpackPanels(gradient, slice: slice) { store($0, panels: panels, into: oihw) }
  }

  /// - Parameter store: takes the filters' gradient, [16 inputs][taps][16 outputs].
  @inline(__always)
  func unpackPanels(_ gradient: FloatPointer, slice: Int, store: (FloatPointer) -> Void) {
    var filters = Filters(repeating: .zero)
    withFloats(of: &filters) { filters in
      transformAdjoint(gradient, slice: slice, into: filters)
      store(filters)
    }
  }

  @inline(__always)
  private func withFloats(of filters: inout Filters, _ body: (MutableFloatPointer) -> Void) {
    withUnsafeMutableBytes(of: &filters) { bytes in
      guard let base = bytes.baseAddress else { return }
      body(base.assumingMemoryBound(to: Float.self))
    }
  }

  // MARK: OIHW

  /// [16 inputs][taps][16 outputs] of two panels.
  private func load(_ oihw: FloatPointer, panels: (input: Int, output: Int), into filters: MutableFloatPointer) {
    let place = Place(geometry, taps, panels)
    let source = oihw + place.start
    if place.isWhole {
      for tap in 0..<taps {
        transpose16(
          source + tap * rowWidth, place.outputFloats, into: filters + tap * rowWidth * rowWidth, rowWidth)
      }
    } else {
      for output in 0..<place.outputs {
        let row = source + output * place.outputFloats
        for index in 0..<place.inputs * taps { filters[index * rowWidth + output] = row[index] }
      }
    }
  }

  private func store(_ filters: FloatPointer, panels: (input: Int, output: Int), into oihw: MutableFloatPointer) {
    let place = Place(geometry, taps, panels)
    let target = oihw + place.start
    if place.isWhole {
      for tap in 0..<taps {
        transpose16(
          filters + tap * rowWidth * rowWidth, rowWidth, into: target + tap * rowWidth, place.outputFloats)
      }
    } else {
      for output in 0..<place.outputs {
        let row = target + output * place.outputFloats
        for index in 0..<place.inputs * taps { row[index] = filters[index * rowWidth + output] }
      }
    }
  }

  /// Where the filters of two panels lie.
  private struct Place {
    let inputs, outputs: Int
    let start, outputFloats: Int

    init(_ geometry: ConvolutionGeometry, _ taps: Int, _ panels: (input: Int, output: Int)) {
      let (firstInput, firstOutput) = (panels.input * rowWidth, panels.output * rowWidth)
      inputs = min(rowWidth, geometry.inputChannels - firstInput)
      outputs = min(rowWidth, geometry.outputChannels - firstOutput)
      outputFloats = geometry.inputChannels * taps
      start = firstOutput * outputFloats + firstInput * taps
    }

    var isWhole: Bool { inputs == rowWidth && outputs == rowWidth }
  }

  // MARK: Transforms

  /// Lanes of a filter between its two transforms: at most 7 points of 5 taps.
  private typealias Buffer = InlineArray<35, Lanes>

  /// Transforms 16 rows of filters to all points.
  private func transform(
    _ filters: FloatPointer, rowFloats: Int, tapFloats: Int, into packed: MutableFloatPointer, slice: Int
  ) {
    @inline(__always) func transform(_ rows: WinogradScheme, _ columns: WinogradScheme) {
      var buffer = Buffer(repeating: .zero)
      for row in 0..<rowWidth {
        var lane = 0
        while lane < rowWidth {
          let source = filters + row * rowFloats + lane, target = packed + row * rowWidth + lane
          for column in 0..<columns.taps {
            @inline(__always) func tap(_ index: Int) -> Lanes {
              loadLanes(source + (index * columns.taps + column) * tapFloats)
            }
            @inline(__always) func put(_ point: Int, _ value: Lanes) { buffer[point * columns.taps + column] = value }
            rows.transformFilter(tap, put)
          }
          for point in 0..<rows.points {
            let first = target + point * columns.points * slice
            @inline(__always) func tap(_ index: Int) -> Lanes { buffer[point * columns.taps + index] }
            @inline(__always) func put(_ column: Int, _ value: Lanes) { storeLanes(value, first + column * slice) }
            columns.transformFilter(tap, put)
          }
          lane += Lanes.scalarCount
        }
      }
    }
    withSchemes(transform)
  }

  /// The adjoint, into [16 inputs][taps][16 outputs].
  private func transformAdjoint(_ gradient: FloatPointer, slice: Int, into filters: MutableFloatPointer) {
    @inline(__always) func transform(_ rows: WinogradScheme, _ columns: WinogradScheme) {
      var buffer = Buffer(repeating: .zero)
      for row in 0..<rowWidth {
        var lane = 0
        while lane < rowWidth {
          let source = gradient + row * rowWidth + lane
          let target = filters + row * rows.taps * columns.taps * rowWidth + lane
          for point in 0..<rows.points {
            let first = source + point * columns.points * slice
            @inline(__always) func value(_ column: Int) -> Lanes { loadLanes(first + column * slice) }
            @inline(__always) func put(_ tap: Int, _ value: Lanes) { buffer[point * columns.taps + tap] = value }
            columns.transformFilterAdjoint(value, put)
          }
          for column in 0..<columns.taps {
            @inline(__always) func value(_ point: Int) -> Lanes { buffer[point * columns.taps + column] }
            @inline(__always) func put(_ tap: Int, _ value: Lanes) {
              storeLanes(value, target + (tap * columns.taps + column) * rowWidth)
            }
            rows.transformFilterAdjoint(value, put)
          }
          lane += Lanes.scalarCount
        }
      }
    }
    withSchemes(transform)
  }

  /// Calls a body with the two schemes as literals.
  @inline(__always)
  private func withSchemes(_ body: (_ rows: WinogradScheme, _ columns: WinogradScheme) -> Void) {
    switch (rows.scheme, columns.scheme) {
    case (.three, .three): body(.three, .three)
    case (.four, .four): body(.four, .four)
    case (.five, .five): body(.five, .five)
    case (.one, .three): body(.one, .three)
    case (.three, .one): body(.three, .one)
    case (.one, .seven): body(.one, .seven)
    case (.seven, .one): body(.seven, .one)
    default: body(rows.scheme, columns.scheme)
    }
  }
}
