import Foundation
import Testing

@testable import Interchange

/// Files of torch.save, written by `scripts/golden_checkpoints.py`: elements count up in eighths from −1.
func golden(_ name: String) -> String {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Golden/\(name)").path
}

/// 0, 1, 2, … / 8 − 1.
func counted(_ count: Int) -> [Float] { (0..<count).map { Float($0) / 8 - 1 } }

extension TensorSource {
  func floats(of name: String) throws -> [Float] {
    let description = try #require(descriptions.first { $0.name == name })
    var values = [Float](repeating: .nan, count: description.count)
    try values.withUnsafeMutableBufferPointer { buffer in
      // An empty array has no address.
      guard let base = buffer.baseAddress else { return }
      try read(name, into: base, count: buffer.count)
    }
    return values
  }
}

@Suite struct PyTorchFileTests {
  private static let unit: [(name: String, shape: [Int])] = [
    ("conv.weight", [3, 2, 1, 2]), ("bn.weight", [3]), ("bn.bias", [3]), ("bn.running_mean", [3]),
    ("bn.running_var", [3]), ("bn.num_batches_tracked", []),
  ]

  private func expectUnit(_ file: some TensorSource) throws {
    #expect(file.descriptions.map(\.name) == Self.unit.map(\.name))
    #expect(file.descriptions.map(\.shape) == Self.unit.map(\.shape))
    for (name, shape) in Self.unit.dropLast() { #expect(try file.floats(of: name) == counted(shape.reduce(1, *))) }
    #expect(try file.integers("bn.num_batches_tracked") == [7])
  }

  @Test(arguments: ["unit.pth", "unit-legacy.pth", "unit-protocol4.pth"]) func aStateDictionary(name: String) throws {
    let file = try PyTorchFile(path: golden(name))
    try expectUnit(file)
    #expect(file.remarks.isEmpty && file.metadata.isEmpty)
    #expect(file.descriptions.map(\.element) == Array(repeating: .float32, count: 5) + [.int64])
  }

  /// The first bytes decide which kind of file it is, not its name.
  @Test func eitherKindIsOpenedWhateverItsName() throws {
    let folder = try TemporaryFolder()
    try expectUnit(try openTensors(folder.write(try contents(golden("unit.pth")), "a.safetensors")))
    try expectUnit(try openTensors(folder.write(try contents(golden("unit-legacy.pth")), "b")))
    try TensorFile.write([TensorEntry("n", shape: [], integers: [3])], to: folder.path + "/c.pth")
    #expect(try openTensors(folder.path + "/c.pth").integers("n") == [3])
  }

  @Test(arguments: ["views.pth", "views-legacy.pth"]) func viewsOfStoragesAndAllKindsOfElements(name: String) throws {
    let file = try PyTorchFile(path: golden(name))
    let shapes = Dictionary(uniqueKeysWithValues: file.descriptions.map { ($0.name, $0.shape) })
    #expect(shapes["channels_last"] == [1, 2, 2, 3] && shapes["transposed"] == [3, 2])
    #expect(shapes["scalar"] == [] && shapes["empty"] == [0, 3])
    for (name, count) in [
      ("channels_last", 12), ("transposed", 6), ("whole", 24), ("tied", 24), ("scalar", 1), ("empty", 0),
      ("parameter", 4), ("float16", 5), ("bfloat16", 5), ("float64", 5),
    ] {
      #expect(try file.floats(of: name) == counted(count), "\(name)")
    }
    #expect(try file.floats(of: "part") == Array(counted(24)[8..<14]))
    #expect(try file.floats(of: "column") == stride(from: 1, to: 24, by: 4).map { counted(24)[$0] })
    for name in ["int64", "int32", "uint8", "int16", "int8"] {
      #expect(try file.integers(name) == [0, 1, 2, 3, 4], "\(name)")
    }
    #expect(throws: InterchangeError.self) { try file.floats(of: "int64") }
    #expect(throws: InterchangeError.self) { try file.floats(of: "bool") }
    #expect(throws: InterchangeError.self) { try file.integers("float16") }
    #expect(throws: InterchangeError.missingTensor(path: file.path, name: "x")) { try file.integers("x") }
    #expect(throws: InterchangeError.self) {
      var values: [Float] = [0, 0]
      try file.read("whole", into: &values, count: 2)
    }
  }

  @Test func wrappersAndPrefixesAreTakenOffAndSaid() throws {
    let wrapped = try PyTorchFile(path: golden("wrapped.pth"))
    try expectUnit(wrapped)
    #expect(
      wrapped.remarks == [
        "the state_dict is taken from 'net', not from 'ema'", "'module.' is taken off the names",
        "'_orig_mod.' is taken off the names",
      ])
    let averaged = try PyTorchFile(path: golden("ema.pth"))
    try expectUnit(averaged)
    #expect(averaged.remarks.first == "the state_dict is taken from 'model_ema'")
  }

  @Test(arguments: [
    ("command.pth", ["'posix.system'", "nothing of it was run", "state_dict"]),
    ("command-legacy.pth", ["'__builtin__.eval'", "nothing of it was run"]),
    ("module.pth", ["'torch.nn.modules.module.Module'", "torch.save(model.state_dict(), FILE)"]),
    ("module-legacy.pth", ["'torch.nn.modules.linear.Identity'", "Whole models"]),
    ("script.pth", ["TorchScript", "torch.jit.load"]),
    ("bare.pth", ["bare pickle"]),
  ]) func whatIsNotAStateDictionaryIsRefused(name: String, texts: [String]) throws {
    let error = try #require(throws: InterchangeError.self) { try openTensors(golden(name)) }
    guard case .refused(golden(name), _) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.exitCode == 65)
    for text in texts { #expect(error.description.contains(text), "\(error)") }
    #expect(!FileManager.default.fileExists(atPath: "ran"))
  }

  @Test func otherFilesAreRefused() throws {
    let folder = try TemporaryFolder()
    var tar = [UInt8](repeating: 0, count: 1024)
    tar.replaceSubrange(257..<262, with: Array("ustar".utf8))
    for (bytes, text) in [
      (tar, "tar file"), (Array("<html>".utf8), "none of PyTorch's"), ([], "none of PyTorch's"),
      (Array("PK\u{3}\u{4}".utf8), "ZIP directory"), (TorchLayout.legacyMagic, "cut short"),
    ] {
      let path = try folder.write(bytes, "x.pth")
      let error = try #require(throws: InterchangeError.self) { try openTensors(path) }
      #expect(error.description.contains(text) && error.description.contains(path), "\(error)")
    }
    #expect(throws: InterchangeError.self) { try openTensors(folder.path) }
    #expect(throws: InterchangeError.cannotRead(path: folder.path + "/no.pth", code: ENOENT)) {
      try openTensors(folder.path + "/no.pth")
    }
  }
}
