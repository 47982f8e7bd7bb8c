/// The kinds of elements of tensors in files, by their names in safetensors.
public enum TensorElement: String, Hashable, Sendable, CaseIterable {
  case bool = "BOOL"
  case uint8 = "U8", int8 = "I8"
  case int16 = "I16", uint16 = "U16", float16 = "F16", bfloat16 = "BF16"
  case int32 = "I32", uint32 = "U32", float32 = "F32"
  case complex64 = "C64", float64 = "F64", int64 = "I64", uint64 = "U64"

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .complex64, .float64, .int64, .uint64: 8
    }
  }

  /// Whether its values are real numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// Whether its values are integers that an `Int64` holds.
  public var isInteger: Bool {
    switch self {
    case .uint8, .int8, .int16, .uint16, .int32, .uint32, .int64: true
    default: false
    }
  }

  /// The element at an index of little-endian bytes, rounded to nearest; larger Float64 become infinite.
  func float(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Float {
    switch self {
    case .float16: Float(Float16(bitPattern: load(bytes, index)))
    case .bfloat16: Float(bitPattern: UInt32(load(bytes, index) as UInt16) << 16)
    case .float32: Float(bitPattern: load(bytes, index))
    case .float64: Float(Double(bitPattern: load(bytes, index)))
    default: preconditionFailure("\(rawValue) is not floating-point")
    }
  }

  /// The element at an index of little-endian bytes.
  func integer(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Int64 {
    switch self {
    case .uint8: Int64(load(bytes, index) as UInt8)
    case .int8: Int64(load(bytes, index) as Int8)
    case .int16: Int64(load(bytes, index) as Int16)
    case .uint16: Int64(load(bytes, index) as UInt16)
    case .int32: Int64(load(bytes, index) as Int32)
    case .uint32: Int64(load(bytes, index) as UInt32)
    case .int64: load(bytes, index)
    default: preconditionFailure("\(rawValue) is not an integer")
    }
  }

  private func load<Word: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> Word {
    Word(littleEndian: bytes.loadUnaligned(fromByteOffset: index * byteCount, as: Word.self))
  }
}
