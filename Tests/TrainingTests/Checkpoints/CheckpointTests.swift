import Compute
import Foundation
import Lockstep
import Models
import Testing

@testable import Training

@Suite struct CheckpointTests {
  private let fixture: Fixture
  private let directory: TemporaryDirectory
  private let store: CheckpointStore

  init() throws {
    fixture = try Fixture()
    directory = try TemporaryDirectory()
    store = CheckpointStore(directory: directory.file("checkpoints"), keep: 2)
  }

  @discardableResult private func save(_ step: Int) throws -> String {
    try store.save(
      fixture.state(step: step), of: fixture.model, configuration: fixture.configuration,
      classNames: fixture.classNames,
      runID: fixture.runID)
  }

  private func newest() throws -> CheckpointStore.Newest {
    try store.newest(model: fixture.model, configuration: fixture.configuration)
  }

  private func isSame(_ a: StateSnapshot, _ b: StateSnapshot) -> Bool {
    a.step == b.step && a.parameters.values == b.parameters.values && a.buffers.values == b.buffers.values
      && a.batchCounts == b.batchCounts && a.optimizerState.map(\.values) == b.optimizerState.map(\.values)
  }

  @Test func whatIsWrittenIsRead() throws {
    let path = try save(100)
    #expect(path == directory.file("checkpoints/step-00000100.safetensors"))
    let newest = try newest()
    #expect(newest.skipped.isEmpty)
    #expect(isSame(newest.checkpoint.state, fixture.state(step: 100)))
    let metadata = newest.checkpoint.metadata
    #expect(metadata.configuration == fixture.configuration)
    #expect(metadata.classNames == fixture.classNames && metadata.runID == fixture.runID && metadata.step == 100)
    #expect(metadata.stateHash == fixture.state(step: 100).hash(fixture.model))
    #expect(metadata.normalization == .imagenet && metadata.imageSize == 32 && metadata.width == 0.1)
    #expect(try readBytes(directory.file("checkpoints/latest")) == Array("step-00000100.safetensors\n".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: store.directory).count == 3)
  }

  /// The definition of PROTOCOL.md §1, from the file's bytes alone: only the order of the keys is the model's.
  @Test func anybodyRecomputesTheStateHash() throws {
    let bytes = try readBytes(save(100))
    let length = bytes[..<8].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let parsed = try JSONSerialization.jsonObject(with: Data(bytes[8..<8 + length]))
    let header = try #require(parsed as? [String: Any])
    let metadata = try #require(header["__metadata__"] as? [String: String])
    var digests: [UInt8] = []
    for entry in fixture.model.entries {
      let description = try #require(header[entry.key] as? [String: Any])
      #expect(description["shape"] as? [Int] == entry.shape)
      let isCount = entry.key.hasSuffix("num_batches_tracked")
      #expect(description["dtype"] as? String == (isCount ? "I64" : "F32"))
      let offsets = try #require(description["data_offsets"] as? [Int])
      var start = 8 + length + offsets[0]
      let end = 8 + length + offsets[1], piece = 16_384 * (isCount ? 8 : 4)
      while start < end {
        digests += Digest(of: Array(bytes[start..<min(end, start + piece)])).canonicalBytes
        start += piece
      }
    }
    #expect(metadata["state_hash"] == Digest(of: digests).hex)
    #expect(metadata["format"] == "pt" && metadata["model"] == "googlenet-seed" && metadata["step"] == "100")
  }

