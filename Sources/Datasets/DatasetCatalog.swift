/// A format that datasets come in: one file in `Formats`, one line in `DatasetCatalog`.
public protocol DatasetFormat: SendableMetatype {
  /// What a SPEC calls it.
  static var name: String { get }
  /// What it is, in a few words.
  static var summary: String { get }

  /// Whether a folder looks like a dataset of this format.
  static func recognizes(directory: String) -> Bool

  /// Opens a dataset.
  ///
  /// - Parameters:
  ///   - place: what a SPEC says after the format's name and a colon; empty if nothing.
  ///   - checkingFiles: whether a file that is no picture is an error already here.
  static func open(
    _ place: String, role: DatasetRole, imageSize: Int, checkingFiles: Bool
  ) throws(DatasetError) -> any Dataset
}

/// The formats that are known.
public enum DatasetCatalog {
  /// Every format; a folder is tried against them in this order.
  public static let formats: [any DatasetFormat.Type] = [
    SyntheticDataset.self,
    CIFAR10.self,
    CIFAR100.self,
    IDX.self,
    ImageFolder.self,
  ]

  /// Opens the dataset that a SPEC names: `FORMAT:PLACE`, `synthetic`, or a folder whose format is guessed.
  ///
  /// - Parameters:
  ///   - role: which part of a dataset that holds both is meant.
  ///   - imageSize: the run's; it sizes synthetic pictures.
  ///   - checkingFiles: false leaves files that are no pictures among the samples, for an inspection to report.
  public static func open(
    _ spec: String, role: DatasetRole, imageSize: Int, checkingFiles: Bool = true
  ) throws(DatasetError) -> any Dataset {
    guard (1...ImageLimits.side).contains(imageSize) else {
      throw .invalid(what: "image size \(imageSize)", reason: "choose one of 1 to \(ImageLimits.side) pixels")
    }
    let parts = spec.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    if let format = formats.first(where: { $0.name == parts[0] }) {
      let place = parts.count > 1 ? parts[1] : ""
      return try format.open(place, role: role, imageSize: imageSize, checkingFiles: checkingFiles)
    }
    guard isDirectory(spec) else { throw .unknownFormat(spec: spec, formats: formats.map { $0.name }) }
    guard let format = formats.first(where: { $0.recognizes(directory: spec) }) else {
      throw .damaged(
        path: spec,
        reason:
          "it looks like no dataset of the formats \(formats.map { $0.name }.joined(separator: ", ")); say which it is")
    }
    return try format.open(spec, role: role, imageSize: imageSize, checkingFiles: checkingFiles)
  }
}
