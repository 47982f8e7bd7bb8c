import CPlatform

/// The largest pixels of the windows along a row of the input.
struct ColumnMaxima {
  let line: FloatPointer
  let normalization: Normalization?
  let panel: Int
  /// What to write, [windows][16].
  let maxima: MutableFloatPointer
  let winners: UnsafeMutablePointer<Int32>
  /// The sum of all pixels is added to this row: NaN if one of them is, or if there are both infinities.
  let sum: MutableFloatPointer
  let width, windows, padding: Int

  func write(_ geometry: PoolGeometry, knowsNaN: Bool) {
    switch (geometry.kernel, geometry.stride, normalization != nil) {
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
    write(geometry.kernel, geometry.stride, isNormalized: normalization != nil, knowsNaN: knowsNaN)
  }

  @inline(__always)
  private func write(_ kernel: Int, _ stride: Int, isNormalized: Bool, knowsNaN: Bool) {
    let normalization = isNormalized ? normalization?.panel(panel) ?? .identity : .identity
    var sum = load(self.sum)
    @inline(__always) func value(_ pixel: Int) -> Row {
      let stored = load(line + pixel * rowWidth), value = isNormalized ? normalization(stored) : stored
      sum += value
      return knowsNaN ? distinctFromPadding(value) : value
    }
    // Those whose pixels all exist.
    let inner = innerWindows(kernel, stride)
    // Pixels of the next such window that the one before has as well: each is normalised once.
    let keepsPixels = kernel == 3 && stride < 3
    var first = Row.zero, second = Row.zero
    if keepsPixels && !inner.isEmpty {
      first = value(inner.lowerBound * stride - padding)
      if stride == 1 { second = value(inner.lowerBound - padding + 1) }
    }
    var word = WinnerWord()
    @inline(__always) func put(_ window: Int, isInner: Bool) {
      let start = window * stride - padding
      @inline(__always) func pixel(_ index: Int) -> Row {
        guard !isInner && (start + index < 0 || start + index >= width) else { return value(start + index) }
        return start + index < 0 ? paddingBefore : paddingBehind
      }
      var largest: Row
      if isInner && keepsPixels {
        largest = first
        if stride == 2 { second = value(start + 1) }
        word.take(second, &largest, knowsNaN: knowsNaN)
        let third = value(start + 2)
        word.take(third, &largest, knowsNaN: knowsNaN)
        (first, second) = (stride == 1 ? second : third, third)
      } else {
        largest = pixel(0)
        for index in 1..<max(1, kernel) { word.take(pixel(index), &largest, knowsNaN: knowsNaN) }
      }
      store(largest, maxima + window * rowWidth)
    }
    var window = 0, target = winners
    while window < windows {
      let start = window, end = min(windows, start + WinnerWord.windows(kernel))
      word = WinnerWord()
      while window < min(end, inner.lowerBound) {
        put(window, isInner: false)
        window += 1
      }
      while window < min(end, inner.upperBound) {
        // The next row, for memory comes slowly where little is computed: row by row, the CPU does not foresee enough.
        let next = line + (window * stride + width) * rowWidth
        platform_prefetch(next)
        if stride == 2 { platform_prefetch(next + rowWidth) }
        put(window, isInner: true)
        window += 1
      }
      while window < end {
        put(window, isInner: false)
        window += 1
      }
      word.write(target, kernel: kernel, count: end - start)
      target += rowWidth
    }
    store(sum, self.sum)
  }

  @inline(__always) private func innerWindows(_ kernel: Int, _ stride: Int) -> Range<Int> {
    let start = min(windows, dividedUp(padding, stride))
    return start..<max(start, min(windows, (width + padding - kernel + stride) / stride))
  }
}

/// The largest values of the rows of windows: a row of the output.
struct RowMaxima {
  let scratch: MaxPoolScratch
  /// The first row of the windows, and the rows that exist, counted with the padding above them.
  let first: Int
  let existing: Range<Int>
  let winners: UnsafeMutablePointer<Int32>
  let y: MutableFloatPointer
  let windows: Int

  func write(_ kernel: Int, knowsNaN: Bool) {
    switch kernel {
    case _ where knowsNaN: writeAny(kernel, true)
    case 2: writeTwo()
    case 3: writeThree()
    default: writeAny(kernel, false)
    }
  }

  @inline(never) private func writeTwo() { combine(2, knowsNaN: false) }
  @inline(never) private func writeThree() { combine(3, knowsNaN: false) }
  @inline(never) private func writeAny(_ kernel: Int, _ knowsNaN: Bool) { combine(kernel, knowsNaN: knowsNaN) }

  /// What a row of the input was reduced to, or what stands for one that does not exist.
  @inline(__always) private func maxima(_ row: Int) -> MutableFloatPointer {
    guard row < existing.lowerBound || row >= existing.upperBound else { return scratch.row(row) }
    return row < existing.lowerBound ? scratch.before : scratch.behind
  }

  @inline(__always)
  private func combine(_ kernel: Int, knowsNaN: Bool) {
    let lines = (maxima(first), maxima(first + 1), maxima(first + 2))
    var window = 0, target = winners
    while window < windows {
      let start = window, end = min(windows, start + WinnerWord.windows(kernel))
      var word = WinnerWord()
      while window < end {
        var largest = load(lines.0 + window * rowWidth)
        for index in 1..<max(1, kernel) {
          let line = index == 1 ? lines.1 : index == 2 ? lines.2 : maxima(first + index)
          word.take(load(line + window * rowWidth), &largest, knowsNaN: knowsNaN)
        }
        platform_prefetch_to_write(y + (window + windows) * rowWidth)
        store(largest, y + window * rowWidth)
        window += 1
      }
      word.write(target, kernel: kernel, count: end - start)
      target += rowWidth
    }
  }
}