  @Test func theNewestFewAreKept() throws {
    for step in [1, 5, 20, 99_999_999, 100_000_000] { try save(step) }
    #expect(store.steps() == [100_000_000, 99_999_999])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: store.directory).sorted() == [
        "latest", "step-100000000.optimizer.safetensors", "step-100000000.safetensors",
        "step-99999999.optimizer.safetensors", "step-99999999.safetensors",
      ])
  }

  @Test func whatInterruptedWritesLeftIsRemovedAndOtherFilesAreNot() throws {
    try save(1)
    try writeBytes([1, 2, 3], to: store.directory + "/.step-00000002.safetensors.partial")
    try writeBytes([1, 2, 3], to: store.directory + "/notes.safetensors")
    try save(2)
    let names = try FileManager.default.contentsOfDirectory(atPath: store.directory)
    #expect(!names.contains(".step-00000002.safetensors.partial") && names.contains("notes.safetensors"))
  }

  @Test func noBitChangesUnnoticed() throws {
    let parameters = try save(3)
    let optimizer = store.directory + "/" + Checkpoint.optimizerFileName(step: 3)
    var random = AddressedRandom(seed: 4, purpose: .permutation)
    for path in [parameters, optimizer] {
      let bytes = try readBytes(path)
      let header = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16
      // The length, the metadata, the rest of the header, the end of the header, the data, the last bytes.
      var places = Array(0..<12) + Array(8 + header - 8..<8 + header + 8) + [bytes.count - 1, bytes.count - 5]
      for _ in 0..<120 { places.append(8 + random.integer(below: 3000)) }
      for _ in 0..<80 { places.append(8 + random.integer(below: header)) }
      for _ in 0..<60 { places.append(8 + header + random.integer(below: bytes.count - header - 8)) }
      for place in places {
        var damaged = bytes
        damaged[place] ^= 1 << UInt8(random.integer(below: 8))
        try writeBytes(damaged, to: path)
        let error = #expect(throws: CheckpointError.self, "byte \(place)") {
          try Checkpoint.read(
            directory: store.directory, step: 3, model: fixture.model, configuration: fixture.configuration)
        }
        guard case .damaged(let named, let reason) = error else {
          Issue.record("byte \(place): \(String(describing: error))")
          continue
        }
        #expect(named == path && reason.contains(path))
      }
      try writeBytes(bytes, to: path)
    }
    #expect(isSame(try newest().checkpoint.state, fixture.state(step: 3)))
  }

  @Test func noByteIsMissingUnnoticed() throws {
    let path = try save(3)
    let bytes = try readBytes(path)
    let header = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16
    for count in [0, 1, 7, 8, 9, 1000, 8 + header - 1, 8 + header, bytes.count / 2, bytes.count - 4, bytes.count - 1] {
      try writeBytes(Array(bytes[..<count]), to: path)
      let error = #expect(throws: CheckpointError.self) { try newest() }
      #expect(error?.exitCode == 65)
    }
    try writeBytes(bytes + [0], to: path)
    #expect(throws: CheckpointError.self) { try newest() }
  }

  @Test func aDamagedOneIsPassedOverAndNamed() throws {
    try save(1)
    let path = try save(2)
    var bytes = try readBytes(path)
    bytes[bytes.count - 1] ^= 1
    try writeBytes(bytes, to: path)
    let newest = try newest()
    #expect(newest.checkpoint.state.step == 1)
    #expect(newest.skipped.map(\.step) == [2])
    #expect(newest.skipped[0].reason.contains("step-00000002.safetensors"))

    try FileManager.default.removeItem(atPath: store.directory + "/step-00000001.optimizer.safetensors")
    let error = #expect(throws: CheckpointError.self) { try self.newest() }
    guard case .noCheckpoint(_, let skipped) = error else { Issue.record("\(String(describing: error))"); return }
    #expect(skipped.map(\.step) == [2, 1])
    #expect(error?.exitCode == 65)
  }

  @Test func filesOfDifferentVersionsDoNotMakeACheckpoint() throws {
    try save(1)
    try save(2)
    let other = store.directory + "/step-00000001.optimizer.safetensors"
    try writeBytes(try readBytes(other), to: store.directory + "/step-00000002.optimizer.safetensors")
    try writeBytes(
      try readBytes(store.directory + "/step-00000002.safetensors"), to: store.directory + "/step-00000001.safetensors")
    let error = #expect(throws: CheckpointError.self) { try newest() }
    guard case .noCheckpoint(_, let skipped) = error else { Issue.record("\(String(describing: error))"); return }
    #expect(skipped.count == 2)
  }

  @Test func anEmptyOrMissingDirectoryHasNone() {
    let error = #expect(throws: CheckpointError.self) { try newest() }
    #expect(error == CheckpointError.noCheckpoint(directory: store.directory, skipped: []))
  }

  @Test func anotherModelDoesNotFit() throws {
    try save(1)
    let wide = try Model(fixture.model.definition, classes: 10, imageSize: 32, width: 0.5)
    let error = #expect(throws: CheckpointError.self) {
      try store.newest(model: wide, configuration: fixture.configuration)
    }
    guard case .otherShapes(_, let tensors) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.exitCode == 78)
    #expect(
      tensors.first
        == TensorMismatch(
          name: "stem.0.weight", expected: "of the shape [96, 3, 3, 3]", found: "of the shape [16, 3, 3, 3]"))
    // All are said, and what to do about them behind them.
    let text = try #require(error).description
    #expect(tensors.count > 50 && tensors.allSatisfy { text.contains("'\($0.name)' is \($0.found) there") })
    #expect(text.hasSuffix("or another file"))

    let torchvision = try Model(ModelCatalog.definition(named: "googlenet"), classes: 10, imageSize: 64, width: 0.1)
    let other = #expect(throws: CheckpointError.self) {
      try store.newest(model: torchvision, configuration: fixture.configuration)
    }
    #expect(other?.exitCode == 78)
  }

  /// Where and how long a run goes on is its own business; what decides its bits is not.
  @Test func anotherTrajectoryIsRefused() throws {
    try save(1)
    var configuration = fixture.configuration
    (configuration.output, configuration.keep, configuration.steps) = ("elsewhere", 9, 12345)
    #expect(try store.newest(model: fixture.model, configuration: configuration).checkpoint.state.step == 1)
    (configuration.learningRate, configuration.average) = (0.25, .ema)
    let error = #expect(throws: CheckpointError.self) {
      try store.newest(model: fixture.model, configuration: configuration)
    }
    let path = directory.file("checkpoints/step-00000001.safetensors")
    #expect(error == .otherTrajectory(path: path, keys: ["average", "learning-rate"]))
    #expect(error?.exitCode == 78 && error?.description.contains("average, learning-rate") == true)
  }

  @Test func whereNothingCanBeWrittenTheErrorSaysSo() throws {
    try writeBytes([1], to: directory.file("checkpoints"))
    let error = #expect(throws: CheckpointError.self) { try save(1) }
    #expect(error?.exitCode == 73)
  }

  /// A limit on the size of files stands for a full disk: writing fails in the middle.
  @Test func whenTheDiskIsFullTheCheckpointBeforeStays() async throws {
    await #expect(processExitsWith: .success) {
      let fixture = try Fixture(), directory = try TemporaryDirectory()
      let store = CheckpointStore(directory: directory.file("checkpoints"), keep: 1)
      func save(_ step: Int) throws {
        try store.save(
          fixture.state(step: step), of: fixture.model, configuration: fixture.configuration,
          classNames: fixture.classNames, runID: fixture.runID)
      }
      try save(1)
      let before = try FileManager.default.contentsOfDirectory(atPath: store.directory).sorted()
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      limit.rlim_cur = 100_000
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      var code: Int32 = 0
      do { try save(2) } catch let error as CheckpointError { code = error.exitCode }
      limit.rlim_cur = limit.rlim_max
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let newest = try store.newest(model: fixture.model, configuration: fixture.configuration)
      let after = try FileManager.default.contentsOfDirectory(atPath: store.directory).sorted()
      // Leaving this way runs no deinit.
      try FileManager.default.removeItem(atPath: directory.path)
      exit(code == 73 && newest.checkpoint.state.step == 1 && before == after ? 0 : 1)
    }
  }
}
