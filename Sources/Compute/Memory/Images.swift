/// Images as the first layer reads them: [batch][height][width][channels], so that a row of a window is one run of floats
/// with none to spare.
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
  /// Floats of a pixel.
  public let channels: Int

  /// Describes memory that somebody else owns.
  public init(pointer: UnsafeMutablePointer<Float>, batch: Int, height: Int, width: Int, channels: Int) {
    require(batch >= 0 && height > 0 && width > 0 && channels > 0, "images have pixels and channels")
    self.pointer = pointer
    (self.batch, self.height, self.width, self.channels) = (batch, height, width, channels)
  }

  /// Floats that images of this shape take.
  public static func floatCount(batch: Int, height: Int, width: Int, channels: Int) -> Int {
    batch * height * width * channels
  }
}

/// Writes images from NCHW order.
public func loadImages(nchw: UnsafePointer<Float>, into images: Images, pool: ThreadPool) {
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
