/// The cyclic redundancy check of ZIP files.
///
/// - Source: PKWARE, APPNOTE.TXT 4.4.7: the polynomial 0xEDB88320 in reflected order, begun and ended with all ones inverted.
struct CRC32 {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 != 0 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
  }

  private var state = UInt32.max

  /// The check of what was added.
  var value: UInt32 { ~state }

  mutating func add(_ bytes: [UInt8]) {
    var state = state
    Self.table.withUnsafeBufferPointer { table in
      for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
    }
    self.state = state
  }
}
