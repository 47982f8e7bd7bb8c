/// A state_dict that `torch.save` wrote, opened: its pickle and its storages are checked at once, its tensors are read when
/// they are asked for.
///
/// Nothing in the file is executed (`Unpickler`), and nothing is decompressed (`ZipArchive`). All floating-point tensors
/// together, read as Float32, take at most eight times the file's size: `sharingLimit` times, and twice that from Float16.
/// Integers widen by up to eight times more; nobody reads many of them.
///
/// Safe to use from several threads: nothing changes after `init`.
public final class PyTorchFile: TensorSource {
  /// What all tensors together may be larger than the file's storages: tensors that share a storage, as tied weights do,
  /// count for each of them. More than that, and a small file would stand for much memory.
  private static let sharingLimit = 4

  /// The file.
  public let path: String
  /// Its tensors, in the order of the state_dict.
  public let descriptions: [TensorDescription]
  /// What was unwrapped and left out.
  public let remarks: [String]
  /// Nothing: these files say nothing besides.
  public var metadata: [String: String] { [:] }

  private let file: RandomAccessFile
  private let tensors: [String: StoredTensor]
  private let storages: [String: Range<Int>]

  /// Opens a file and finds the state_dict in it.
  ///
  /// - Throws: `InterchangeError` naming the file and what is wrong with it.
  public convenience init(path: String) throws(InterchangeError) {
    try self.init(try RandomAccessFile(path: path))
  }

  init(_ file: RandomAccessFile) throws(InterchangeError) {
    let contents: TorchContents
    switch try TorchLayout.sniff(file) {
    case .zip: contents = try TorchContents(zip: file)
    case .legacy: contents = try TorchContents(legacy: file)
    case nil: throw .malformed(path: file.path, reason: "it begins as none of PyTorch's files")
    }
    let state = try StateDictionary(contents.root, contents.objects, path: file.path)
    let limit = Self.sharingLimit * contents.storages.values.reduce(0) { $0 + $1.count }
    var total = 0
    for (name, tensor) in state.tensors {
      // Each is at most the size of a storage, which lies in the file.
      total += max(tensor.count, tensor.span) * tensor.element.byteCount
      guard total <= limit else {
        throw .refused(
          path: file.path,
          reason: "its tensors up to '\(name)' share \(limit / Self.sharingLimit) bytes, but would take \(total); "
            + "save each tensor's clone()")
      }
    }
    (self.file, path, remarks) = (file, file.path, state.remarks)
    storages = contents.storages
    descriptions = state.tensors.map {
      TensorDescription(name: $0.name, element: $0.tensor.element, shape: $0.tensor.shape)
    }
    tensors = Dictionary(state.tensors.map { ($0.name, $0.tensor) }) { first, _ in first }
  }

  /// Reads the floating-point tensor `name`, row-major and as Float32, to where its `count` values belong.
  ///
  /// - Throws: `.unexpectedTensor` if it has another number of values, or values that are not floating-point.
  public func read(_ name: String, into values: UnsafeMutablePointer<Float>, count: Int) throws(InterchangeError) {
    let (tensor, position) = try find(name)
    guard tensor.element.isFloatingPoint else { throw unexpected(name, tensor, "a floating-point type") }
    guard tensor.count == count else {
      throw .unexpectedTensor(path: path, name: name, reason: "has the shape \(tensor.shape), not \(count) values")
    }
    if tensor.element == .float32, tensor.isContiguous {
      return try file.read(at: position, into: UnsafeMutableRawPointer(values), count: 4 * count)
    }
    let bytes = try file.bytes(at: position, count: tensor.span * tensor.element.byteCount)
    bytes.withUnsafeBytes { bytes in
      tensor.forEachElement { index, place in values[index] = tensor.element.float(bytes, at: place) }
    }
  }

  /// Reads the tensor `name` of integers, row-major.
  public func integers(_ name: String) throws(InterchangeError) -> [Int64] {
    let (tensor, position) = try find(name)
    guard tensor.element.isInteger else { throw unexpected(name, tensor, "an integer type") }
    let bytes = try file.bytes(at: position, count: tensor.span * tensor.element.byteCount)
    var values = [Int64](repeating: 0, count: tensor.count)
    bytes.withUnsafeBytes { bytes in
      tensor.forEachElement { index, place in values[index] = tensor.element.integer(bytes, at: place) }
    }
    return values
  }

  /// A tensor, and where its first element lies in the file.
  private func find(_ name: String) throws(InterchangeError) -> (StoredTensor, Int) {
    guard let tensor = tensors[name] else { throw .missingTensor(path: path, name: name) }
    guard let storage = storages[tensor.key] else { preconditionFailure("every storage was found") }
    return (tensor, storage.lowerBound + tensor.offset * tensor.element.byteCount)
  }

  private func unexpected(_ name: String, _ tensor: StoredTensor, _ wanted: String) -> InterchangeError {
    let reason = "has elements of the type \(tensor.element.rawValue), not of \(wanted)"
    return .unexpectedTensor(path: path, name: name, reason: reason)
  }
}
