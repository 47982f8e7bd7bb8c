import Foundation
import Testing

@testable import Interchange

/// Written by safetensors 0.8.0:
/// ```python
/// tensors = {"conv1.conv.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4 - 0.5,
///            "bn.num_batches_tracked": torch.tensor(7), "a.bias": torch.tensor([1e-40, float("inf"), -0.0])}
/// print(base64.b64encode(safetensors.torch.save(tensors, metadata={"format": "pt"})).decode())
/// ```
private let referenceFile = Array(
  Data(
    base64Encoded:
      "8AAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJibi5udW1fYmF0Y2hlc190cmFja2VkIjp7ImR0eXBlIjoi"
      + "STY0Iiwic2hhcGUiOltdLCJkYXRhX29mZnNldHMiOlswLDhdfSwiYS5iaWFzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlszXSwiZGF0YV9vZmZz"
      + "ZXRzIjpbOCwyMF19LCJjb252MS5jb252LndlaWdodCI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMiwzXSwiZGF0YV9vZmZzZXRzIjpbMjAsNDRd"
      + "fX0gICAHAAAAAAAAAMIWAQAAAIB/AAAAgAAAAL8AAIC+AAAAAAAAgD4AAAA/AABAPw==") ?? Data())

private let weights: [Float] = [-0.5, -0.25, 0, 0.25, 0.5, 0.75]
private let bias: [Float] = [Float(bitPattern: 0x0001_16C2), .infinity, -0.0]

