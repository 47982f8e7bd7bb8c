/// What a picture may be at most; checked before anything is allocated for it.
public enum ImageLimits {
  /// Bytes of an encoded picture.
  public static let encodedBytes = 64 << 20
  /// Pixels of a side.
  public static let side = 16_384
  /// Pixels in all.
  public static let pixels = 64 << 20
}

/// A decoded picture: red, green and blue bytes of one pixel after the other, row after row.
struct Picture: Hashable, Sendable {
  let width: Int
  let height: Int
  let pixels: [UInt8]

  init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == 3 * width * height, "three bytes a pixel")
    (self.width, self.height, self.pixels) = (width, height, pixels)
  }

  /// Three planes of bytes, one after the other.
  init(planes: [UInt8], width: Int, height: Int) {
    let count = width * height
    precondition(planes.count == 3 * count, "three planes")
    var pixels = [UInt8](repeating: 0, count: 3 * count)
    for index in 0..<count {
      for channel in 0..<3 { pixels[3 * index + channel] = planes[channel * count + index] }
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  /// One plane that becomes three equal channels.
  init(grey: [UInt8], width: Int, height: Int) {
    var pixels = [UInt8](repeating: 0, count: 3 * grey.count)
    for index in grey.indices {
      for channel in 0..<3 { pixels[3 * index + channel] = grey[index] }
    }
    self.init(width: width, height: height, pixels: pixels)
  }
}

/// Why bytes are not a picture.
struct ImageError: Error, Hashable {
  let reason: String
}

/// The kinds of picture files that are understood.
enum ImageKind {
  case jpeg, png

  /// How many bytes tell the kind.
  static let magicBytes = 8

  /// Tells the kind by the first bytes, never by a name.
  init?(magic bytes: [UInt8]) {
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else {
      return nil
    }
  }
}

extension Picture {
  /// Decodes a sample of any encoding.
  init(_ sample: EncodedSample) throws(ImageError) {
    let (bytes, width, height) = (sample.bytes, sample.width, sample.height)
    guard bytes.count <= ImageLimits.encodedBytes else { throw ImageError(reason: "it has more than 64 MiB") }
    switch sample.encoding {
    case .imageFile:
      switch ImageKind(magic: bytes) {
      case .jpeg: self = try decodeJPEG(bytes)
      case .png: self = try decodePNG(bytes)
      case nil: throw ImageError(reason: "it is neither a JPEG nor a PNG file")
      }
    case .planarRGB, .grey:
      try checkImageSize(width: width, height: height)
      let channels = sample.encoding == .grey ? 1 : 3
      guard bytes.count == channels * width * height else {
        throw ImageError(reason: "\(bytes.count) bytes are not \(channels) planes of \(width)×\(height) pixels")
      }
      if sample.encoding == .grey {
        self.init(grey: bytes, width: width, height: height)
      } else {
        self.init(planes: bytes, width: width, height: height)
      }
    }
  }
}

/// Refuses sizes beyond the limits.
func checkImageSize(width: Int, height: Int) throws(ImageError) {
  guard (1...ImageLimits.side).contains(width), (1...ImageLimits.side).contains(height),
    width * height <= ImageLimits.pixels
  else { throw ImageError(reason: "its size of \(width)×\(height) pixels is not within the limits") }
}
