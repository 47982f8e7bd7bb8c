import Testing

@testable import Interchange

/// Sizes and offsets that no file can have, in places where they are added and multiplied.
@Suite struct StoredTensorTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A tensor without elements is in bounds wherever it is said to begin.
  @Test(arguments: [6, 7, 1 << 61, Int.max]) func aTensorWithoutElementsLiesNowhere(offset: Int) throws {
    let pickle = PickleWriter.stateDictionary(elements: 6, offset: offset, shape: [0, 2], strides: [2, 1])
    let storage = [UInt8](repeating: 0, count: 24)
    let file = try openTensors(folder.write(ZipWriter.torch(pickle: pickle, storages: [storage]).bytes, "x.pth"))
    var values: [Float] = [7]
    try file.read("w", into: &values, count: 0)
    #expect(values == [7])
    for element in [TensorElement?.none, .float32] {
      let part = StorageView(key: "0", element: element, storageCount: 24, range: 8..<16)
      let tensor = try StoredTensor(of: part, element: .float32, offset: offset, shape: [0], strides: [1])
      #expect(tensor.count == 0 && tensor.span == 0 && tensor.offset == 0)
    }
  }

  /// The legacy layout says how long a storage is before the file could show otherwise.
  @Test(arguments: [3, 1 << 40, Int.max / 4]) func aStorageEndsBeforeItsFile(elements: Int) throws {
    func pickle(_ write: (inout PickleWriter) -> Void) -> [UInt8] {
      var writer = PickleWriter()
      write(&writer)
      writer.add(.stop)
      return writer.bytes
    }
    var bytes = TorchLayout.legacyMagic + pickle { $0.add(1001) }
    bytes += pickle {
      $0.add(.emptyDictionary)
      $0.add("little_endian")
      $0.add(.newTrue)
      $0.add(.setItem)
    }
    bytes += PickleWriter.stateDictionary(elements: elements, shape: [2], strides: [1])
    bytes += pickle {
      $0.add(.emptyList)
      $0.add("0")
      $0.add(.append)
    }
    let path = try folder.write(bytes + little(Int64(elements)) + [UInt8](repeating: 0, count: 8), "x.pth")
    let error = try #require(throws: InterchangeError.self) { try openTensors(path) }
    guard case .truncated(path, let expected, bytes.count + 16) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(expected >= bytes.count + 16 + 4)
  }
}
