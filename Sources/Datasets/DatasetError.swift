import Glibc

/// What can go wrong with samples.
public enum DatasetError: Error, Hashable, Sendable {
  /// A dataset SPEC names no format that is known.
  case unknownFormat(spec: String, formats: [String])
  /// A dataset SPEC or a setting of a dataset makes no sense.
  case invalid(what: String, reason: String)
  /// The operating system refused to open, list or read something.
  case unreadable(path: String, code: Int32)
  /// A file or folder is not what its format allows.
  case damaged(path: String, reason: String)
  /// A sample's bytes are not the picture they should be.
  case undecodable(sample: String, reason: String)
  /// A folder that should be new has something in it.
  case occupied(path: String)
  /// The operating system refused to write something.
  case unwritable(path: String, code: Int32)
  /// Loading was cancelled, or a leaf was asked for that was not requested.
  case cancelled

  /// The exit code a program ends with: 2 usage, 73 cannot write, else 65 bad data.
  public var exitCode: Int32 {
    switch self {
    case .unknownFormat, .invalid: 2
    case .occupied, .unwritable: 73
    case .unreadable, .damaged, .undecodable, .cancelled: 65
    }
  }
}

extension DatasetError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownFormat(let spec, let formats):
      "'\(spec)' is no dataset: give FORMAT:PLACE with a format of \(formats.joined(separator: ", ")), or a folder of one"
    case .invalid(let what, let reason):
      "\(what): \(reason)"
    case .unreadable(let path, let code):
      "cannot read '\(path)': \(String(cString: strerror(code))); check the name and its permissions"
    case .damaged(let path, let reason):
      "'\(path)' cannot be used: \(reason)"
    case .undecodable(let sample, let reason):
      "the picture '\(sample)' cannot be decoded: \(reason); replace or remove it"
    case .occupied(let path):
      "'\(path)' is not empty: choose a new folder, nothing in it was changed"
    case .unwritable(let path, let code):
      "cannot write '\(path)': \(String(cString: strerror(code))); make room or choose another place"
    case .cancelled:
      "loading was cancelled"
    }
  }
}

/// A failure to get one sample of a leaf ready.
public struct SampleError: Error, CustomStringConvertible {
  /// The sample's index in its dataset.
  public let index: Int
  /// What its source or its decoding threw.
  public let underlying: any Error

  /// Says which sample an error belongs to.
  public init(index: Int, underlying: any Error) { (self.index, self.underlying) = (index, underlying) }

  public var description: String { "sample \(index): \(underlying)" }
}
