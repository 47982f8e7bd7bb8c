import Lockstep

/// Grey pictures in IDX files, as MNIST and Fashion-MNIST have them: `train-*` for training, `t10k-*` for validation.
///
/// | offset | size | meaning |
/// |---|---|---|
/// | 0 | 4 | 0, 0, 8 (bytes), number of dimensions: 3 of pictures, 1 of labels |
/// | 4 | 4 each | the dimensions, big-endian |
/// | | | the data, last dimension fastest |
///
/// 28×28 pictures get a border of two black pixels where the run's image size is 32.
///
/// - Source: LeCun, Cortes and Burges, the MNIST database's description of its file formats.
public struct IDX: Dataset, DatasetFormat {
  public static let name = "idx"
  public static let summary = "MNIST's and Fashion-MNIST's IDX files"

  public let spec: String
  public let classNames: [String]
  public let defaultNormalization = PixelNormalization.half
  private let images: RandomAccessFile
  private let labels: [UInt8]
  private let height: Int, width: Int
  /// Black pixels added on each side.
  private let border: Int
  private static let imageHeader = 16, labelHeader = 8

  public static func recognizes(directory: String) -> Bool {
    DatasetRole.allCases.contains { find("images", 3, $0, in: directory) != nil }
      || DatasetRole.allCases.contains { find("images", 3, $0, in: directory, suffix: ".gz") != nil }
  }

  public static func open(
    _ place: String, role: DatasetRole, imageSize: Int, checkingFiles: Bool
  ) throws(DatasetError) -> any Dataset {
    try IDX(directory: place, role: role, imageSize: imageSize)
  }

  /// Opens the files of a role; a folder that has those of one role only serves both.
  public init(directory: String, role: DatasetRole, imageSize: Int) throws(DatasetError) {
    let paths = try Self.paths(directory, role: role)
    images = try RandomAccessFile(paths.images)
    let sizes = try Self.dimensions(of: images, count: 3)
    let (count, height, width) = (sizes[0], sizes[1], sizes[2])
    do { try checkImageSize(width: width, height: height) } catch {
      throw .damaged(path: paths.images, reason: error.reason)
    }
    let labelFile = try RandomAccessFile(paths.labels)
    guard try Self.dimensions(of: labelFile, count: 1) == [count] else {
      throw .damaged(
        path: paths.labels, reason: "it has not one label for each of the \(count) pictures of '\(paths.images)'")
    }
    guard count > 0 else { throw .damaged(path: paths.images, reason: "it has no pictures") }
    labels = try labelFile.read(at: Self.labelHeader, count: count)
    classNames = (0..<max(10, Int(labels.max() ?? 0) + 1)).map(String.init)
    (self.height, self.width) = (height, width)
    border = imageSize == 32 && height == 28 && width == 28 ? 2 : 0
    spec = Self.name + ":" + directory
  }

  /// Reads and checks a header: bytes, as many dimensions as expected, and exactly as much data as they say.
  private static func dimensions(of file: RandomAccessFile, count: Int) throws(DatasetError) -> [Int] {
    let headerBytes = 4 + 4 * count
    guard file.size >= headerBytes else { throw .damaged(path: file.path, reason: "it is cut short") }
    let header = try file.read(at: 0, count: headerBytes)
    guard header[0] == 0, header[1] == 0, header[2] == 8, header[3] == count else {
      throw .damaged(path: file.path, reason: "it is no IDX file of bytes with \(count) dimensions")
    }
    let sizes = (1...count).map { dimension in header[4 * dimension..<4 * dimension + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    // Three 32-bit sizes do not always fit 64 bits.
    var product = 1
    for size in sizes {
      let (next, overflows) = product.multipliedReportingOverflow(by: size)
      guard !overflows else { throw .damaged(path: file.path, reason: "its sizes \(sizes) are impossible") }
      product = next
    }
    guard file.size - headerBytes == product else {
      let reason =
        "it has \(file.size - headerBytes) bytes of data where its sizes \(sizes) make \(product); copy it anew"
      throw .damaged(path: file.path, reason: reason)
    }
    return sizes
  }

  private static func paths(_ directory: String, role: DatasetRole) throws(DatasetError) -> (
    images: String, labels: String
  ) {
    guard !directory.isEmpty else { throw .invalid(what: "idx", reason: "say which folder: idx:DIR") }
    let roles = [role, role == .training ? .validation : .training]
    for role in roles {
      guard let images = find("images", 3, role, in: directory) else { continue }
      guard let labels = find("labels", 1, role, in: directory) else {
        if let packed = find("labels", 1, role, in: directory, suffix: ".gz") { throw compressed(packed) }
        throw .damaged(path: directory, reason: "the labels of '\(images)' are missing")
      }
      return (images, labels)
    }
    for role in roles {
      if let packed = find("images", 3, role, in: directory, suffix: ".gz") { throw compressed(packed) }
    }
    throw .damaged(path: directory, reason: "it has no train-images-idx3-ubyte and no t10k-images-idx3-ubyte")
  }

  private static func compressed(_ path: String) -> DatasetError {
    .damaged(path: path, reason: "compressed files are not read; unpack it first: gunzip '\(path)'")
  }

  private static func find(
    _ kind: String, _ dimensions: Int, _ role: DatasetRole, in directory: String, suffix: String = ""
  ) -> String? {
    let part = role == .training ? "train" : "t10k"
    return ["-", "."].map { "\(directory)/\(part)-\(kind)\($0)idx\(dimensions)-ubyte\(suffix)" }.first(where: isFile)
  }

  public var count: Int { labels.count }
  public var storedSize: Int? { height == width ? height + 2 * border : nil }
  public func name(ofSample index: Int) -> String { "\(images.path.split(separator: "/").last ?? "")#\(index)" }
  public func label(ofSample index: Int) -> Int { Int(labels[index]) }
  public func byteCount(ofSample index: Int) -> Int { (height + 2 * border) * (width + 2 * border) }

  public func sample(at index: Int) throws -> EncodedSample {
    precondition(index >= 0 && index < count, "a sample of this dataset")
    let stored = try images.read(at: Self.imageHeader + index * height * width, count: height * width)
    let (paddedHeight, paddedWidth) = (height + 2 * border, width + 2 * border)
    var bytes = stored
    if border > 0 {
      bytes = [UInt8](repeating: 0, count: paddedHeight * paddedWidth)
      for row in 0..<height {
        for column in 0..<width {
          bytes[(row + border) * paddedWidth + column + border] = stored[row * width + column]
        }
      }
    }
    return EncodedSample(
      bytes: bytes, label: label(ofSample: index), encoding: .grey, height: paddedHeight, width: paddedWidth,
      channels: 1,
      name: name(ofSample: index))
  }
}
