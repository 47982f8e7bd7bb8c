import Glibc

/// What can go wrong with a file that is exchanged with other programs.
public enum InterchangeError: Error, Hashable, Sendable {
  /// The operating system refused to open or read a file.
  case cannotRead(path: String, code: Int32)
  /// The operating system refused to create, write or rename a file.
  case cannotWrite(path: String, code: Int32)
  /// A file ends before what it announces.
  case truncated(path: String, expectedBytes: Int, actualBytes: Int)
  /// A file's bytes are not what its format allows.
  case malformed(path: String, reason: String)
  /// A file is of a kind that is not read, or holds what is not read; the reason says what to do.
  case refused(path: String, reason: String)
  /// A file is well-formed, but lacks a tensor.
  case missingTensor(path: String, name: String)
  /// A tensor is there, but of another kind or size than asked for.
  case unexpectedTensor(path: String, name: String, reason: String)

  /// The exit code a program ends with: 73 where nothing could be written, else 65.
  public var exitCode: Int32 {
    if case .cannotWrite = self { return 73 }
    return 65
  }
}

extension InterchangeError {
  /// A file that ends before `count` bytes behind `start`. A file may ask for so many that no `Int` holds where they end.
  static func cutShort(path: String, start: Int, count: Int, actualBytes: Int) -> InterchangeError {
    let (end, overflows) = start.addingReportingOverflow(count)
    return .truncated(path: path, expectedBytes: overflows ? .max : end, actualBytes: actualBytes)
  }
}

extension InterchangeError: CustomStringConvertible {
  public var description: String { printable(sentence) }

  private var sentence: String {
    switch self {
    case .cannotRead(let path, let code):
      "cannot read '\(path)': \(errorText(code)); check the name and its permissions"
    case .cannotWrite(let path, let code):
      "cannot write '\(path)': \(errorText(code)); nothing was left behind, make room or choose another place"
    case .truncated(let path, let expected, let actual):
      "'\(path)' is cut short: it has \(actual) bytes where it announces \(expected); copy or write it anew"
    case .malformed(let path, let reason):
      "'\(path)' is damaged or of another format: \(reason); copy or write it anew"
    case .refused(let path, let reason): "'\(path)' is not read: \(reason)"
    case .missingTensor(let path, let name):
      "'\(path)' has no tensor '\(name)'; it is of another model or incomplete"
    case .unexpectedTensor(let path, let name, let reason):
      "the tensor '\(name)' of '\(path)' \(reason); it is of another model or was converted"
    }
  }
}

/// What the operating system calls an error number.
func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }

/// A text that a terminal may be shown, though parts of it come from a file: control characters, with which a terminal can be
/// made to do things, are replaced, and only its beginning is left of a very long one.
public func printable(_ text: String, limit: Int = 2000) -> String {
  var result = String.UnicodeScalarView()
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == limit { return String(result) + "…" }
    result.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
  }
  return String(result)
}
