/// A rectangle of pixels.
struct PixelRectangle: Hashable, Sendable {
  var x: Int, y: Int
  var width: Int, height: Int
}

/// The weights of the input pixels that make each output pixel of one direction.
///
/// A triangle whose half width is one input pixel, or the scale where that is larger: the antialiased bilinear filter that
/// Pillow and torchvision use. Weights are rounded to multiples of 2^-22; sums are then sums of integers, which no order
/// and no vector width changes.
struct ResizingFilter {
  static let precision = 22

  /// For each output pixel that is wanted, its first input pixel.
  private(set) var starts: [Int] = []
  /// For each output pixel that is wanted, where its weights begin; one more at the end.
  private(set) var offsets: [Int] = [0]
  private(set) var weights: [Int32] = []

  /// - Parameter outputs: the output pixels that are wanted; all of them if nil.
  init(from inputSize: Int, to outputSize: Int, outputs: Range<Int>? = nil) {
    let scale = Double(inputSize) / Double(outputSize)
    let support = max(scale, 1)
    for output in outputs ?? 0..<outputSize {
      let center = (Double(output) + 0.5) * scale
      let first = max(0, Int(center - support + 0.5))
      let last = min(inputSize, Int(center + support + 0.5))
      let heights = (first..<last).map { input in max(0, 1 - abs((Double(input) - center + 0.5) * (1 / support))) }
      var sum = 0.0
      for height in heights { sum += height }
      for height in heights {
        weights.append(Int32(0.5 + height / sum * Double(1 << Self.precision)))
      }
      starts.append(first)
      offsets.append(weights.count)
    }
  }

  /// The input pixels that have a part in the output.
  var inputs: Range<Int> {
    guard let first = starts.first, let last = starts.last else { return 0..<0 }
    return first..<last + offsets[starts.count] - offsets[starts.count - 1]
  }

  /// The sum of one output pixel, counted from the first that is wanted, rounded to a byte; `input` is read at
  /// `base + stride · pixel`.
  func apply(_ output: Int, _ input: UnsafeBufferPointer<UInt8>, base: Int, stride: Int) -> UInt8 {
    var sum: Int32 = 1 << Int32(Self.precision - 1)
    var position = base + starts[output] * stride
    for index in offsets[output]..<offsets[output + 1] {
      sum &+= Int32(input[position]) &* weights[index]
      position += stride
    }
    return UInt8(clamping: sum >> Int32(Self.precision))
  }
}

extension Picture {
  /// The pixels of a rectangle within the picture.
  func cropped(to area: PixelRectangle) -> Picture {
    precondition(area.x >= 0 && area.y >= 0 && area.x + area.width <= width && area.y + area.height <= height, "within")
    if area.width == width && area.height == height { return self }
    var result: [UInt8] = []
    result.reserveCapacity(3 * area.width * area.height)
    for row in area.y..<area.y + area.height {
      let start = 3 * (row * width + area.x)
      result += pixels[start..<start + 3 * area.width]
    }
    return Picture(width: area.width, height: area.height, pixels: result)
  }

  /// The picture at another size, rows first, then columns; a direction whose size stays is not touched.
  func resized(width newWidth: Int, height newHeight: Int) -> Picture {
    resized(
      width: newWidth, height: newHeight, area: PixelRectangle(x: 0, y: 0, width: newWidth, height: newHeight))
  }

  /// A part of the picture at another size: the bytes of `resized(width:height:).cropped(to:)`, in the time and memory of
  /// the part alone.
  func resized(width newWidth: Int, height newHeight: Int, area: PixelRectangle) -> Picture {
    precondition(newWidth > 0 && newHeight > 0, "a size has pixels")
    precondition(
      area.x >= 0 && area.y >= 0 && area.width > 0 && area.height > 0 && area.x + area.width <= newWidth
        && area.y + area.height <= newHeight, "a part of the resized picture")
    let (columns, rows) = (area.x..<area.x + area.width, area.y..<area.y + area.height)
    let filter = newHeight == height ? nil : ResizingFilter(from: height, to: newHeight, outputs: rows)
    let wide = resizedAcross(newWidth, columns: columns, rows: filter?.inputs ?? rows)
    return filter.map { wide.resizedDown($0, firstRow: $0.inputs.lowerBound) } ?? wide
  }

  /// Some rows of the picture, with some of the columns that it has at another width.
  private func resizedAcross(_ newWidth: Int, columns: Range<Int>, rows: Range<Int>) -> Picture {
    guard newWidth != width else {
      return cropped(
        to: PixelRectangle(x: columns.lowerBound, y: rows.lowerBound, width: columns.count, height: rows.count))
    }
    let filter = ResizingFilter(from: width, to: newWidth, outputs: columns)
    let byteCount = 3 * columns.count * rows.count
    let result = [UInt8](unsafeUninitializedCapacity: byteCount) { target, count in
      pixels.withUnsafeBufferPointer { source in
        var place = 0
        for row in rows {
          for column in 0..<columns.count {
            for channel in 0..<3 {
              target[place] = filter.apply(column, source, base: 3 * row * width + channel, stride: 3)
              place += 1
            }
          }
        }
      }
      count = byteCount
    }
    return Picture(width: columns.count, height: rows.count, pixels: result)
  }

  /// The rows that a filter wants, of a picture whose first row is the input's row `firstRow`.
  private func resizedDown(_ filter: ResizingFilter, firstRow: Int) -> Picture {
    let rowBytes = 3 * width, newHeight = filter.starts.count
    let result = [UInt8](unsafeUninitializedCapacity: rowBytes * newHeight) { target, count in
      pixels.withUnsafeBufferPointer { source in
        for row in 0..<newHeight {
          for byte in 0..<rowBytes {
            target[row * rowBytes + byte] = filter.apply(
              row, source, base: byte - firstRow * rowBytes, stride: rowBytes)
          }
        }
      }
      count = rowBytes * newHeight
    }
    return Picture(width: width, height: newHeight, pixels: result)
  }
}
