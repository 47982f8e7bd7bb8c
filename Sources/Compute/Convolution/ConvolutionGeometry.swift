/// The shape of a convolution's window and of its channels; cross-correlation with zero padding, as everywhere in the field.
public struct ConvolutionGeometry: Hashable, Sendable {
  /// Channels that it reads.
  public let inputChannels: Int
  /// Channels that it writes.
  public let outputChannels: Int
  /// Rows of the window.
  public let kernelHeight: Int
  /// Columns of the window.
  public let kernelWidth: Int
  /// Rows from one window to the next.
  public let strideHeight: Int
  /// Columns from one window to the next.
  public let strideWidth: Int
  /// Rows of zeros above and below the image.
  public let paddingHeight: Int
  /// Columns of zeros left and right of the image.
  public let paddingWidth: Int

  /// A window as a layer states it.
  public init(
    inputChannels: Int, outputChannels: Int, kernelHeight: Int, kernelWidth: Int, strideHeight: Int, strideWidth: Int,
    paddingHeight: Int, paddingWidth: Int
  ) {
    require(inputChannels > 0 && outputChannels > 0, "a convolution has channels")
    require(
      kernelHeight > 0 && kernelWidth > 0 && strideHeight > 0 && strideWidth > 0, "a window has a size and a stride")
    require(paddingHeight >= 0 && paddingWidth >= 0, "padding is not negative")
    (self.inputChannels, self.outputChannels) = (inputChannels, outputChannels)
    (self.kernelHeight, self.kernelWidth) = (kernelHeight, kernelWidth)
    (self.strideHeight, self.strideWidth) = (strideHeight, strideWidth)
    (self.paddingHeight, self.paddingWidth) = (paddingHeight, paddingWidth)
  }

  /// Rows of the output for an input of this height.
  public func outputHeight(_ height: Int) -> Int { (height + 2 * paddingHeight - kernelHeight) / strideHeight + 1 }

  /// Columns of the output for an input of this width.
  public func outputWidth(_ width: Int) -> Int { (width + 2 * paddingWidth - kernelWidth) / strideWidth + 1 }

  /// Elements of the weight tensor, [outputChannels, inputChannels, kernelHeight, kernelWidth].
  public var weightCount: Int { outputChannels * inputChannels * kernelHeight * kernelWidth }

  /// Whether each output pixel is made of the one input pixel in its place.
  public var isPointwise: Bool {
    kernelHeight == 1 && kernelWidth == 1 && strideHeight == 1 && strideWidth == 1 && paddingHeight == 0
      && paddingWidth == 0
  }
}
