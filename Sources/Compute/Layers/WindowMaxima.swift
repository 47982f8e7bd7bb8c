import CPlatform

/// The order of a panel's stored values by what a normalisation makes of them: that of their own values, or where it
/// multiplies by a negative number, the reverse.
struct StoredOrder {
  /// The sign bit of each channel whose order is reversed.
  private let signs: SIMD16<Int32>

  /// The order by some normalisation, or their own if there is none.
  @inline(__always) init(_ normalization: Normalization?, panel: Int) {
    let scale = normalization?.panel(panel).scale ?? .zero
    signs = SIMD16<Int32>.zero.replacing(with: SIMD16(repeating: .min), where: scale .< Row.zero)
  }

  /// What is compared in place of a stored value; and the stored value in place of that.
  @inline(__always) func callAsFunction(_ row: Row) -> Row {
    unsafeBitCast(unsafeBitCast(row, to: SIMD16<Int32>.self) ^ signs, to: Row.self)
  }
}

/// The largest pixels of the windows along rows of the input.
struct ColumnMaxima {
  /// The first row.
  let line: FloatPointer
  /// Which rows, counted with the padding above them.
  let rows: Range<Int>
  let normalization: Normalization?
  let panel: Int
  /// Whether pixels are not normalised, but compared in the order that the normalisation gives them.
  let keepsStored: Bool
  /// Has a place for what each row is reduced to, and the row that the sum of all pixels is added to: NaN if one of them
  /// is, or if there are both infinities.
  let scratch: MaxPoolScratch
  /// Of the first row; nil if nobody wants them.
  let winners: UnsafeMutablePointer<Int32>?
  let width, windows, padding: Int

  func write(_ geometry: PoolGeometry, knowsNaN: Bool) {
    switch (geometry.kernel, geometry.stride, isNormalized) {
    case _ where knowsNaN: writeAny(geometry, true)
    case (3, 1, true): writeThreeByOne()
    case (3, 1, false): writeStoredThreeByOne()
    case (3, 2, true): writeThreeByTwo()
    case (3, 2, false): writeStoredThreeByTwo()
    case (2, 2, true): writeTwoByTwo()
    default: writeAny(geometry, false)
    }
  }

  // Literal sizes, for which the compiler unrolls the loops over a window. Each has a function, for there is a size beyond
  // which the compiler inlines no more, and then none of them would be literal.
  @inline(never) private func writeThreeByOne() { write(3, 1, isNormalized: true, knowsNaN: false) }
  @inline(never) private func writeStoredThreeByOne() { write(3, 1, isNormalized: false, knowsNaN: false) }
  @inline(never) private func writeThreeByTwo() { write(3, 2, isNormalized: true, knowsNaN: false) }
  @inline(never) private func writeStoredThreeByTwo() { write(3, 2, isNormalized: false, knowsNaN: false) }
  @inline(never) private func writeTwoByTwo() { write(2, 2, isNormalized: true, knowsNaN: false) }
  @inline(never) private func writeAny(_ geometry: PoolGeometry, _ knowsNaN: Bool) {
    write(geometry.kernel, geometry.stride, isNormalized: isNormalized, knowsNaN: knowsNaN)
  }

  private var isNormalized: Bool { normalization != nil && !keepsStored }

  @inline(__always)
  private func write(_ kernel: Int, _ stride: Int, isNormalized: Bool, knowsNaN: Bool) {
    let normalization = isNormalized ? self.normalization?.panel(panel) ?? .identity : .identity
    let order = StoredOrder(keepsStored ? self.normalization : nil, panel: panel)
    let windows = windows, width = width, padding = padding
    // Windows whose pixels all exist, but those that they have from the one before.
    let keepsPixels = kernel == 3 && stride < 3
    let inner = innerWindows(kernel, stride, keepsPixels)
    let wordsPerRow = winners == nil ? 0 : dividedUp(windows, WinnerWord.windows(kernel))
    var sum = load(scratch.sum), line = line, target = winners ?? scratch.words
    for row in rows {
      let maxima = scratch.ring.row(row)
      @inline(__always) func value(_ pixel: Int) -> Row {
        let stored = load(line + pixel * rowWidth), value = isNormalized ? normalization(stored) : order(stored)
        sum += value
        return knowsNaN ? distinctFromPadding(value) : value
      }
      @inline(__always) func pixel(_ index: Int) -> Row {
        index < 0 ? paddingBefore : index < width ? value(index) : paddingBehind
      }
      // Pixels that the next window has as well: each is normalised once.
      var first = Row.zero, second = Row.zero
      if keepsPixels {
        first = pixel(-padding)
        if stride == 1 { second = pixel(1 - padding) }
      }
      var word = WinnerWord()
      @inline(__always) func put(_ window: Int, isInner: Bool) {
        let start = window * stride - padding
        @inline(__always) func next(_ index: Int) -> Row { isInner ? value(start + index) : pixel(start + index) }
        var largest: Row
        if keepsPixels {
          largest = first
          if stride == 2 { second = next(1) }
          word.take(second, &largest, knowsNaN: knowsNaN)
          let third = next(2)
          word.take(third, &largest, knowsNaN: knowsNaN)
          (first, second) = (stride == 1 ? second : third, third)
        } else {
          largest = next(0)
          for index in 1..<max(1, kernel) { word.take(next(index), &largest, knowsNaN: knowsNaN) }
        }
        store(largest, maxima + window * rowWidth)
      }
      var window = 0, place = target
      while window < windows {
        let start = window, end = min(windows, start + WinnerWord.windows(kernel))
        word = WinnerWord()
        while window < min(end, inner.lowerBound) {
          put(window, isInner: false)
          window += 1
        }
        while window < min(end, inner.upperBound) {
          let next = line + (window * stride + prefetchedPixels) * rowWidth
          platform_prefetch(next)
          if stride == 2 { platform_prefetch(next + rowWidth) }
          put(window, isInner: true)
          window += 1
        }
        while window < end {
          put(window, isInner: false)
          window += 1
        }
        word.write(place, kernel: kernel, count: end - start)
        place += rowWidth
      }
      line += width * rowWidth
      target += wordsPerRow * rowWidth
    }
    store(sum, scratch.sum)
  }

