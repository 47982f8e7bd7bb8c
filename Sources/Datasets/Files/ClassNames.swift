/// Reads the names of classes from a text file: UTF-8, one a line, in the order of the labels.
///
/// Lines may end as on Windows, the last one may lack its end, and a byte order mark is passed over.
///
/// - Throws: `DatasetError` if it cannot be read, has more than 16 MiB, is no such text, or has an empty line or one that
///   no terminal should be shown.
public func readClassNames(_ path: String) throws(DatasetError) -> [String] {
  var bytes = try readFile(path, limit: ClassNameLimits.fileBytes)[...]
  if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
  if bytes.last == UInt8(ascii: "\n") { bytes = bytes.dropLast() }
  var names: [String] = []
  for (number, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
    func damaged(_ reason: String) -> DatasetError {
      .damaged(path: path, reason: "line \(number + 1) \(reason); it should have the name of one class on each line")
    }
    let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    guard text.count <= ClassNameLimits.nameBytes else { throw damaged("has \(text.count) bytes") }
    guard let name = String(validating: text, as: UTF8.self) else { throw damaged("is not UTF-8") }
    guard !name.allSatisfy(\.isWhitespace) else { throw damaged("is empty") }
    guard !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      throw damaged("has a control character")
    }
    names.append(name)
  }
  return names
}

/// What a file of names may be at most.
private enum ClassNameLimits {
  /// Bytes of the file: a million names, as many as a model may have classes.
  static let fileBytes = 16 << 20
  /// Bytes of a name.
  static let nameBytes = 1000
}
