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

  /// For each output pixel, its first input pixel.
  private(set) var starts: [Int] = []
  /// For each output pixel, where its weights begin; one more at the end.
  private(set) var offsets: [Int] = [0]
  private(set) var weights: [Int32] = []

  init(from inputSize: Int, to outputSize: Int) {
    let scale = Double(inputSize) / Double(outputSize)
    let support = max(scale, 1)
    for output in 0..<outputSize {
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

  /// The sum of one output pixel, rounded to a byte; `input` is read at `base + stride · pixel`.
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
    precondition(newWidth > 0 && newHeight > 0, "a size has pixels")
    return resizedAcross(newWidth).resizedDown(newHeight)
  }

  private func resizedAcross(_ newWidth: Int) -> Picture {
    guard newWidth != width else { return self }
    let filter = ResizingFilter(from: width, to: newWidth)
    let result = [UInt8](unsafeUninitializedCapacity: 3 * newWidth * height) { target, count in
      pixels.withUnsafeBufferPointer { source in
        for row in 0..<height {
          for column in 0..<newWidth {
            for channel in 0..<3 {
              target[3 * (row * newWidth + column) + channel] =
                filter.apply(column, source, base: 3 * row * width + channel, stride: 3)
            }
          }
        }
      }
      count = 3 * newWidth * height
    }
    return Picture(width: newWidth, height: height, pixels: result)
  }

  private func resizedDown(_ newHeight: Int) -> Picture {
    guard newHeight != height else { return self }
    let filter = ResizingFilter(from: height, to: newHeight)
    let rowBytes = 3 * width
    let result = [UInt8](unsafeUninitializedCapacity: rowBytes * newHeight) { target, count in
      pixels.withUnsafeBufferPointer { source in
        for row in 0..<newHeight {
          for byte in 0..<rowBytes {
            target[row * rowBytes + byte] = filter.apply(row, source, base: byte, stride: rowBytes)
          }
        }
      }
      count = rowBytes * newHeight
    }
    return Picture(width: width, height: newHeight, pixels: result)
  }
}
