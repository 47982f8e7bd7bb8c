import Glibc

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

  private let descriptor: Int32
  private let dataStart: Int
  private let positions: [String: Int]

  /// Opens a file and checks its header against its size before anything is allocated for tensors.
  ///
  /// - Throws: `InterchangeError` naming the file and what is wrong with it.
  public init(path: String) throws(InterchangeError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .cannotRead(path: path, code: errno) }
    do throws(InterchangeError) {
      let (header, dataStart) = try Self.header(descriptor, path: path)
      (self.path, self.tensors, self.metadata) = (path, header.tensors, header.metadata)
      (self.descriptor, self.dataStart) = (descriptor, dataStart)
      positions = Dictionary(uniqueKeysWithValues: header.tensors.enumerated().map { ($1.name, $0) })
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// What the file says of a tensor; nil if it has none of that name.
  public subscript(name: String) -> TensorInfo? { positions[name].map { tensors[$0] } }

  /// Reads the Float32 tensor `name`, row-major.
  public func floats(_ name: String) throws(InterchangeError) -> [Float] {
    let info = try info(name, .float32)
    return try array(info, zero: 0)
  }

  /// Reads the Int64 tensor `name`, row-major.
  public func integers(_ name: String) throws(InterchangeError) -> [Int64] {
    let info = try info(name, .int64)
    return try array(info, zero: 0)
  }

  /// Reads the Float32 tensor `name` to where its `count` values belong.
  ///
  /// - Throws: `.unexpectedTensor` if it has another number of values.
  public func read(_ name: String, into values: UnsafeMutablePointer<Float>, count: Int) throws(InterchangeError) {
    let info = try info(name, .float32)
    guard info.count == count else {
      throw .unexpectedTensor(path: path, name: name, reason: "has the shape \(info.shape), not \(count) values")
    }
    try read(info.bytes, into: UnsafeMutableRawPointer(values))
  }

  private func info(_ name: String, _ element: TensorElement) throws(InterchangeError) -> TensorInfo {
    guard let info = self[name] else { throw .missingTensor(path: path, name: name) }
    guard info.element == element else {
      let reason = "has elements of the type \(info.element.rawValue), not \(element.rawValue)"
      throw .unexpectedTensor(path: path, name: name, reason: reason)
    }
    return info
  }

  private func array<Element>(_ info: TensorInfo, zero: Element) throws(InterchangeError) -> [Element] {
    var values = [Element](repeating: zero, count: info.count)
    var failure: InterchangeError?
    values.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      do throws(InterchangeError) { try read(info.bytes, into: base) } catch { failure = error }
    }
    if let failure { throw failure }
    return values
  }

  private func read(_ bytes: Range<Int>, into target: UnsafeMutableRawPointer) throws(InterchangeError) {
    let position = dataStart + bytes.lowerBound
    try Self.read(descriptor, path: path, position: position, into: target, count: bytes.count)
  }

  private static func header(_ descriptor: Int32, path: String) throws(InterchangeError) -> (TensorHeader, Int) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .cannotRead(path: path, code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .malformed(path: path, reason: "it is not a regular file") }
    let fileBytes = Int(status.st_size)
    guard fileBytes >= 8 else { throw .truncated(path: path, expectedBytes: 8, actualBytes: fileBytes) }
    var length: UInt64 = 0
    try read(descriptor, path: path, position: 0, into: &length, count: 8)
    length = UInt64(littleEndian: length)
    guard length <= UInt64(TensorHeader.byteLimit) else {
      throw .malformed(path: path, reason: "it announces a header of \(length) bytes, more than safetensors allows")
    }
    let headerBytes = Int(length)
    guard headerBytes <= fileBytes - 8 else {
      throw .truncated(path: path, expectedBytes: 8 + headerBytes, actualBytes: fileBytes)
    }
    var json = [UInt8](repeating: 0, count: headerBytes)
    try read(descriptor, path: path, position: 8, into: &json, count: headerBytes)
    let dataStart = 8 + headerBytes
    return (try TensorHeader(json: json, dataBytes: fileBytes - dataStart, path: path), dataStart)
  }

  private static func read(
    _ descriptor: Int32, path: String, position: Int, into target: UnsafeMutableRawPointer, count: Int
  ) throws(InterchangeError) {
    var done = 0
    while done < count {
      let got = pread(descriptor, target + done, count - done, position + done)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw .cannotRead(path: path, code: errno) }
      guard got > 0 else {
        throw .truncated(path: path, expectedBytes: position + count, actualBytes: position + done)
      }
      done += got
    }
  }
}
