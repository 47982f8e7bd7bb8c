import Compute
import Interchange
import Lockstep

/// A tensor on its way into a file. A pointer must stay valid until the file is written.
struct SealedTensor {
  enum Values {
    case floats(UnsafePointer<Float>)
    case integers([Int64])
  }
  var name: String
  var shape: [Int]
  var values: Values

  var entry: TensorEntry {
    switch values {
    case .floats(let pointer): TensorEntry(name, shape: shape, floats: pointer)
    case .integers(let array): TensorEntry(name, shape: shape, integers: array)
    }
  }

  /// Its line of the manifest.
  var line: [UInt8] {
    var hash = StateHash()
    switch values {
    case .floats(let pointer): hash.add(UnsafeBufferPointer(start: pointer, count: shape.reduce(1, *)))
    case .integers(let array): array.withUnsafeBytes { hash.add($0, elementSize: 8) }
    }
    let element: TensorElement = if case .floats = values { .float32 } else { .int64 }
    return Array("tensor \(name.utf8.count) \(name) \(element.rawValue) \(shape) \(hash.digest)\n".utf8)
  }
}

/// A safetensors file that knows what it should hold: no bit of it can change unnoticed. Files of other programs, PyTorch's
/// among them, are read too; they know no such thing.
///
/// Its metadata have a `content_digest`, the XXH3-128 digest of a manifest, which is this text:
///
/// - for every other string of the metadata, in byte order of the keys: `metadata K V KEY VALUE` and a line feed, with the
///   byte counts K and V of key and value;
/// - for every tensor, in byte order of the names: `tensor N NAME F32 [SIZES] DIGEST` and a line feed, with the byte count N
///   of the name, the element (`F32` or `I64`), the sizes separated by a comma and a space, and the tensor's digest,
///   computed as a `state_hash` is.
///
/// What the manifest does not cover cannot change without breaking the format: the header's length, the offsets (tensors
/// tile the file exactly), the punctuation of the JSON. Escapes in the JSON could be spelt otherwise; the strings written
/// here need none but `\"` and `\\`.
struct SealedTensorFile {
  static let digestKey = "content_digest"

  let path: String
  let metadata: [String: String]
  /// The shape of each tensor, by its name.
  let shapes: [String: [Int]]
  /// Whether it has a digest, and so was checked; files of other programs have none.
  let isSealed: Bool
  /// What a user should know about how the file was read.
  let remarks: [String]
  private let floats: [String: FloatStorage]
  private let integers: [String: Int64]

  /// Writes a file so that it appears whole or not at all.
  static func write(_ tensors: [SealedTensor], metadata: [String: String], to path: String) throws(CheckpointError) {
    var sealed = metadata
    sealed[digestKey] = digest(tensors, metadata: metadata).hex
    do throws(InterchangeError) {
      try TensorFile.write(tensors.map(\.entry), metadata: sealed, to: path)
    } catch {
      throw CheckpointError(error, path: path)
    }
  }

  /// Reads a whole file and checks it against its digest. Of tensors of several integers only the shape is read.
  ///
  /// - Parameter ownKeys: strings of the metadata that only a sealed file has: with one of these and without a digest,
  ///   a file is damaged.
  /// - Throws: `.damaged`.
  init(path: String, ownKeys: [String]) throws(CheckpointError) {
    self.path = path
    var floats: [String: FloatStorage] = [:]
    var integers: [String: Int64] = [:]
    var shapes: [String: [Int]] = [:]
    var tensors: [SealedTensor] = []
    var unread: String?
    do throws(InterchangeError) {
      let file = try openTensors(path)
      (metadata, remarks) = (file.metadata, file.remarks)
      for info in file.descriptions {
        // No parameter is empty, and sizes without elements would be taken for those of a giant network.
        guard !info.shape.contains(0) else {
          let tensor = "its tensor '\(info.name)' of the shape \(info.shape)"
          throw .refused(path: path, reason: "\(tensor) has no elements, which every tensor of a network has")
        }
        shapes[info.name] = info.shape
        if info.element.isInteger {
          // A model has integers one at a time, as counts. Many would take eight times their bytes, for nothing.
          guard info.count == 1, let value = try file.integers(info.name).first else {
            unread = unread ?? info.name
            continue
          }
          integers[info.name] = value
          tensors.append(SealedTensor(name: info.name, shape: info.shape, values: .integers([value])))
        } else if info.element.isFloatingPoint {
          let storage = FloatStorage(count: info.count)
          try file.read(info.name, into: storage.pointer, count: info.count)
          floats[info.name] = storage
          tensors.append(
            SealedTensor(name: info.name, shape: info.shape, values: .floats(UnsafePointer(storage.pointer))))
        }
      }
    } catch {
      throw CheckpointError(error, path: path)
    }
    (self.floats, self.integers) = (floats, integers)
    self.shapes = shapes
    isSealed = metadata[Self.digestKey] != nil
    if isSealed {
      if let unread { throw damaged("its tensor '\(unread)' has several integers, which this program never writes") }
      var rest = metadata
      let stated = rest.removeValue(forKey: Self.digestKey)
      let found = withExtendedLifetime(floats) { Self.digest(tensors, metadata: rest) }
      guard stated == found.hex else { throw damaged("its content is not what its digest says") }
    } else if let key = ownKeys.first(where: { metadata[$0] != nil }) {
      throw damaged("it has the metadata '\(key)', but no digest of its content")
    }
  }

  /// An error that names this file.
  func damaged(_ reason: String) -> CheckpointError {
    .damaged(path: path, reason: "'\(path)' is damaged: \(reason); use an older checkpoint, or copy the file again")
  }

  /// The values of a floating-point tensor; nil where there is none of this name.
  func floats(_ name: String) -> FloatStorage? { floats[name] }

  /// The value of a tensor of one integer; nil where there is none of this name.
  func integer(_ name: String) -> Int64? { integers[name] }

  private static func digest(_ tensors: [SealedTensor], metadata: [String: String]) -> Digest {
    func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
    var manifest: [UInt8] = []
    for (key, value) in metadata.sorted(by: { precedes($0.key, $1.key) }) {
      manifest += Array("metadata \(key.utf8.count) \(value.utf8.count) \(key) \(value)\n".utf8)
    }
    for tensor in tensors.sorted(by: { precedes($0.name, $1.name) }) { manifest += tensor.line }
    return Digest(of: manifest)
  }
}
