/// How images lie in memory, as the first layer reads them.
public enum ImageLayout: Hashable, Sendable {
  /// [batch][height][width][channels], so that a row of a window is one run of floats with none to spare.
  case pixels
  /// [batch][height / 2][width / 2][16], of 2 × 2 pixels the channels of each: so that windows of stride 2 have stride 1.
  case phases(ImagePhases)
}

/// Images as the first layer reads them.
///
/// Sendable because it is only a description; who may write when is a matter of its users.
public struct Images: @unchecked Sendable {
  /// The first float.
  public let pointer: UnsafeMutablePointer<Float>
  /// Samples.
  public let batch: Int
  /// Rows of pixels of a sample.
  public let height: Int
  /// Pixels in such a row.
  public let width: Int
  /// Channels of a pixel.
  public let channels: Int
  /// How they lie.
  public let layout: ImageLayout

  /// Describes memory that somebody else owns.
  public init(
    pointer: UnsafeMutablePointer<Float>, batch: Int, height: Int, width: Int, channels: Int,
    layout: ImageLayout = .pixels
  ) {
    require(batch >= 0 && height > 0 && width > 0 && channels > 0, "images have pixels and channels")
    if case .phases(let phases) = layout { phases.check(height: height, width: width, channels: channels) }
    self.pointer = pointer
    (self.batch, self.height, self.width, self.channels) = (batch, height, width, channels)
    self.layout = layout
  }

  /// Floats that images of this shape take.
  public static func floatCount(
    batch: Int, height: Int, width: Int, channels: Int, layout: ImageLayout = .pixels
  ) -> Int {
    switch layout {
    case .pixels: batch * height * width * channels
    case .phases(let phases): batch * phases.height * phases.width * rowWidth
    }
  }
}

/// Writes images from NCHW order.
public func loadImages(nchw: UnsafePointer<Float>, into images: Images, pool: ThreadPool) {
  switch images.layout {
  case .pixels: loadPixels(nchw, into: images, pool)
  case .phases(let phases): phases.load(nchw, into: images, pool)
  }
}

private func loadPixels(_ nchw: FloatPointer, into images: Images, _ pool: ThreadPool) {
  let (height, width, channels) = (images.height, images.width, images.channels), area = height * width
  pool.forEach(images.batch * height) { item, _ in
    let sample = item / height, row = item % height
    let source = nchw + sample * channels * area + row * width
    let target = images.pointer + item * width * channels
    for channel in 0..<channels {
      for column in 0..<width { target[column * channels + channel] = source[channel * area + column] }
    }
  }
}
