@testable import Interchange

/// Writes pickles operation by operation, for files that no PyTorch would write.
struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]

  mutating func add(_ opcode: PickleOpcode, _ argument: [UInt8] = []) { bytes += [opcode.rawValue] + argument }

  mutating func add(raw: [UInt8]) { bytes += raw }

  mutating func add(_ text: String) { add(.unicode4, little(UInt32(text.utf8.count)) + Array(text.utf8)) }

  mutating func add(_ number: Int) { add(.long1, [8] + little(UInt64(bitPattern: Int64(number)))) }

  mutating func add(global name: String) {
    let parts = name.split(separator: "/")
    add(.global, Array("\(parts[0])\n\(parts[1])\n".utf8))
  }

  mutating func add(tuple numbers: [Int]) {
    add(.mark)
    for number in numbers { add(number) }
    add(.tuple)
  }

  /// A tensor of a storage of Float32.
  mutating func add(tensorOf key: String, elements: Int, offset: Int, shape: [Int], strides: [Int]) {
    add(global: "torch._utils/_rebuild_tensor_v2")
    add(.mark)
    add(.mark)
    add("storage")
    add(global: "torch/FloatStorage")
    add(key)
    add("cpu")
    add(elements)
    add(.tuple)
    add(.persistentIdentity)
    add(offset)
    add(tuple: shape)
    add(tuple: strides)
    add(.newFalse)
    add(.emptyDictionary)
    add(.tuple)
    add(.reduce)
  }

  /// A state_dict of one tensor.
  static func stateDictionary(
    elements: Int, offset: Int = 0, shape: [Int], strides: [Int], names: [String] = ["w"]
  ) -> [UInt8] {
    var writer = PickleWriter()
    writer.add(.emptyDictionary)
    for name in names {
      writer.add(name)
      writer.add(tensorOf: "0", elements: elements, offset: offset, shape: shape, strides: strides)
      writer.add(.setItem)
    }
    writer.add(.stop)
    return writer.bytes
  }
}

/// Little-endian bytes.
func little(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
