/// What a file says of one of its tensors.
public struct TensorDescription: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// The kind of its elements.
  public let element: TensorElement
  /// Its sizes, outermost first; empty for a scalar.
  public let shape: [Int]

  /// How many elements it has.
  public var count: Int { shape.reduce(1, *) }
}

/// An open file of named tensors, of whatever format.
public protocol TensorSource: Sendable {
  /// The file.
  var path: String { get }
  /// What it holds.
  var descriptions: [TensorDescription] { get }
  /// What the file says besides, by name.
  var metadata: [String: String] { get }
  /// What a user should know about how the file was read: sentences without a full stop.
  var remarks: [String] { get }

  /// Reads a floating-point tensor, row-major and as Float32, to where its `count` values belong.
  func read(_ name: String, into values: UnsafeMutablePointer<Float>, count: Int) throws(InterchangeError)
  /// Reads a tensor of integers, row-major.
  func integers(_ name: String) throws(InterchangeError) -> [Int64]
}

/// Opens a file of tensors: safetensors, or what `torch.save` wrote.
///
/// The first bytes decide, not the name.
///
/// - Throws: `InterchangeError` naming the file and what is wrong with it.
public func openTensors(_ path: String) throws(InterchangeError) -> any TensorSource {
  let file = try RandomAccessFile(path: path)
  switch try TorchLayout.sniff(file) {
  case .none: return try TensorFile(path: path)
  case .some: return try PyTorchFile(file)
  }
}