  @inline(__always) private func innerWindows(_ kernel: Int, _ stride: Int, _ keepsPixels: Bool) -> Range<Int> {
    let start = keepsPixels ? 0 : min(windows, dividedUp(padding, stride))
    return start..<max(start, min(windows, (width + padding - kernel + stride) / stride))
  }
}

/// The largest values of the rows of windows: rows of the output.
struct RowMaxima {
  let scratch: MaxPoolScratch
  /// Which rows of the output.
  let rows: Range<Int>
  /// The rows of the input that exist, counted with the padding above them.
  let existing: Range<Int>
  /// Of the first row; nil if nobody wants them.
  let winners: UnsafeMutablePointer<Int32>?
  /// The first row.
  let y: MutableFloatPointer
  /// Whether they are written past the caches.
  let isStreamed: Bool
  /// What the order of stored values comes from, if these were compared.
  let normalization: Normalization?
  let panel: Int
  let windows: Int

  func write(_ geometry: PoolGeometry, knowsNaN: Bool) {
    switch (geometry.kernel, normalization == nil) {
    case _ where knowsNaN: writeAny(geometry.kernel, geometry.stride, true)
    case (2, true): writeTwo(geometry.stride)
    case (3, true): writeThree(geometry.stride)
    case (3, false): writeStoredThree(geometry.stride)
    default: writeAny(geometry.kernel, geometry.stride, false)
    }
  }

  @inline(never) private func writeTwo(_ stride: Int) { combine(2, stride, isOrdered: false, knowsNaN: false) }
  @inline(never) private func writeThree(_ stride: Int) { combine(3, stride, isOrdered: false, knowsNaN: false) }
  @inline(never) private func writeStoredThree(_ stride: Int) { combine(3, stride, isOrdered: true, knowsNaN: false) }
  @inline(never) private func writeAny(_ kernel: Int, _ stride: Int, _ knowsNaN: Bool) {
    combine(kernel, stride, isOrdered: true, knowsNaN: knowsNaN)
  }

  /// What a row of the input was reduced to, or what stands for one that does not exist.
  @inline(__always) private func maxima(_ row: Int) -> MutableFloatPointer {
    guard row < existing.lowerBound || row >= existing.upperBound else { return scratch.ring.row(row) }
    return row < existing.lowerBound ? scratch.before : scratch.behind
  }

  @inline(__always)
  private func combine(_ kernel: Int, _ stride: Int, isOrdered: Bool, knowsNaN: Bool) {
    let order = StoredOrder(normalization, panel: panel), windows = windows, isStreamed = isStreamed,
      wordsPerRow = winners == nil ? 0 : dividedUp(windows, WinnerWord.windows(kernel))
    var y = y, target = winners ?? scratch.words
    for row in rows {
      let first = row * stride, lines = (maxima(first), maxima(first + 1), maxima(first + 2))
      var window = 0, place = target
      while window < windows {
        let start = window, end = min(windows, start + WinnerWord.windows(kernel))
        var word = WinnerWord()
        while window < end {
          var largest = load(lines.0 + window * rowWidth)
          for index in 1..<max(1, kernel) {
            let line = index == 1 ? lines.1 : index == 2 ? lines.2 : maxima(first + index)
            word.take(load(line + window * rowWidth), &largest, knowsNaN: knowsNaN)
          }
          if !isStreamed { platform_prefetch_to_write(y + (window + prefetchedPixels) * rowWidth) }
          store(isOrdered ? order(largest) : largest, y + window * rowWidth, streamed: isStreamed)
          window += 1
        }
        word.write(place, kernel: kernel, count: end - start)
        place += rowWidth
      }
      y += windows * rowWidth
      target += wordsPerRow * rowWidth
    }
  }
}
