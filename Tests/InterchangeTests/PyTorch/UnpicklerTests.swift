import Testing

@testable import Interchange

/// Pickles that no PyTorch writes.
@Suite struct UnpicklerTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func read(_ pickle: [UInt8]) throws -> (root: PickleValue, objects: PickleObjects) {
    let file = try RandomAccessFile(path: folder.write(pickle, "x.pkl"))
    var reader = PickleReader(file, from: 0, to: file.byteCount)
    return try Unpickler.read(&reader, path: file.path)
  }

  private func read(_ write: (inout PickleWriter) -> Void) throws -> (root: PickleValue, objects: PickleObjects) {
    var writer = PickleWriter()
    write(&writer)
    writer.add(.stop)
    return try read(writer.bytes)
  }

  private func expectError(_ text: String, _ write: (inout PickleWriter) -> Void) throws {
    let error = try #require(throws: InterchangeError.self) { try read(write) }
    #expect(error.description.contains(text), "\(error)")
  }

  /// The file of PyTorch's layout with this pickle and one storage.
  private func open(_ pickle: [UInt8], storage: [UInt8]) throws -> any TensorSource {
    try openTensors(folder.write(ZipWriter.torch(pickle: pickle, storages: [storage]).bytes, "x.pth"))
  }

  @Test func valuesAreRead() throws {
    let (root, objects) = try read {
      $0.add(.mark)
      $0.add(.float, [0x3F, 0xF8, 0, 0, 0, 0, 0, 0])
      $0.add(.long1, [2, 0xFE, 0xFF])
      $0.add(.long1, [0])
      $0.add(.long1, [9] + Array(repeating: 1, count: 9))
      $0.add(.integer4, little(Int32(-5)))
      $0.add(.unicode1, [2] + Array("é".utf8))
      $0.add(.string1, [1, 0xFF])
      $0.add(.tuple)
    }
    #expect(
      objects.tuple(root) == [.number(1.5), .integer(-2), .integer(0), .other, .integer(-5), .string("é"), .other])
  }

  @Test(arguments: Array(UInt8(0)...255).filter { PickleOpcode(rawValue: $0) == nil })
  func otherOperationsAreRefused(code: UInt8) throws {
    let error = try #require(throws: InterchangeError.self) { try read([0x80, 2, code]) }
    guard case .refused = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.description.contains("0x" + String(code, radix: 16)))
    if let name = PickleOpcode.refusedNames[code] { #expect(error.description.contains("(\(name))")) }
  }

  @Test(arguments: [
    "os/system", "posix/system", "builtins/eval", "__builtin__/exec", "torch/load", "torch.storage/_load_from_bytes",
    "torch/_utils._rebuild_tensor_v2.__globals__", "collections/OrderedDict.fromkeys", "numpy.core.multiarray/scalar",
    "torch.hub/load", "runpy/_run_code", "torch/FloatStorage.from_file",
  ]) func otherNamesAreRefusedAsSoonAsTheyAreNamed(name: String) throws {
    let shown = name.replacing("/", with: ".")
    try expectError("'\(shown)'") { $0.add(global: name) }
    try expectError("'\(shown)'") {
      for part in name.split(separator: "/") { $0.add(String(part)) }
      $0.add(.stackGlobal)
    }
  }

  @Test func whatMakesNoSenseIsAnError() throws {
    try expectError("lacks a value") { _ in }
    try expectError("leaves values") {
      $0.add(.none)
      $0.add(.none)
    }
    try expectError("leaves values") {
      $0.add(.none)
      $0.add(.mark)
      $0.add(.none)
    }
    try expectError("lacks a value") {
      $0.add(.none)
      $0.add(.mark)
      $0.add(.tuple1)
    }
    try expectError("did not begin") { $0.add(.tuple) }
    try expectError("did not remember") { $0.add(.get1, [3]) }
    try expectError("cannot be called") {
      $0.add("text")
      $0.add(.emptyTuple)
      $0.add(.reduce)
    }
    try expectError("cannot be called") {
      $0.add(global: "torch/FloatStorage")
      $0.add(.emptyTuple)
      $0.add(.reduce)
    }
    try expectError("no list") {
      $0.add(.emptyTuple)
      $0.add(.none)
      $0.add(.append)
    }
    try expectError("no dictionary") {
      $0.add(.emptyDictionary)
      $0.add(.mark)
      $0.add(.none)
      $0.add(.setItems)
    }
    try expectError("protocol 6") { $0.add(.protocolVersion, [6]) }
    try expectError("not UTF-8") { $0.add(.unicode1, [1, 0xFF]) }
    try expectError("cut short") { $0.add(raw: [PickleOpcode.unicode4.rawValue, 100, 0, 0, 0]) }
  }

  /// Lengths are refused before anything of that size is allocated.
  @Test func hugeTextsAreRefused() throws {
    for (opcode, length) in [
      (PickleOpcode.unicode4, little(UInt32.max)), (.unicode8, little(UInt64(1) << 60)),
      (.unicode8, little(UInt64.max)),
      (.bytes4, little(UInt32(1) << 31)), (.string4, little(UInt32(2) << 20)),
    ] {
      try expectError("a text of") { $0.add(opcode, length) }
    }
  }

  @Test func nestingAndNumbersOfValuesAreBounded() throws {
    try expectError("nested too deeply") { for _ in 0..<1000 { $0.add(.mark) } }
    // Nested by reference, so that nothing recurses, neither here nor when it is taken apart.
    let (root, objects) = try read {
      $0.add(.none)
      for _ in 0..<500_000 { $0.add(.tuple1) }
    }
    #expect(objects.tuples.count == 500_000 && objects.tuple(root)?.count == 1)
    try expectError("more than 1000000 values") { for _ in 0...1_000_000 { $0.add(.none) } }
    try expectError("more than 1000000 values") {
      $0.add(.none)
      for _ in 0..<1_000_000 { $0.add(.memoize) }
    }
    // A list of pairs that many dictionaries are made of.
    try expectError("more than 1000000 values") {
      $0.add(.emptyList)
      $0.add(.mark)
      for _ in 0..<2000 {
        $0.add(.none)
        $0.add(.none)
        $0.add(.tuple2)
      }
      $0.add(.appends)
      $0.add(.tuple1)
      $0.add(.put1, [0])
      for _ in 0..<600 {
        $0.add(global: "collections/OrderedDict")
        $0.add(.get1, [0])
        $0.add(.reduce)
      }
    }
  }

  @Test func aContainerMayHoldItself() throws {
    let (root, objects) = try read {
      $0.add(.emptyList)
      $0.add(.put1, [0])
      $0.add(.get1, [0])
      $0.add(.append)
    }
    #expect(objects.list(root) == [root])
    var writer = PickleWriter()
    writer.add(.emptyDictionary)
    writer.add(.put1, [0])
    writer.add("state_dict")
    writer.add(.get1, [0])
    writer.add(.setItem)
    writer.add(.stop)
    let error = #expect(throws: InterchangeError.self) { try open(writer.bytes, storage: []) }
    #expect(error?.description.contains("no state_dict") == true)
  }

  @Test func aTensorLiesInItsStorage() throws {
    let storage = counted(6).flatMap { little($0.bitPattern) }
    let file = try open(
      PickleWriter.stateDictionary(elements: 6, offset: 1, shape: [2, 1, 2], strides: [3, 1 << 62, 1]), storage: storage
    )
    #expect(try file.floats(of: "w") == [1, 2, 4, 5].map { counted(6)[$0] })
    for (offset, shape, strides) in [
      (0, [7], [1]), (1, [6], [1]), (6, [1], [1]), (-1, [1], [1]), (0, [-1], [1]), (0, [2], [-1]), (0, [2], [6]),
      (0, [2, 2], [1]), (0, [1 << 40, 1 << 40], [0, 0]), (0, [2, 2], [1 << 62, 1 << 62]), (5, [2], [1 << 62]),
      (0, [2], [.max]), (.max, [1], [1]), (0, [7], [0]),
      (0, Array(repeating: 1, count: 9), Array(repeating: 1, count: 9)),
      (0, [0, 1 << 40, 1 << 40], [1, 1, 1]),
    ] {
      let pickle = PickleWriter.stateDictionary(elements: 6, offset: offset, shape: shape, strides: strides)
      #expect(throws: InterchangeError.self, "\(offset) \(shape) \(strides)") { try open(pickle, storage: storage) }
    }
    for elements in [5, 7, 1 << 60, .max, -1] {
      let pickle = PickleWriter.stateDictionary(elements: elements, shape: [1], strides: [1])
      #expect(throws: InterchangeError.self, "\(elements)") { try open(pickle, storage: storage) }
    }
    // Without elements, nothing is out of bounds.
    let empty = try open(
      PickleWriter.stateDictionary(elements: 6, offset: 9, shape: [0], strides: [5]), storage: storage)
    #expect(try empty.floats(of: "w") == [])
  }

  /// A thousand tensors that share one storage would take a thousand times its memory.
  @Test func sharingIsBounded() throws {
    let storage = [UInt8](repeating: 0, count: 4 * 1000)
    func pickle(_ tensors: Int) -> [UInt8] {
      PickleWriter.stateDictionary(
        elements: 1000, shape: [1000], strides: [1], names: (0..<tensors).map { "w\($0)" })
    }
    #expect(try open(pickle(4), storage: storage).descriptions.count == 4)
    let error = #expect(throws: InterchangeError.self) { try open(pickle(1000), storage: storage) }
    #expect(error?.description.contains("share 4000 bytes") == true)
  }

  @Test func twoTensorsOfOneNameAreAnError() throws {
    let pickle = PickleWriter.stateDictionary(elements: 1, shape: [1], strides: [1], names: ["w", "w"])
    let error = #expect(throws: InterchangeError.self) { try open(pickle, storage: [0, 0, 0, 0]) }
    #expect(error?.description.contains("two tensors 'w'") == true)
  }

  /// Names from a file are shown to people, and endless ones cost no time.
  @Test func namesDoNoHarm() throws {
    let name = String(repeating: "module.", count: 100_000) + "\u{1B}]0;w"
    let pickle = PickleWriter.stateDictionary(elements: 1, shape: [1], strides: [1], names: [name])
    let file = try open(pickle, storage: [0, 0, 0, 0])
    #expect(file.remarks == Array(repeating: "'module.' is taken off the names", count: 4))
    let error = InterchangeError.missingTensor(path: "x", name: "\u{1B}[2J" + name)
    #expect(error.description.hasPrefix("'x' has no tensor '\u{FFFD}[2Jmodule.") && error.description.count < 2100)
  }
}
