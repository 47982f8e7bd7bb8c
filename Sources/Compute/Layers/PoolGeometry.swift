/// The windows of a pooling layer, square and the same along both axes.
public struct PoolGeometry: Hashable, Sendable {
  /// Pixels of a window along an axis.
  public let kernel: Int
  /// Pixels from one window to the next.
  public let stride: Int
  /// Pixels added on each side; at most half a window.
  public let padding: Int
  /// Whether a last window that is not full counts.
  public let ceilMode: Bool

  /// Windows as a layer states them.
  public init(kernel: Int, stride: Int, padding: Int, ceilMode: Bool) {
    require(
      kernel > 0 && stride > 0 && padding >= 0 && padding <= kernel / 2,
      "a pool has a window, a stride, and a padding of at most half the window")
    (self.kernel, self.stride, self.padding, self.ceilMode) = (kernel, stride, padding, ceilMode)
  }

  /// Windows along an axis of n pixels, as PyTorch counts them: none begins in the padding at the end.
  public func outputSize(_ n: Int) -> Int {
    let room = n + 2 * padding - kernel
    guard room >= 0 || (ceilMode && room + stride > 0) else { return 0 }
    var count = (room + (ceilMode ? stride - 1 : 0)) / stride + 1
    if ceilMode && (count - 1) * stride >= n + padding { count -= 1 }
    return count
  }

  /// The pixels of a window that exist.
  @inline(__always) func window(_ index: Int, of n: Int) -> Range<Int> {
    let start = index * stride - padding
    return max(0, start)..<min(n, start + kernel)
  }

  /// The pixels of a window that an average counts along an axis if padding counts: those up to the end padding.
  @inline(__always) func countedSize(_ index: Int, of n: Int) -> Int {
    let start = index * stride - padding
    return min(start + kernel, n + padding) - start
  }

  /// Floats of scratch that the kernels of a pool need for an input of this width.
  public func scratchCount(width: Int, threads: Int) -> Int {
    let axis = PoolAxis(self, pixels: width)
    return threads * max(AverageWindows.scratchCount(axis, axis), MaxPoolGradient.floatCount(self, width: width))
  }

  func check(_ x: PanelTensor, _ y: PanelTensor) {
    require(
      y.height == outputSize(x.height) && y.width == outputSize(x.width) && x.batch == y.batch
        && x.channels == y.channels, "the tensors of a pool have the shapes that its windows give")
  }
}
