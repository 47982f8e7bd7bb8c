import Lockstep

/// A folder with one sub-folder of JPEG and PNG files for each class.
///
/// Classes are the sub-folders in byte order of their names; samples all files below them in byte order of their relative
/// paths. What a file is, its first bytes say, not its name. Names that begin with a dot are skipped.
public struct ImageFolder: Dataset, DatasetFormat {
  public static let name = "imagefolder"
  public static let summary = "a folder with a sub-folder of JPEG and PNG files for each class"
  /// Sub-folders of sub-folders that are followed, so that a loop of symbolic links ends.
  static let depthLimit = 16

  public let spec: String
  public let classNames: [String]
  public let defaultNormalization = PixelNormalization.imagenet
  public let storedSize: Int? = nil
  private let directory: String
  private let files: [File]

  private struct File {
    let path: String
    let label: Int
    let byteCount: Int
  }

  public static func recognizes(directory: String) -> Bool {
    guard let names = try? visibleNames(in: directory) else { return false }
    return names.contains { isDirectory(directory + "/" + $0) }
  }

  public static func open(
    _ place: String, role: DatasetRole, imageSize: Int, checkingFiles: Bool
  ) throws(DatasetError) -> any Dataset {
    try ImageFolder(directory: place, checkingFiles: checkingFiles)
  }

  /// Lists a folder and, if asked to, looks at the first bytes of every file.
  ///
  /// - Throws: `DatasetError` for fewer than two classes, a class without pictures, a file that cannot be read, and, if
  ///   files are checked, one that is neither JPEG nor PNG.
  public init(directory: String, checkingFiles: Bool = true) throws(DatasetError) {
    guard !directory.isEmpty else {
      throw .invalid(what: "imagefolder", reason: "say which folder: imagefolder:DIR")
    }
    var classNames: [String] = []
    for name in try visibleNames(in: directory) {
      if isDirectory(directory + "/" + name) {
        classNames.append(name)
      } else if checkingFiles, try Self.kind(of: directory + "/" + name) != nil {
        throw .damaged(
          path: directory + "/" + name, reason: "this picture lies in no class's folder; move or remove it")
      }
    }
    try Self.check(classNames, of: directory)
    var files: [File] = []
    for (label, name) in classNames.enumerated() {
      let before = files.count
      try Self.list(name, label: label, in: directory, depth: Self.depthLimit, checking: checkingFiles, into: &files)
      guard files.count > before else {
        throw .damaged(
          path: directory + "/" + name, reason: "this class has no pictures; add some or remove the folder")
      }
    }
    guard files.count <= UInt32.max else { throw .damaged(path: directory, reason: "it has too many files") }
    files.sort { precedes($0.path, $1.path) }
    (self.directory, self.classNames, self.files) = (directory, classNames, files)
    spec = Self.name + ":" + directory
  }

  private static func check(_ classNames: [String], of directory: String) throws(DatasetError) {
    if classNames.contains("train") && !Set(classNames).isDisjoint(with: ["validation", "val", "test"]) {
      let reason = "its sub-folders \(classNames.joined(separator: ", ")) are parts of a dataset, not classes; "
      throw .damaged(path: directory, reason: reason + "name one of them, as in imagefolder:\(directory)/train")
    }
    switch classNames.count {
    case 0: throw .damaged(path: directory, reason: "it has no sub-folders; each class needs one with its pictures")
    case 1:
      throw .damaged(
        path: directory, reason: "it has one class only, '\(classNames[0])'; there is nothing to tell apart")
    default: return
    }
  }

  private static func list(
    _ folder: String, label: Int, in directory: String, depth: Int, checking: Bool, into files: inout [File]
  ) throws(DatasetError) {
    let place = directory + "/" + folder
    guard depth > 0 else {
      throw .damaged(path: place, reason: "folders are nested too deeply, perhaps by a link to itself")
    }
    for name in try visibleNames(in: place) {
      let path = folder + "/" + name
      if isDirectory(directory + "/" + path) {
        try list(path, label: label, in: directory, depth: depth - 1, checking: checking, into: &files)
        continue
      }
      let file = try RandomAccessFile(directory + "/" + path)
      if checking, try kind(of: file) == nil {
        throw .damaged(
          path: directory + "/" + path, reason: "it is neither a JPEG nor a PNG file; remove or convert it")
      }
      files.append(File(path: path, label: label, byteCount: file.size))
    }
  }

  private static func kind(of path: String) throws(DatasetError) -> ImageKind? {
    isFile(path) ? try kind(of: RandomAccessFile(path)) : nil
  }

  private static func kind(of file: RandomAccessFile) throws(DatasetError) -> ImageKind? {
    ImageKind(magic: try file.read(at: 0, count: min(file.size, ImageKind.magicBytes)))
  }

  public var count: Int { files.count }
  public func name(ofSample index: Int) -> String { files[index].path }
  public func label(ofSample index: Int) -> Int { files[index].label }
  public func byteCount(ofSample index: Int) -> Int { files[index].byteCount }

  public func sample(at index: Int) throws -> EncodedSample {
    let file = files[index]
    let path = directory + "/" + file.path
    let bytes = try readFile(path, limit: ImageLimits.encodedBytes)
    return EncodedSample(bytes: bytes, label: file.label, encoding: .imageFile, name: path)
  }
}
