/// Which pixel of each window of a max pool is the largest: what its backward pass has to know.
///
/// The pixels of a window are compared in two passes: those in each row of the input, and then the largest ones of the
/// rows. A comparison of a pixel with the largest one before it is one bit: kernel − 1 bits for the columns of each window
/// along each row of the input, and as many for the rows of each window. The last pixel whose bit is set is the largest,
/// or the first one if none is.
///
/// The bits of a row of windows lie in words of 32, [words][16 channels], the first window in the highest bits: so they
/// are written and read by shifts, and never packed. A panel has the words of all rows of the input, [samples][rows], and
/// then those of the output.
///
/// Sendable because it is only a description; who may write when is a matter of its users.
public struct Winners: @unchecked Sendable {
  private let pointer: UnsafeMutablePointer<Int32>
  private let batch, height, outputHeight: Int
  /// Words of a row of windows, for each of 16 channels.
  let wordsPerRow: Int

  /// Describes memory that somebody else owns, `count` words of 32 bits.
  ///
  /// - Parameters:
  ///   - height: rows of the input.
  ///   - width: pixels in such a row.
  public init(_ pointer: UnsafeMutablePointer<Int32>, _ geometry: PoolGeometry, batch: Int, height: Int, width: Int) {
    (self.pointer, self.batch, self.height) = (pointer, batch, height)
    outputHeight = geometry.outputSize(height)
    wordsPerRow = Self.wordsPerRow(geometry, width: width)
  }

  /// Words of 32 bits for all channels, given the shape of the input.
  public static func count(_ geometry: PoolGeometry, batch: Int, height: Int, width: Int, channels: Int) -> Int {
    dividedUp(channels, rowWidth) * rowWidth * batch * (height + geometry.outputSize(height))
      * wordsPerRow(geometry, width: width)
  }

  /// Words of a row of windows, for each of 16 channels, given the width of the input.
  static func wordsPerRow(_ geometry: PoolGeometry, width: Int) -> Int {
    dividedUp(geometry.outputSize(width), WinnerWord.windows(geometry.kernel))
  }

  /// The columns that won along a row of the input.
  @inline(__always) func columns(_ panel: Int, _ sample: Int, _ row: Int) -> UnsafeMutablePointer<Int32> {
    rows(of: panel) + (sample * height + row) * wordsPerRow * rowWidth
  }

  /// The rows that won in a row of the output.
  @inline(__always) func rows(_ panel: Int, _ sample: Int, _ row: Int) -> UnsafeMutablePointer<Int32> {
    rows(of: panel) + (batch * height + sample * outputHeight + row) * wordsPerRow * rowWidth
  }

  @inline(__always) private func rows(of panel: Int) -> UnsafeMutablePointer<Int32> {
    pointer + panel * batch * (height + outputHeight) * wordsPerRow * rowWidth
  }
}

/// The bits of some windows in a row, a word for each of 16 channels, in registers.
struct WinnerWord {
  private var bits: SIMD16<Int32>

  /// Windows in a word: all bits of one are in the same word.
  @inline(__always) static func windows(_ kernel: Int) -> Int { 32 / max(1, kernel - 1) }

  /// One without windows.
  @inline(__always) init() { bits = .zero }

  @inline(__always) init(_ pointer: UnsafePointer<Int32>) {
    bits = UnsafeRawPointer(pointer).loadUnaligned(as: SIMD16<Int32>.self)
  }

  /// Writes the word, given how many windows it has.
  @inline(__always) func write(_ pointer: UnsafeMutablePointer<Int32>, kernel: Int, count: Int) {
    let shift = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: 32 - count * (kernel - 1)))
    UnsafeMutableRawPointer(pointer).storeBytes(of: bits &<< shift, as: SIMD16<Int32>.self)
  }

  /// Takes the larger one of the largest pixel so far and the next, and notes which it was.
  ///
  /// - Parameter knowsNaN: whether the first NaN is the largest; otherwise there is none but `paddingBefore`.
  @inline(__always) mutating func take(_ next: Row, _ largest: inout Row, knowsNaN: Bool) {
    var wins = .!(next .<= largest)
    if knowsNaN { wins = wins .& ((largest .== largest) .| isPaddingBefore(largest)) }
    // What is true is −1.
    bits = bits &+ bits &- unsafeBitCast(wins, to: SIMD16<Int32>.self)
    largest = choose(wins, next, largest)
  }

  /// Gives a value of the next window to its pixel that won, and zero to the others, the last one first.
  @inline(__always) mutating func split(_ value: Row, kernel: Int, _ body: (_ index: Int, _ part: Row) -> Void) {
    var rest = value
    for index in (1..<max(1, kernel)).reversed() {
      let place = SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: index - 1))
      let wins = unsafeBitCast((bits &<< place) &>> SIMD16<Int32>(repeating: 31), to: RowMask.self)
      body(index, choose(wins, rest, .zero))
      rest = choose(wins, .zero, rest)
    }
    body(0, rest)
    bits = bits &<< SIMD16<Int32>(repeating: Int32(truncatingIfNeeded: kernel - 1))
  }
}

// MARK: Padding

/// Stands for the pixels before the first: whatever is compared with NaN as `take` compares wins. A NaN that no
/// computation gives, for a real one may be the largest pixel.
var paddingBefore: Row { Row(repeating: Float(bitPattern: .max)) }

/// Stands for the pixels behind the last: it is larger than none.
var paddingBehind: Row { Row(repeating: -.infinity) }

@inline(__always) private func isPaddingBefore(_ row: Row) -> RowMask {
  unsafeBitCast(row, to: SIMD16<Int32>.self) .== SIMD16<Int32>(repeating: -1)
}

/// A pixel that is no padding whatever its bits.
@inline(__always) func distinctFromPadding(_ pixel: Row) -> Row {
  choose(isPaddingBefore(pixel), Row(repeating: .nan), pixel)
}