@Suite struct TensorFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func readsWhatTheReferenceWriterWrote() throws {
    let file = try TensorFile(path: folder.write(referenceFile))
    #expect(file.metadata == ["format": "pt"])
    #expect(file.tensors.map(\.name) == ["bn.num_batches_tracked", "a.bias", "conv1.conv.weight"])
    #expect(file["conv1.conv.weight"]?.shape == [2, 3])
    #expect(file["bn.num_batches_tracked"]?.shape == [])
    #expect(try file.integers("bn.num_batches_tracked") == [7])
    #expect(try file.floats("conv1.conv.weight") == weights)
    #expect(try file.floats("a.bias").map(\.bitPattern) == bias.map(\.bitPattern))
    var values = [Float](repeating: 0, count: 6)
    try file.read("conv1.conv.weight", into: &values, count: 6)
    #expect(values == weights)
  }

  @Test func writesTheBytesOfTheReferenceWriter() throws {
    let path = folder.path + "/out.safetensors"
    try weights.withUnsafeBufferPointer { weights in
      try bias.withUnsafeBufferPointer { bias in
        let (weights, bias) = (try #require(weights.baseAddress), try #require(bias.baseAddress))
        try TensorFile.write(
          [
            TensorEntry("conv1.conv.weight", shape: [2, 3], floats: weights),
            TensorEntry("a.bias", shape: [3], floats: bias),
            TensorEntry("bn.num_batches_tracked", shape: [], integers: [7]),
          ], metadata: ["format": "pt"], to: path)
      }
    }
    #expect(try contents(path) == referenceFile)
    #expect(try folder.names == ["out.safetensors"])
  }

  @Test func alignsTheData() throws {
    for length in 0..<9 {
      let path = folder.path + "/\(length)"
      let metadata = ["k": String(repeating: "ü", count: length)]
      try TensorFile.write([TensorEntry("n", shape: [2], integers: [1, -2])], metadata: metadata, to: path)
      #expect(try contents(path)[0] % 8 == 0)
      let file = try TensorFile(path: path)
      #expect(file.metadata == metadata)
      #expect(try file.integers("n") == [1, -2])
    }
  }

  @Test func askingForWhatIsNotThereIsAnError() throws {
    let path = try folder.write(referenceFile)
    let file = try TensorFile(path: path)
    #expect(throws: InterchangeError.missingTensor(path: path, name: "fc.weight")) { try file.floats("fc.weight") }
    #expect(throws: InterchangeError.self) { try file.floats("bn.num_batches_tracked") }
    #expect(throws: InterchangeError.self) { try file.integers("a.bias") }
    var values = [Float](repeating: 0, count: 5)
    #expect(throws: InterchangeError.self) { try file.read("conv1.conv.weight", into: &values, count: 5) }
  }

  @Test func anyCutIsFound() throws {
    for length in 0..<referenceFile.count {
      let path = try folder.write(Array(referenceFile[..<length]), "cut")
      #expect(throws: InterchangeError.self, "\(length) bytes") { try TensorFile(path: path) }
    }
    let path = try folder.write(referenceFile + [0], "longer")
    #expect(throws: InterchangeError.self) { try TensorFile(path: path) }
  }

  @Test func missingFilesAndFoldersAreErrors() throws {
    let missing = folder.path + "/none"
    #expect(throws: InterchangeError.cannotRead(path: missing, code: ENOENT)) { try TensorFile(path: missing) }
    #expect(throws: InterchangeError.self) { try TensorFile(path: folder.path) }
  }

  /// Headers that a hostile or broken program may write, with the 8 data bytes that follow.
  @Test(arguments: [
    ("no object", "[]"),
    ("nothing", ""),
    ("leading space", #" {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
    (
      "overlap",
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#
    ),
    (
      "same place",
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    ),
    (
      "hole",
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#
    ),
    ("hole at the start", #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#),
    ("rest at the end", #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#),
    (
      "duplicate",
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#
    ),
    ("duplicate field", #"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
    ("size", #"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#),
    ("beyond the end", #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#),
    ("backwards", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#),
    ("negative", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#),
    ("negative size", #"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#),
    ("overflow", #"{"a":{"dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,8]}}"#),
    ("no place", #"{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}"#),
    ("enormous", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,36893488147419103232]}}"#),
    ("fraction", #"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#),
    ("eight-bit float", #"{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}"#),
    ("unknown type", #"{"a":{"dtype":"F4","shape":[16],"data_offsets":[0,8]}}"#),
    ("missing field", #"{"a":{"dtype":"F32","shape":[2]}}"#),
    ("unknown field", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"code":"x"}}"#),
    ("metadata number", #"{"__metadata__":{"step":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#),
    ("something after", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x"#),
  ]) func hostileHeadersAreRefused(name: String, header: String) throws {
    let path = try folder.write(file(Array(header.utf8)))
    #expect(throws: InterchangeError.self) { try TensorFile(path: path) }
  }

  @Test(arguments: [#"{"a":"#, "["]) func deepNestingIsRefused(opening: String) throws {
    let path = try folder.write(file(Array((#"{"a":"# + String(repeating: opening, count: 50_000)).utf8)))
    #expect(throws: InterchangeError.self) { try TensorFile(path: path) }
  }

  /// Three million zeros would take twenty times the memory of their text.
  @Test func manyValuesAreRefused() throws {
    let zeros = String(repeating: "0,", count: 3_000_000) + "0"
    let path = try folder.write(file(Array(#"{"a":{"dtype":"F32","shape":[\#(zeros)],"data_offsets":[0,8]}}"#.utf8)))
    let error = #expect(throws: InterchangeError.self) { try TensorFile(path: path) }
    #expect(error?.description.contains("too many values") == true)
  }

  @Test func badTextIsRefused() throws {
    let header =
      Array(#"{"a"#.utf8) + [0xC3, 0x28] + Array(#"":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#.utf8)
    let path = try folder.write(file(header))
    #expect { try TensorFile(path: path) } throws: { "\($0)".contains("UTF-8") && "\($0)".contains(path) }
  }

  @Test(arguments: [1 << 60, 100_000_001, UInt64.max, 1 << 32, 9])
  func hugeHeadersAreRefusedBeforeAllocation(length: UInt64) throws {
    let path = try folder.write((0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + [0x7B, 0x7D])
    #expect(throws: InterchangeError.self) { try TensorFile(path: path) }
  }

  /// The smallest subnormal number, a rounding and an overflow among them.
  @Test(
    arguments: [
      ("F16", [0x00, 0x3C, 0x01, 0x00, 0x00, 0xFC, 0x00, 0x80], [1, 0x1p-24, -Float.infinity, -0.0]),
      ("BF16", [0x80, 0x3F, 0x01, 0x00, 0x80, 0xFF, 0x00, 0x80], [1, 0x1p-133, -Float.infinity, -0.0]),
      ("F64", [0x01, 0, 0, 0x10, 0, 0, 0xF0, 0x3F], [1.0000001]),
      ("F64", [0, 0, 0, 0, 0, 0, 0xF0, 0xC7], [-Float.infinity]),
    ] as [(String, [UInt8], [Float])]) func floatsOfOtherSizesAreConverted(
      element: String, bytes: [UInt8], values: [Float]
    ) throws
  {
    let header = #"{"a":{"dtype":"\#(element)","shape":[\#(values.count)],"data_offsets":[0,8]}}"#
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
    let path = try folder.write(length + Array(header.utf8) + bytes)
    #expect(try TensorFile(path: path).floats("a").map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test func emptyTensorsAndOtherElementsAreKnown() throws {
    let header =
      #"{"a":{"dtype":"BF16","shape":[0,3],"data_offsets":[0,0]},"b":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}  "#
    let file = try TensorFile(path: folder.write(file(Array(header.utf8))))
    #expect(file["a"]?.count == 0)
    #expect(file["b"]?.element == .complex64)
  }

  private func file(_ header: [UInt8]) -> [UInt8] {
    let length = UInt64(header.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + header
      + [UInt8](repeating: 0, count: 8)
  }
}
