/// What a safetensors file says of one tensor.
public struct TensorInfo: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// The kind of its elements.
  public let element: TensorElement
  /// Its sizes, outermost first; empty for a scalar.
  public let shape: [Int]
  /// Where its bytes lie in the data area.
  public let bytes: Range<Int>

  /// How many elements it has.
  public var count: Int { bytes.count / element.byteCount }
}

/// The header of a safetensors file, checked.
///
/// | offset | size | meaning |
/// |---|---|---|
/// | 0 | 8 | N, little-endian: bytes of the header, at most 100,000,000 |
/// | 8 | N | a JSON object: name → `{"dtype", "shape", "data_offsets"}`, and `__metadata__`: strings; spaces may follow |
/// | 8 + N | | the tensors' bytes, which fill the rest without holes or overlap |
///
/// - Source: the safetensors format, version 0.4 and later.
struct TensorHeader {
  static let byteLimit = 100_000_000
  /// A tensor's description has nine values, so these are enough for a hundred thousand tensors.
  static let valueLimit = 1_000_000
  static let metadataName = "__metadata__"

  let tensors: [TensorInfo]
  let metadata: [String: String]

  /// Reads the JSON of a header and checks it against the size of the data area.
  ///
  /// - Returns: the tensors in the order of their bytes.
  init(json: [UInt8], dataBytes: Int, path: String) throws(InterchangeError) {
    func fail(_ reason: String) -> InterchangeError { .malformed(path: path, reason: reason) }
    guard json.first == UInt8(ascii: "{") else { throw fail("its header does not begin with '{'") }
    let root: JSONValue
    do { root = try JSONValue(parsing: json, count: Self.valueLimit) } catch {
      throw fail("its header is not the JSON we read: \(error)")
    }
    guard case .object(let members) = root else { throw fail("its header is not an object") }

    var tensors: [TensorInfo] = []
    var metadata: [String: String] = [:]
    for member in members {
      if member.name == Self.metadataName {
        guard case .object(let pairs) = member.value else { throw fail("its metadata are not an object") }
        for pair in pairs {
          guard let text = pair.value.stringValue else { throw fail("the metadata '\(pair.name)' are not a string") }
          metadata[pair.name] = text
        }
      } else {
        do { tensors.append(try Self.tensor(member)) } catch { throw fail("tensor '\(member.name)': \(error.reason)") }
      }
    }
    tensors.sort { ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound) }
    var end = 0
    for tensor in tensors {
      guard tensor.bytes.lowerBound == end else {
        let fault = tensor.bytes.lowerBound < end ? "overlaps the one before it" : "leaves a hole before it"
        throw fail("tensor '\(tensor.name)' \(fault)")
      }
      end = tensor.bytes.upperBound
    }
    if end > dataBytes {
      // The header precedes the data; its eight-byte length precedes it.
      let start = 8 + json.count
      throw .cutShort(path: path, start: start, count: end, actualBytes: start + dataBytes)
    }
    guard end == dataBytes else { throw fail("\(dataBytes - end) bytes at its end belong to no tensor") }
    (self.tensors, self.metadata) = (tensors, metadata)
  }

  private struct Fault: Error { let reason: String }

  private static func tensor(_ member: JSONValue.Member) throws(Fault) -> TensorInfo {
    guard case .object(let fields) = member.value, fields.count == 3,
      let type = member.value["dtype"]?.stringValue, let sizes = member.value["shape"]?.arrayValue,
      let offsets = member.value["data_offsets"]?.arrayValue, offsets.count == 2
    else { throw Fault(reason: "its description is not dtype, shape and data_offsets") }
    guard let element = TensorElement(rawValue: type) else {
      throw Fault(reason: "elements of the type '\(type)' are not supported; convert it to F32")
    }
    guard let begin = offsets[0].integerValue, let end = offsets[1].integerValue, begin >= 0, end >= begin else {
      throw Fault(reason: "its data_offsets are not two growing byte offsets")
    }
    var shape: [Int] = []
    var byteCount = element.byteCount
    for size in sizes {
      guard let size = size.integerValue, size >= 0 else { throw Fault(reason: "its shape is not a list of sizes") }
      let (product, overflows) = byteCount.multipliedReportingOverflow(by: size)
      guard !overflows else { throw Fault(reason: "its shape is too large to address") }
      shape.append(size)
      byteCount = product
    }
    guard byteCount == end - begin else {
      throw Fault(reason: "its shape \(shape) makes \(byteCount) bytes, its data_offsets \(end - begin)")
    }
    return TensorInfo(name: member.name, element: element, shape: shape, bytes: begin..<end)
  }
}
