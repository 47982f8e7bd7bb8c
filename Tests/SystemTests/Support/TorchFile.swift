import Foundation

/// Writes state_dicts in the legacy layout of `torch.save`: pickles of a magic number, a version, the machine, the tensors
/// and the keys of their storages, and then the storages.
enum TorchFile {
  struct Tensor {
    var name: String
    var shape: [Int]
    /// Float32 or, for scalars of 8 bytes, Int64.
    var bytes: [UInt8]
    var isFloat: Bool
  }

  /// - Parameter wrapper: the name of the state_dict in an outer dictionary; nil where it stands alone.
  static func write(_ tensors: [Tensor], wrapper: String? = nil, to path: String) throws {
    var file = pickle([0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]) + pickle(integer(1001))
    file += pickle([0x7D] + text("little_endian") + [0x88, 0x73])
    var state: [UInt8] = [0x7D]
    for (index, tensor) in tensors.enumerated() {
      state += text(tensor.name) + rebuilt(tensor, key: "\(index)") + [0x73]
    }
    file += pickle(wrapper.map { [0x7D] + text("epoch") + integer(9) + [0x73] + text($0) + state + [0x73] } ?? state)
    file += pickle([0x5D, 0x28] + tensors.indices.flatMap { text("\($0)") } + [0x65])
    for tensor in tensors {
      file += little(UInt64(tensor.bytes.count / (tensor.isFloat ? 4 : 8))) + tensor.bytes
    }
    try Data(file).write(to: URL(fileURLWithPath: path))
  }

  private static func rebuilt(_ tensor: Tensor, key: String) -> [UInt8] {
    let count = tensor.shape.reduce(1, *)
    var strides: [Int] = [], stride = 1
    for size in tensor.shape.reversed() {
      strides.insert(stride, at: 0)
      stride *= size
    }
    let storage =
      [0x28] + text("storage") + global("torch", tensor.isFloat ? "FloatStorage" : "LongStorage") + text(key)
      + text("cpu") + integer(count) + [0x4E, 0x74, 0x51]
    return global("torch._utils", "_rebuild_tensor_v2") + [0x28] + storage + integer(0) + tuple(tensor.shape)
      + tuple(strides) + [0x89] + global("collections", "OrderedDict") + [0x29, 0x52, 0x74, 0x52]
  }

  private static func pickle(_ operations: [UInt8]) -> [UInt8] { [0x80, 2] + operations + [0x2E] }
  private static func tuple(_ numbers: [Int]) -> [UInt8] { [0x28] + numbers.flatMap(integer) + [0x74] }
  private static func integer(_ value: Int) -> [UInt8] { [0x4A] + little(UInt32(value)) }
  private static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
  private static func text(_ text: String) -> [UInt8] { [0x58] + little(UInt32(text.utf8.count)) + Array(text.utf8) }
  private static func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
