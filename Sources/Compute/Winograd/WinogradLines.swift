/// Where the lines of a strip lie, and which of them are inside the image.
struct WinogradLines {
  /// The image line of the strip's first, how many there are, and the lines of the image.
  private let first, count, height: Int
  /// Floats of a line.
  private let lineFloats: Int

  init(first: Int, count: Int, height: Int, lineFloats: Int) {
    (self.first, self.count, self.height, self.lineFloats) = (first, count, height, lineFloats)
  }

  /// Lines that nobody may touch.
  static var none: WinogradLines { WinogradLines(first: 0, count: 0, height: 0, lineFloats: 0) }

  /// Whether all lines are inside; there are some.
  var areInside: Bool { first >= 0 && first + count <= height && count > 0 }

  @inline(__always) func isInside(_ line: Int) -> Bool {
    line < count && first + line >= 0 && first + line < height
  }

  /// Floats from the image's first line to one that is inside.
  @inline(__always) func offset(_ line: Int) -> Int { (first + line) * lineFloats }

  /// The same for the nearest line that is inside.
  @inline(__always) func nearestOffset(_ line: Int) -> Int { max(0, min(height - 1, first + line)) * lineFloats }

  /// Zeroes what was loaded instead of a line outside.
  @inline(__always) func zeroOutside(_ value: Lanes, _ line: Int) -> Lanes {
    let mask = LaneBits(repeating: isInside(line) ? -1 : 0)
    return unsafeBitCast(unsafeBitCast(value, to: LaneBits.self) & mask, to: Lanes.self)
  }
}
