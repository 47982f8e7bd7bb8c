/// An open safetensors file: its header is read and checked at once, its tensors when they are asked for.
///
/// Safe to use from several threads: nothing changes after `init`, and reads name their own position.
public final class TensorFile: Sendable {
  /// The file.
  public let path: String
  /// What it holds, in the order of the bytes.
  public let tensors: [TensorInfo]
  /// The strings of its `__metadata__`.
  public let metadata: [String: String]

  private let file: RandomAccessFile
  private let dataStart: Int
  private let positions: [String: Int]

  /// Opens a file and checks its header against its size before anything is allocated for tensors.
  ///
  /// - Throws: `InterchangeError` naming the file and what is wrong with it.
  public init(path: String) throws(InterchangeError) {
    self.path = path
    file = try RandomAccessFile(path: path)
    let (header, dataStart) = try Self.header(file)
    (tensors, metadata, self.dataStart) = (header.tensors, header.metadata, dataStart)
    positions = Dictionary(uniqueKeysWithValues: header.tensors.enumerated().map { ($1.name, $0) })
  }

  /// What the file says of a tensor; nil if it has none of that name.
  public subscript(name: String) -> TensorInfo? { positions[name].map { tensors[$0] } }

  /// Reads the tensor `name`, row-major; Float16, BFloat16 and Float64 become Float32.
  public func floats(_ name: String) throws(InterchangeError) -> [Float] {
    let info = try info(name)
    var values = [Float](repeating: 0, count: info.count)
    var failure: InterchangeError?
    values.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      do throws(InterchangeError) { try read(name, into: base, count: info.count) } catch { failure = error }
    }
    if let failure { throw failure }
    return values
  }

  /// Reads the tensor `name`, row-major, to where its `count` values belong; Float16, BFloat16 and Float64 become Float32.
  ///
  /// - Throws: `.unexpectedTensor` if it has another number of values, or values that are not floating-point.
  public func read(_ name: String, into values: UnsafeMutablePointer<Float>, count: Int) throws(InterchangeError) {
    let info = try info(name)
    guard info.element.isFloatingPoint else { throw unexpected(info, "a floating-point type") }
    guard info.count == count else {
      throw .unexpectedTensor(path: path, name: name, reason: "has the shape \(info.shape), not \(count) values")
    }
    let position = dataStart + info.bytes.lowerBound
    guard info.element != .float32 else {
      return try file.read(at: position, into: UnsafeMutableRawPointer(values), count: info.bytes.count)
    }
    let bytes = try file.bytes(at: position, count: info.bytes.count)
    bytes.withUnsafeBytes { bytes in
      for index in 0..<count { values[index] = info.element.float(bytes, at: index) }
    }
  }

  /// Reads the tensor `name` of integers, row-major.
  public func integers(_ name: String) throws(InterchangeError) -> [Int64] {
    let info = try info(name)
    guard info.element.isInteger else { throw unexpected(info, "an integer type") }
    let bytes = try file.bytes(at: dataStart + info.bytes.lowerBound, count: info.bytes.count)
    return bytes.withUnsafeBytes { bytes in (0..<info.count).map { info.element.integer(bytes, at: $0) } }
  }

  private func info(_ name: String) throws(InterchangeError) -> TensorInfo {
    guard let info = self[name] else { throw .missingTensor(path: path, name: name) }
    return info
  }

  private func unexpected(_ info: TensorInfo, _ wanted: String) -> InterchangeError {
    let reason = "has elements of the type \(info.element.rawValue), not of \(wanted)"
    return .unexpectedTensor(path: path, name: info.name, reason: reason)
  }

  private static func header(_ file: RandomAccessFile) throws(InterchangeError) -> (TensorHeader, Int) {
    let path = file.path
    guard file.byteCount >= 8 else { throw .truncated(path: path, expectedBytes: 8, actualBytes: file.byteCount) }
    var length: UInt64 = 0
    try file.read(at: 0, into: &length, count: 8)
    length = UInt64(littleEndian: length)
    guard length <= UInt64(TensorHeader.byteLimit) else {
      throw .malformed(path: path, reason: "it announces a header of \(length) bytes, more than safetensors allows")
    }
    let json = try file.bytes(at: 8, count: Int(length))
    let dataStart = 8 + json.count
    return (try TensorHeader(json: json, dataBytes: file.byteCount - dataStart, path: path), dataStart)
  }
}

extension TensorFile: TensorSource {
  public var descriptions: [TensorDescription] {
    tensors.map { TensorDescription(name: $0.name, element: $0.element, shape: $0.shape) }
  }
  public var remarks: [String] { [] }
}
