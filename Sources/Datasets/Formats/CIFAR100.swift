import Lockstep

/// CIFAR-100 in its binary form: `train.bin` and `test.bin`, with the fine labels.
public struct CIFAR100: Dataset, DatasetFormat {
  public static let name = "cifar100"
  public static let summary = "CIFAR-100's binary files"

  public let spec: String
  public let classNames: [String]
  public let defaultNormalization = PixelNormalization.cifar100
  public let storedSize: Int? = CIFARRecords.side
  private let records: CIFARRecords

  public static func recognizes(directory: String) -> Bool {
    isFile(directory + "/train.bin") || isFile(directory + "/test.bin")
  }

  public static func open(
    _ place: String, role: DatasetRole, imageSize: Int, checkingFiles: Bool
  ) throws(DatasetError) -> any Dataset {
    try CIFAR100(directory: place, role: role)
  }

  /// Opens the file of a role; a folder that has that of one role only serves both.
  public init(directory: String, role: DatasetRole) throws(DatasetError) {
    let names = directory.isEmpty ? [] : try visibleNames(in: directory)
    let paths = try filesOfRole(
      role, training: names.filter { $0 == "train.bin" }, validation: names.filter { $0 == "test.bin" },
      directory: directory, format: Self.name)
    // The set comes with its fine labels' names beside it; without them the numbers are the names.
    classNames = try Datasets.classNames(inFile: directory + "/fine_label_names.txt") ?? (0..<100).map(String.init)
    records = try CIFARRecords(paths: paths, labelBytes: 2, classes: classNames.count)
    spec = Self.name + ":" + directory
  }

  public var count: Int { records.count }
  public func name(ofSample index: Int) -> String { records.name(index) }
  public func label(ofSample index: Int) -> Int { records.label(index) }
  public func byteCount(ofSample index: Int) -> Int { CIFARRecords.pixelBytes }
  public func sample(at index: Int) throws -> EncodedSample { try records.sample(index) }
}
