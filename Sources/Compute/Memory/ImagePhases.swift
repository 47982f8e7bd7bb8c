import CPlatform

/// The phases of images in even and odd rows and columns, as a panel: [batch][height][width][16], in each row the channels
/// of 2 × 2 pixels, pixel after pixel, and zeros.
///
/// Rows and columns are counted from a window's first one, so that an odd padding moves them by one: then the first phases
/// have a row or column of zeros before the image's first.
public struct ImagePhases: Hashable, Sendable {
  /// Rows of each phase.
  let height: Int
  /// Columns of each phase.
  let width: Int
  /// Rows and columns of zeros before the image's first: 0 or 1.
  private let top, left: Int

  /// More do not fit a row.
  static let mostChannels = rowWidth / 4

  init(imageHeight: Int, imageWidth: Int, paddingHeight: Int, paddingWidth: Int) {
    (top, left) = (paddingHeight % 2, paddingWidth % 2)
    height = dividedUp(imageHeight + top, 2)
    width = dividedUp(imageWidth + left, 2)
  }

  /// Traps unless images have as many rows and columns, and few enough channels.
  func check(height: Int, width: Int, channels: Int) {
    require(
      self.height == dividedUp(height + top, 2) && self.width == dividedUp(width + left, 2)
        && channels <= Self.mostChannels, "images have the shape that their phases were planned for")
  }

  // MARK: Order

  /// Where the phase of even (0) or odd (1) rows and columns comes. Those of even rows lie together, and so do those of even
  /// columns.
  @inline(__always) static func index(row: Int, column: Int) -> Int { row == 0 ? 1 + column : column == 0 ? 0 : 3 }

  /// Those that are left without those of odd rows, or of odd columns, or both.
  @inline(__always) static func order(hasOddRows: Bool, hasOddColumns: Bool) -> Range<Int> {
    (hasOddRows ? 0 : 1)..<(hasOddColumns ? hasOddRows ? 4 : 3 : 2)
  }

  // MARK: Loading

  /// Writes images from NCHW order.
  func load(_ nchw: FloatPointer, into images: Images, _ pool: ThreadPool) {
    let phaseHeight = height, area = images.height * images.width * images.channels
    let streamed = rowsAreStreamed(images.batch * height * width, at: images.pointer)
    pool.forEach(images.batch * phaseHeight) { item, _ in
      loadRow(
        nchw + item / phaseHeight * area, item % phaseHeight, images, into: images.pointer + item * width * rowWidth,
        streamed: streamed)
    }
  }

  private func loadRow(
    _ sample: FloatPointer, _ row: Int, _ images: Images, into target: MutableFloatPointer, streamed: Bool
  ) {
    // Columns whose pixels all exist, of images of three colours, two at a time.
    var inner = left..<left
    let firstRow = 2 * row - top
    if images.channels == 3 && firstRow >= 0 && firstRow + 1 < images.height {
      inner = left..<left + (images.width - left) / 4 * 2
      let even = sample + firstRow * images.width - left
      for column in stride(from: inner.lowerBound, to: inner.upperBound, by: 2) {
        loadPair(even + 2 * column, column % 8 < 2, images, into: target + column * rowWidth, streamed: streamed)
      }
    }
    for edge in 0..<width where !inner.contains(edge) { loadPixel(sample, row, edge, images, into: target) }
  }

  /// Writes two pixels of the phases: four columns of two rows of three colours, in the order of `index`.
  ///
  /// - Parameter prefetches: whether to ask for a line of memory of each row of the next item.
  @inline(__always)
  private func loadPair(
    _ even: FloatPointer, _ prefetches: Bool, _ images: Images, into target: MutableFloatPointer, streamed: Bool
  ) {
    let area = images.height * images.width, odd = even + images.width
    @inline(__always) func columns(_ row: FloatPointer, _ channel: Int) -> SIMD4<Float> {
      let first = row + channel * area
      if prefetches { platform_prefetch_once(first + 2 * images.width) }
      return UnsafeRawPointer(first).loadUnaligned(as: SIMD4<Float>.self)
    }
    let e0 = columns(even, 0), e1 = columns(even, 1), e2 = columns(even, 2)
    let o0 = columns(odd, 0), o1 = columns(odd, 1), o2 = columns(odd, 2)
    @inline(__always) func put(_ c: Int, _ d: Int, _ target: MutableFloatPointer) {
      let row = Row(
        o0[c], o1[c], o2[c], e0[c], e1[c], e2[c], e0[d], e1[d], e2[d], o0[d], o1[d], o2[d], 0, 0, 0, 0)
      store(row, target, streamed: streamed)
    }
    put(0, 1, target)
    put(2, 3, target + rowWidth)
  }

  private func loadPixel(
    _ sample: FloatPointer, _ row: Int, _ column: Int, _ images: Images, into line: MutableFloatPointer
  ) {
    let target = line + column * rowWidth, first = 2 * column - left
    store(Row.zero, target)
    forEachLine(sample, row, images) { line, lane, step in
      if first >= 0 { target[lane] = line[first] }
      if first + 1 < images.width { target[lane + step] = line[first + 1] }
    }
  }

  /// Calls a body for each line of a channel inside the image with the lane of its even columns and the distance to that of
  /// its odd ones.
  @inline(__always)
  private func forEachLine(
    _ sample: FloatPointer, _ row: Int, _ images: Images,
    _ body: (_ line: FloatPointer, _ lane: Int, _ step: Int) -> Void
  ) {
    for phase in 0..<2 {
      let imageRow = 2 * row - top + phase
      guard imageRow >= 0 && imageRow < images.height else { continue }
      let even = Self.index(row: phase, column: 0), odd = Self.index(row: phase, column: 1)
      for channel in 0..<images.channels {
        body(
          sample + (channel * images.height + imageRow) * images.width, even * images.channels + channel,
          (odd - even) * images.channels)
      }
    }
  }
}
