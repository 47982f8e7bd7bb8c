import Testing

@testable import Datasets

@Suite struct ResizingTests {
  /// ```python
  /// image = Image.frombytes("RGB", (w, h), noise(3 * w * h, 1)).resize((W, H), Image.BILINEAR)  # Pillow 13.0.0
  /// print("(%d, %d, %d, %d, 0x%08X)," % (w, h, W, H, zlib.crc32(image.tobytes())))
  /// ```
  @Test(arguments: [
    (23, 17, 8, 8, 0x51699E25),
    (23, 17, 32, 32, 0x311CD8DB),
    (23, 17, 7, 40, 0x2DBACAC1),
    (100, 75, 32, 32, 0x6F6EC518),
    (64, 64, 32, 32, 0x86B5230C),
    (5, 3, 224, 224, 0x4279B090),
    (333, 251, 224, 224, 0x52A32362),
    (40, 30, 40, 12, 0xC06888D3),
    (40, 30, 11, 30, 0x89208C2F),
    (1, 1, 8, 8, 0x874DAAEA),
    (3000, 2, 16, 16, 0x7CCDADD3),
  ]) func givesPillowsBytes(width: Int, height: Int, newWidth: Int, newHeight: Int, crc: Int) {
    let picture = Picture(width: width, height: height, pixels: noise(3 * width * height))
    let resized = picture.resized(width: newWidth, height: newHeight)
    #expect(resized.width == newWidth && resized.height == newHeight)
    #expect(crc32(resized.pixels) == UInt32(crc))
  }

  @Test func theSameSizeIsTheSamePicture() {
    let picture = Picture(width: 5, height: 4, pixels: noise(60))
    #expect(picture.resized(width: 5, height: 4) == picture)
  }

  /// Every output pixel is a mean: weights sum to one, up to the rounding of each.
  @Test(arguments: [(23, 8), (8, 23), (500, 224), (16_384, 1), (1, 500)]) func weightsSumToOne(from: Int, to: Int) {
    let filter = ResizingFilter(from: from, to: to)
    for output in 0..<to {
      let weights = filter.weights[filter.offsets[output]..<filter.offsets[output + 1]]
      #expect(abs(weights.reduce(0) { $0 + Int($1) } - 1 << 22) <= weights.count)
      #expect(filter.starts[output] >= 0 && filter.starts[output] + weights.count <= from)
    }
  }

  @Test func cropsAreTheirPixels() {
    let picture = Picture(width: 3, height: 3, pixels: (0..<27).map { UInt8($0) })
    let crop = picture.cropped(to: PixelRectangle(x: 1, y: 1, width: 2, height: 1))
    #expect(crop == Picture(width: 2, height: 1, pixels: [12, 13, 14, 15, 16, 17]))
  }
}
