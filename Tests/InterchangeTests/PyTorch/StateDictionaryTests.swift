import Testing

@testable import Interchange

/// What is found in dictionaries that no training script saves.
@Suite struct StateDictionaryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Opens a file whose pickle is a dictionary, of entries that a function adds.
  private func open(_ write: (inout PickleWriter) -> Void) throws -> any TensorSource {
    var writer = PickleWriter()
    writer.add(.emptyDictionary)
    write(&writer)
    writer.add(.stop)
    let file = ZipWriter.torch(pickle: writer.bytes, storages: [[0, 0, 0, 0]])
    return try openTensors(folder.write(file.bytes, "x.pth"))
  }

  private func addTensor(_ name: String, to writer: inout PickleWriter) {
    writer.add(name)
    writer.add(tensorOf: "0", elements: 1, offset: 0, shape: [1], strides: [1])
    writer.add(.setItem)
  }

  /// Few bytes of a pickle name a long text many times: it is not copied for each.
  @Test func ofWhatIsNoTensorAFewAreNamed() throws {
    let name = String(repeating: "n", count: 1000), count = 200_000
    let file = try open { writer in
      addTensor("w", to: &writer)
      writer.add(.mark)
      writer.add(name)
      writer.add(.put1, [1])
      writer.add(.none)
      for _ in 1..<count {
        writer.add(.get1, [1])
        writer.add(.none)
      }
      writer.add(.setItems)
    }
    let shown = Array(repeating: "'\(name)'", count: 5).joined(separator: ", ")
    #expect(file.remarks == ["left out, for they are no tensors: \(shown), … (\(count) in all)"])
    let few = try open { writer in
      addTensor("w", to: &writer)
      writer.add(3)
      writer.add(.none)
      writer.add(.setItem)
    }
    #expect(few.remarks == ["left out, for they are no tensors: an entry without a name"])
  }

  /// A hundred thousand times the same large dictionary without tensors, of which each would be searched.
  @Test(.timeLimit(.minutes(1))) func ofEntriesWithOneKeyTheLastOneCounts() throws {
    let error = #expect(throws: InterchangeError.self) {
      try open { writer in
        writer.add("large")
        writer.add(.put1, [1])
        writer.add(.emptyDictionary)
        writer.add(.put1, [2])
        writer.add(.mark)
        for _ in 0..<200_000 {
          writer.add(.get1, [1])
          writer.add(.none)
        }
        writer.add(.setItems)
        writer.add(.setItem)
        writer.add(.mark)
        writer.add("state_dict")
        writer.add(.put1, [3])
        writer.add(.get1, [2])
        for _ in 0..<100_000 {
          writer.add(.get1, [3])
          writer.add(.get1, [2])
        }
        writer.add(.setItems)
      }
    }
    #expect(error?.description.contains("no state_dict") == true)
  }
}
