import Foundation
import Interchange
import Testing

/// Files of PyTorch, and files that nobody should have made.
@Suite("Exchange", .serialized, .sandboxed)
struct ExchangeTests {
  private let files = FileManager.default
  private var box: Sandbox { .current }
  private let data = "synthetic:samples=12,size=32,classes=10,seed=3"

  // MARK: - Files of PyTorch

  /// Initial weights, as they are and as PyTorch would have saved them.
  private func initialWeights(classes: Int = 10) throws -> [TorchFile.Tensor] {
    let outcome = try trainer(
      "init", "--classes", "\(classes)", "--width", "0.1", "--seed", "4", "--out", "w.safetensors")
    #expect(outcome.code == 0, "\(outcome)")
    let file = try TensorFile(path: box.path("w.safetensors")), bytes = try tensorBytes(file.path)
    return file.tensors.map { tensor in
      TorchFile.Tensor(
        name: tensor.name, shape: tensor.shape, bytes: bytes[tensor.name] ?? [], isFloat: tensor.element == .float32)
    }
  }

  @Test func aFileOfPyTorchConvertsToTheSameTensors() throws {
    try TorchFile.write(initialWeights(), to: box.path("w.pth"))
    let outcome = try trainer("convert", "w.pth", "x.safetensors")
    #expect(outcome.code == 0 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains("by its tensors it is googlenet-seed with 10 classes and width 0.1"), "\(outcome)")
    #expect(try tensorBytes(box.path("x.safetensors")) == tensorBytes(box.path("w.safetensors")))
    let (converted, original) = (
      try TensorFile(path: box.path("x.safetensors")), try TensorFile(path: box.path("w.safetensors"))
    )
    // All that the original knows of itself is found again.
    #expect(converted.metadata == original.metadata)
    #expect(try files.contentsOfDirectory(atPath: box.folder).sorted() == ["w.pth", "w.safetensors", "x.safetensors"])
  }

  /// What evaluation, prediction and runs make of a file does not depend on its format.
  @Test func eitherFormatGivesTheSameResults() throws {
    let tensors = try initialWeights()
    let wrapped = tensors.map {
      TorchFile.Tensor(name: "module." + $0.name, shape: $0.shape, bytes: $0.bytes, isFloat: $0.isFloat)
    }
    try TorchFile.write(wrapped, wrapper: "net", to: box.path("w.pth"))
    let results = try ["w.safetensors", "w.pth"].map { name in
      let outcome = try trainer("evaluate", "--checkpoint", name, "--data", data, "--json")
      #expect(outcome.code == 0, "\(outcome)")
      return outcome.output
    }
    #expect(results[0] == results[1])

    let runs = try ["w.safetensors", "w.pth"].map { name in
      let outcome = try trainer(
        "train", "--data", data, "--init-from", name, "--width", "0.1", "--global-batch", "8", "--microbatch", "4",
        "--steps", "2", "--output", "run-" + name)
      #expect(outcome.code == 0, "\(outcome)")
      #expect(outcome.errors.contains("taken from 'net'") == (name == "w.pth"), "\(outcome)")
      #expect(outcome.errors.contains("'module.' is taken off") == (name == "w.pth"), "\(outcome)")
      #expect(!outcome.errors.contains("started anew"), "\(outcome)")
      return try RunFiles(box.path("run-" + name)).hashes()
    }
    #expect(runs[0] == runs[1])
  }

  /// Old files have no counts of batches; many have no auxiliary heads, and their classes are others.
  @Test func whatIsMissingForTrainingIsStartedAnewAndSaid() throws {
    let tensors = try initialWeights(classes: 7).filter {
      !$0.name.hasSuffix("num_batches_tracked") && !$0.name.hasPrefix("aux")
    }
    try TorchFile.write(tensors, to: box.path("w.pth"))
    let run = ["--data", data, "--width", "0.1", "--global-batch", "8", "--microbatch", "4", "--steps", "1"]
    let outcome = try trainer(["train", "--init-from", "w.pth", "--output", "run"] + run)
    #expect(outcome.code == 0, "\(outcome)")
    #expect(
      outcome.errors.contains("lacks aux1 and aux2, and has fc for 7 classes, not 10: these are started anew"),
      "\(outcome)")

    // A file without them stays one.
    let converted = try trainer("convert", "w.pth", "x.safetensors")
    #expect(converted.code == 0, "\(converted)")
    let names = Set(try TensorFile(path: box.path("x.safetensors")).tensors.map(\.name))
    #expect(names == Set(StateDictionary.keys.filter { !$0.hasPrefix("aux") }))

