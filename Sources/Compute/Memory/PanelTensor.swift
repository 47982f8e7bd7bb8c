/// A tensor of activations or gradients as panels of 16 channels: [ceil(C/16)][batch·height·width][16].
///
/// A row of a panel (one pixel, 16 channels) is one cache line. Some whole panels of a tensor are a tensor, so that the
/// branches of a concatenation write their own panels of it. Lanes beyond `channels` in the last panel are zero: every
/// kernel relies on that and keeps it (as long as the values are finite).
///
/// Sendable because it is only a description; who may write when is a matter of its users.
public struct PanelTensor: @unchecked Sendable {
  /// The first float of the first panel.
  public let pointer: UnsafeMutablePointer<Float>
  /// Samples.
  public let batch: Int
  /// Rows of pixels of a sample.
  public let height: Int
  /// Pixels in such a row.
  public let width: Int
  /// Channels, of which each panel but the last holds 16.
  public let channels: Int
  /// Floats from one panel to the next.
  public let panelStride: Int

  /// Describes memory that somebody else owns.
  public init(
    pointer: UnsafeMutablePointer<Float>, batch: Int, height: Int, width: Int, channels: Int, panelStride: Int
  ) {
    require(batch >= 0 && height > 0 && width > 0 && channels > 0, "a tensor has pixels and channels")
    require(panelStride >= batch * height * width * rowWidth, "the panels of a tensor do not overlap")
    (self.pointer, self.batch, self.height, self.width) = (pointer, batch, height, width)
    (self.channels, self.panelStride) = (channels, panelStride)
  }

  /// How many panels it has.
  public var panels: Int { dividedUp(channels, rowWidth) }

  /// Pixels of all samples, which are the rows of each panel.
  public var pixels: Int { batch * height * width }

  /// Floats from panel to panel for this many pixels.
  ///
  /// Kept away from multiples of 32 KiB: otherwise the same rows of all panels would compete for the same few lines of the
  /// second-level cache.
  public static func panelStride(pixels: Int) -> Int {
    let period = 512, distance = 48
    let past = pixels % period
    if pixels < period / 2 || (past >= distance && past <= period - distance) { return pixels * rowWidth }
    let padded = past < distance ? pixels - past + distance : pixels - past + period + distance
    return padded * rowWidth
  }

  /// Floats that a tensor of this shape takes.
  public static func floatCount(batch: Int, height: Int, width: Int, channels: Int) -> Int {
    dividedUp(channels, rowWidth) * panelStride(pixels: batch * height * width)
  }

  /// The address of a panel.
  @inline(__always) func panel(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * panelStride }

  /// Some whole panels as a tensor with this many channels.
  public func panels(_ range: Range<Int>, channels: Int) -> PanelTensor {
    require(
      range.lowerBound >= 0 && range.upperBound <= panels && dividedUp(channels, rowWidth) == range.count,
      "panels \(range) of \(panels) do not hold \(channels) channels")
    return PanelTensor(
      pointer: panel(range.lowerBound), batch: batch, height: height, width: width, channels: channels,
      panelStride: panelStride)
  }

  /// The same memory used for fewer samples.
  public func withBatch(_ count: Int) -> PanelTensor {
    require(count <= batch, "memory planned for \(batch) samples does not hold \(count)")
    return PanelTensor(
      pointer: pointer, batch: count, height: height, width: width, channels: channels, panelStride: panelStride)
  }

  /// Whether a layer that computes little had better write it past the caches: little of it would be there still when it is
  /// read.
  var isStreamed: Bool { rowsAreStreamed(panels * pixels, at: pointer) && panelStride % rowWidth == 0 }

  /// Whether the other tensor has as many samples, pixels and channels.
  func hasShape(of other: PanelTensor) -> Bool {
    batch == other.batch && height == other.height && width == other.width && channels == other.channels
  }
}

/// Whether so many rows at a place had better be written past the caches: where they are more than 4 MiB, about what a core
/// has of the last cache, and lie on lines of memory.
func rowsAreStreamed(_ rows: Int, at pointer: UnsafeMutablePointer<Float>) -> Bool {
  let lineBytes = rowWidth * MemoryLayout<Float>.stride
  return rows * lineBytes > 4 << 20 && Int(bitPattern: pointer) % lineBytes == 0
}
