/// A sample as it lies in a dataset or travels to a worker: bytes, and how to understand them.
public struct EncodedSample: Hashable, Sendable {
  /// How a sample's bytes are encoded.
  public enum Encoding: UInt8, Sendable, CaseIterable {
    /// A JPEG or PNG file; its first bytes say which.
    case imageFile = 0
    /// Three planes of bytes: red, green, blue.
    case planarRGB = 1
    /// One plane of bytes.
    case grey = 2
  }

  /// The encoded bytes.
  public var bytes: [UInt8]
  /// The class, an index into the dataset's class names.
  public var label: Int
  /// How the bytes are encoded.
  public var encoding: Encoding
  /// Pixels down and across; 0 where the bytes themselves say it.
  public var height: Int, width: Int
  /// Colour channels of the bytes; 0 where they themselves say it.
  public var channels: Int
  /// What error messages call the sample; may be empty.
  public var name: String

  /// Collects a sample.
  public init(
    bytes: [UInt8], label: Int, encoding: Encoding, height: Int = 0, width: Int = 0, channels: Int = 0,
    name: String = ""
  ) {
    (self.bytes, self.label, self.encoding, self.name) = (bytes, label, encoding, name)
    (self.height, self.width, self.channels) = (height, width, channels)
  }

  /// Reads a JPEG or PNG file that belongs to no dataset, as prediction does.
  ///
  /// - Throws: `DatasetError` if it cannot be read or is larger than `ImageLimits.encodedBytes`.
  public init(imageFile path: String, label: Int = 0) throws(DatasetError) {
    let bytes = try readFile(path, limit: ImageLimits.encodedBytes)
    self.init(bytes: bytes, label: label, encoding: .imageFile, name: path)
  }
}

/// Where samples come from: a dataset on this host, or whoever sends them.
public protocol SampleSource: Sendable {
  /// How many samples there are.
  var count: Int { get }

  /// Gets a sample; may block, and is called from several threads at once.
  ///
  /// A source that waits for others must offer a way to stop waiting, on which this throws.
  func sample(at index: Int) throws -> EncodedSample
}
