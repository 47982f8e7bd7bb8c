import Lockstep

/// CIFAR-10 in its binary form: `data_batch_*.bin` for training, `test_batch.bin` for validation.
///
/// Class names come from `batches.meta.txt` where it is there, which then also says how many classes there are.
public struct CIFAR10: Dataset, DatasetFormat {
  public static let name = "cifar10"
  public static let summary = "CIFAR-10's binary files"
  static let classNames = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

  public let spec: String
  public let classNames: [String]
  public let defaultNormalization = PixelNormalization.cifar
  public let storedSize: Int? = CIFARRecords.side
  private let records: CIFARRecords

  public static func recognizes(directory: String) -> Bool {
    guard let names = try? visibleNames(in: directory) else { return false }
    return names.contains { $0 == "test_batch.bin" || isTrainingBatch($0) }
  }

  public static func open(
    _ place: String, role: DatasetRole, imageSize: Int, checkingFiles: Bool
  ) throws(DatasetError) -> any Dataset {
    try CIFAR10(directory: place, role: role)
  }

  /// Opens the files of a role; a folder that has those of one role only serves both.
  public init(directory: String, role: DatasetRole) throws(DatasetError) {
    let names = directory.isEmpty ? [] : try visibleNames(in: directory)
    // By number: batch 10 comes after batch 9.
    let training = names.filter(Self.isTrainingBatch).sorted { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    let paths = try filesOfRole(
      role, training: training, validation: names.filter { $0 == "test_batch.bin" }, directory: directory,
      format: Self.name)
    classNames = try Datasets.classNames(inFile: directory + "/batches.meta.txt") ?? Self.classNames
    records = try CIFARRecords(paths: paths, labelBytes: 1, classes: classNames.count)
    spec = Self.name + ":" + directory
  }

  private static func isTrainingBatch(_ name: String) -> Bool {
    name.hasPrefix("data_batch_") && name.hasSuffix(".bin")
  }

  public var count: Int { records.count }
  public func name(ofSample index: Int) -> String { records.name(index) }
  public func label(ofSample index: Int) -> Int { records.label(index) }
  public func byteCount(ofSample index: Int) -> Int { CIFARRecords.pixelBytes }
  public func sample(at index: Int) throws -> EncodedSample { try records.sample(index) }
}
