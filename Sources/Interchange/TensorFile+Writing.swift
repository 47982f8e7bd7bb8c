/// A tensor to be written.
///
/// Where the values are given as a pointer, they must stay in place until the file is written.
public struct TensorEntry {
  /// Its name.
  public let name: String
  /// Its sizes, outermost first; empty for a scalar.
  public let shape: [Int]
  let values: Values

  enum Values {
    case floats(UnsafePointer<Float>)
    case integers([Int64])
  }

  /// Float32 values, row-major, that lie somewhere else.
  public init(_ name: String, shape: [Int], floats: UnsafePointer<Float>) {
    precondition(shape.allSatisfy { $0 >= 0 }, "sizes are not negative")
    (self.name, self.shape, self.values) = (name, shape, .floats(floats))
  }

  /// Int64 values, row-major.
  public init(_ name: String, shape: [Int], integers: [Int64]) {
    precondition(shape.allSatisfy { $0 >= 0 }, "sizes are not negative")
    precondition(shape.reduce(1, *) == integers.count, "a tensor has as many values as its shape says")
    (self.name, self.shape, self.values) = (name, shape, .integers(integers))
  }

  var element: TensorElement {
    switch values {
    case .floats: .float32
    case .integers: .int64
    }
  }

  var byteCount: Int { shape.reduce(element.byteCount, *) }

  func withBytes(_ body: (UnsafeRawBufferPointer) throws(InterchangeError) -> Void) throws(InterchangeError) {
    switch values {
    case .floats(let pointer):
      try body(UnsafeRawBufferPointer(start: pointer, count: byteCount))
    case .integers(let array):
      try array.withUnsafeBufferPointer { (values) throws(InterchangeError) in
        try body(UnsafeRawBufferPointer(values))
      }
    }
  }
}

extension TensorFile {
  /// Writes a safetensors file so that it appears whole or not at all.
  ///
  /// Tensors are stored as the reference writer stores them: larger elements first, then by name, so that each is aligned;
  /// metadata are sorted by name, and the header is padded until the data start at a multiple of 8. The same content
  /// gives the same bytes.
  ///
  /// - Throws: `InterchangeError.cannotWrite`; the temporary file is then gone, and a file that was there before remains.
  public static func write(
    _ entries: [TensorEntry], metadata: [String: String] = [:], to path: String
  ) throws(InterchangeError) {
    let sorted = entries.sorted {
      ($1.element.byteCount, Array($0.name.utf8)) < ($0.element.byteCount, Array($1.name.utf8))
    }
    precondition(Set(entries.map(\.name)).count == entries.count, "tensors have different names")
    precondition(entries.allSatisfy { $0.name != TensorHeader.metadataName }, "that name is the metadata's")
    let header = headerBytes(sorted, metadata: metadata)
    precondition(header.count <= TensorHeader.byteLimit, "a header has at most 100,000,000 bytes")

    let file = try AtomicFile(path: path)
    var prefix = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    prefix += header
    try file.append(prefix)
    for entry in sorted {
      try entry.withBytes { (bytes) throws(InterchangeError) in try file.append(bytes) }
    }
    try file.commit()
  }

  private static func headerBytes(_ entries: [TensorEntry], metadata: [String: String]) -> [UInt8] {
    var members: [JSONValue.Member] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { Array($0.key.utf8) < Array($1.key.utf8) }
      members.append(.init(TensorHeader.metadataName, .object(pairs.map { .init($0.key, .string($0.value)) })))
    }
    var offset = 0
    for entry in entries {
      let end = offset + entry.byteCount
      let description: JSONValue = [
        "dtype": .string(entry.element.rawValue), "shape": .array(entry.shape.map { .integer($0) }),
        "data_offsets": [.integer(offset), .integer(end)],
      ]
      members.append(.init(entry.name, description))
      offset = end
    }
    var bytes = Array(JSONValue.object(members).description.utf8)
    while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
    return bytes
  }
}

/// Orders by the first, then by the second, byte by byte.
private func < (a: (Int, [UInt8]), b: (Int, [UInt8])) -> Bool {
  a.0 != b.0 ? a.0 < b.0 : a.1.lexicographicallyPrecedes(b.1)
}

private func < (a: [UInt8], b: [UInt8]) -> Bool { a.lexicographicallyPrecedes(b) }
