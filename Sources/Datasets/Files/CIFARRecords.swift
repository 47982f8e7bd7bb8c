/// Samples of fixed size in CIFAR's binary files, one file after the other.
///
/// | offset | size | meaning |
/// |---|---|---|
/// | 0 | 1 or 2 | the label; of CIFAR-100 first the coarse label, then the fine one, which counts |
/// | | 1,024 | red, 32 rows of 32 |
/// | | 1,024 | green |
/// | | 1,024 | blue |
///
/// - Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009; its binary versions' descriptions.
struct CIFARRecords: Sendable {
  static let side = 32
  static let pixelBytes = 3 * side * side

  private let files: [RandomAccessFile]
  /// For each file, the index of its first record; one more at the end.
  private let starts: [Int]
  private let labels: [UInt8]
  private let labelBytes: Int

  /// Opens files and reads their labels.
  ///
  /// - Throws: `DatasetError` for a file that is empty or no whole number of records, and for a label outside `classes`.
  init(paths: [String], labelBytes: Int, classes: Int) throws(DatasetError) {
    let recordBytes = labelBytes + Self.pixelBytes
    var files: [RandomAccessFile] = []
    var starts = [0]
    var labels: [UInt8] = []
    for path in paths {
      let file = try RandomAccessFile(path)
      guard file.size > 0, file.size % recordBytes == 0 else {
        let reason = "its \(file.size) bytes are no whole number of records of \(recordBytes); copy it anew"
        throw .damaged(path: path, reason: reason)
      }
      let count = file.size / recordBytes
      // A thousand records at a time: few reads, and little memory.
      for first in stride(from: 0, to: count, by: 1024) {
        let part = min(1024, count - first)
        let bytes = try file.read(at: first * recordBytes, count: part * recordBytes)
        for record in 0..<part {
          let label = bytes[record * recordBytes + labelBytes - 1]
          guard label < classes else {
            throw .damaged(
              path: path, reason: "record \(first + record) has the label \(label), but there are \(classes) classes")
          }
          labels.append(label)
        }
      }
      files.append(file)
      starts.append(starts[starts.count - 1] + count)
    }
    (self.files, self.starts, self.labels, self.labelBytes) = (files, starts, labels, labelBytes)
  }

  var count: Int { labels.count }

  func label(_ index: Int) -> Int { Int(labels[index]) }

  func name(_ index: Int) -> String {
    let (file, record) = place(index)
    let name = files[file].path.split(separator: "/").last ?? ""
    return "\(name)#\(record)"
  }

  func sample(_ index: Int) throws(DatasetError) -> EncodedSample {
    let (file, record) = place(index)
    let offset = record * (labelBytes + Self.pixelBytes) + labelBytes
    return EncodedSample(
      bytes: try files[file].read(at: offset, count: Self.pixelBytes), label: label(index), encoding: .planarRGB,
      height: Self.side, width: Self.side, channels: 3, name: name(index))
  }

  private func place(_ index: Int) -> (file: Int, record: Int) {
    precondition(index >= 0 && index < count, "a sample of this dataset")
    let file = (starts.firstIndex { $0 > index } ?? starts.count) - 1
    return (file, index - starts[file])
  }
}

/// The names in a text file, one a line; nil if there is no such file.
func classNames(inFile path: String) throws(DatasetError) -> [String]? {
  guard isFile(path) else { return nil }
  guard let text = String(validating: try readFile(path, limit: 1 << 20), as: UTF8.self) else {
    throw .damaged(path: path, reason: "it is not UTF-8 text")
  }
  let lines = text.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
  guard (2...256).contains(lines.count), Set(lines).count == lines.count else {
    throw .damaged(path: path, reason: "it should name 2 to 256 different classes, one a line")
  }
  return lines
}

/// Chooses the files of a role from a folder that holds both parts of a dataset, or one, which then serves either role.
func filesOfRole(
  _ role: DatasetRole, training: [String], validation: [String], directory: String, format: String
) throws(DatasetError) -> [String] {
  guard !directory.isEmpty else { throw .invalid(what: format, reason: "say which folder: \(format):DIR") }
  let names =
    role == .training ? (training.isEmpty ? validation : training) : (validation.isEmpty ? training : validation)
  guard !names.isEmpty else {
    throw .damaged(path: directory, reason: "it has none of the files of \(format); perhaps one of its sub-folders has")
  }
  return names.map { directory + "/" + $0 }
}