    try TorchFile.write(tensors.filter { $0.name != "im3.block2.3.weight" }, to: box.path("w.pth"))
    try expectFailure(
      ["train", "--init-from", "w.pth", "--output", "other"] + run, code: 78, saying: ["it lacks im3.block2.3.weight"])
    try TorchFile.write(
      tensors.map { tensor in
        var tensor = tensor
        if tensor.name == "im3.block2.3.weight" { tensor.shape = [16, 144] }
        return tensor
      }, to: box.path("w.pth"))
    try expectFailure(
      ["train", "--init-from", "w.pth", "--output", "other"] + run, code: 78,
      saying: ["'im3.block2.3.weight' is of the shape [16, 144] there and of the shape [16, 16, 3, 3]"])
  }

  @Test func aNetworkForOtherPrograms() throws {
    _ = try initialWeights()
    for (name, options) in [("a.onnx", []), ("b.onnx", ["--fold-batch-norm", "--transform-input"])] {
      let outcome = try trainer(["convert", "w.safetensors", name] + options)
      #expect(outcome.code == 0 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.errors.contains("ONNX opset 17"), "\(outcome)")
    }
    let texts = try ["a.onnx", "b.onnx"].map {
      String(decoding: try #require(files.contents(atPath: box.path($0))), as: UTF8.self)
    }
    #expect(texts[0].contains("BatchNormalization") && !texts[0].contains("transform_input"))
    #expect(!texts[1].contains("BatchNormalization") && texts[1].contains("transform_input"))
  }

  @Test func whatCannotBeConvertedIsSaid() throws {
    _ = try initialWeights()
    for (arguments, code, texts) in [
      (["w.safetensors", "x.pth"], 2, ["x.pth", ".safetensors or .onnx"]),
      (["w.safetensors", "x"], 2, [".onnx"]),
      (["w.safetensors", "x.safetensors", "--fold-batch-norm"], 2, ["--fold-batch-norm"]),
      (["w.safetensors", "x.onnx", "--image-size", "0"], 2, ["--image-size"]),
      (["w.safetensors", "x.onnx", "--transform-input", "maybe"], 2, ["--transform-input"]),
      (["none.pth", "x.onnx"], 65, ["none.pth"]),
      (["w.safetensors", "nowhere/x.onnx"], 73, ["nowhere/x.onnx"]),
      (["w.safetensors", "nowhere/x.safetensors"], 73, ["nowhere/x.safetensors"]),
      (["w.safetensors", "x.onnx", "--model", "googlenet"], 78, ["googlenet-seed"]),
      (["w.safetensors", "x.onnx", "--labels", "w.safetensors"], 65, ["w.safetensors"]),
    ] as [([String], Int32, [String])] {
      try expectFailure(["convert"] + arguments, code: code, saying: texts)
    }
    #expect(try files.contentsOfDirectory(atPath: box.folder) == ["w.safetensors"])
  }

  // MARK: - Files that nobody should have made

  private func golden(_ name: String) throws -> [UInt8] {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return [UInt8](try Data(contentsOf: tests.appendingPathComponent("InterchangeTests/Golden/\(name)")))
  }

  /// A member of a ZIP file that says it is compressed and gigabytes long.
  private func bomb() throws -> [UInt8] {
    var bytes = try golden("unit.pth")
    let entry = Array("PK\u{1}\u{2}".utf8)
    let place = try #require(bytes.indices.last { bytes[$0...].starts(with: entry) })
    bytes[place + 10] = 8
    bytes.replaceSubrange(place + 24..<place + 28, with: [0xF0, 0xFF, 0xFF, 0xFF])
    return bytes
  }

  /// A file with one bit of its first parameter turned around.
  private func flipped() throws -> [UInt8] {
    var bytes = try golden("unit.pth")
    let name = Array("unit/data/0".utf8)
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: name) })
    // Behind its name, a member has as much padding as the two bytes before its name say.
    bytes[place + name.count + Int(bytes[place - 2]) + Int(bytes[place - 1]) << 8] ^= 1
    return bytes
  }

  private func tensors(header: String, length: UInt64? = nil) -> [UInt8] {
    withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { Array($0) } + Array(header.utf8)
      + [UInt8](repeating: 0, count: 8)
  }

  /// Refused in a sentence, with little memory, before anything is run or written.
  @Test func hostileFilesAreRefused() throws {
    try synthesize("set", samples: 3, classes: 3)
    let picture = try #require(files.subpathsOfDirectory(atPath: box.path("set")).first { $0.hasSuffix(".jpg") })
    let cases: [(name: String, bytes: [UInt8], text: String)] = [
      ("command.pth", try golden("command.pth"), "posix.system"),
      ("command-legacy.pth", try golden("command-legacy.pth"), "__builtin__.eval"),
      ("module.pth", try golden("module.pth"), "torch.nn.modules.module.Module"),
      ("script.pth", try golden("script.pth"), "TorchScript"),
      ("bomb.pth", try bomb(), "compressed"),
      ("flipped.pth", try flipped(), "checksum"),
      ("cut.pth", Array(try golden("unit.pth").dropLast(100)), "no ZIP directory"),
      ("cut-legacy.pth", Array(try golden("unit-legacy.pth").dropLast(10)), "cut short"),
      ("long.safetensors", tensors(header: "{}", length: 1 << 60), "announces a header of"),
      (
        "overlap.safetensors",
        tensors(
          header: #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"#
            + #""data_offsets":[2,6]}}"#), "overlaps"
      ),
      (
        "outside.safetensors",
        tensors(header: #"{"a":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}}"#), "cut short"
      ),
      (
        "empty.safetensors",
        tensors(
          header: #"{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"fc.weight":{"dtype":"F32","#
            + #""shape":[999999,0],"data_offsets":[8,8]}}"#), "has no elements"
      ),
      (
        "nowhere.safetensors",
        tensors(header: #"{"a":{"dtype":"U8","shape":[\#(Int.max)],"data_offsets":[0,\#(Int.max)]}}"#), "cut short"
      ),
    ]
    for (name, bytes, text) in cases {
      try Data(bytes).write(to: URL(fileURLWithPath: box.path(name)))
      for command in [
        ["convert", name, "out.safetensors"], ["convert", name, "out.onnx"],
        ["evaluate", "--checkpoint", name, "--data", data], ["predict", "--checkpoint", name, "set/" + picture],
      ] {
        let outcome = try RunningProgram(command, memory: 400 << 20, in: box).wait()
        #expect(outcome.code == 65 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.errors.contains(text) && outcome.errors.contains(name), "\(outcome)")
      }
      try expectFailure(
        ["train", "--output", "run", "--data", data, "--init-from", name], code: 65, saying: [name, text])
    }
    #expect(!files.fileExists(atPath: box.path("ran")))
    #expect(try Set(files.contentsOfDirectory(atPath: box.folder)).isDisjoint(with: ["out.safetensors", "out.onnx"]))
  }
}
