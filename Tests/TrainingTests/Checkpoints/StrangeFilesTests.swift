import Compute
import Foundation
import Interchange
import Lockstep
import Models
import Testing

@testable import Training

/// Files that are well-formed, but say what no network is like or what nobody may have meant.
@Suite struct StrangeFilesTests {
  private let fixture: Fixture
  private let directory: TemporaryDirectory
  private var path: String { directory.file("weights.safetensors") }

  init() throws {
    fixture = try Fixture()
    directory = try TemporaryDirectory()
  }

  private var metadata: [String: String] {
    var configuration = fixture.configuration
    configuration.transformInput = true
    let metadata = CheckpointMetadata(
      configuration: configuration, classNames: fixture.classNames, runID: fixture.runID, step: 9)
    return metadata.strings
  }

  /// Writes zeros under the names of the fixture's tensors, sealed where there are metadata.
  private func write(
    metadata: [String: String]? = nil, shapes: [String: [Int]] = [:], count: Int64 = 3, extra: [SealedTensor] = []
  ) throws {
    let zeros = FloatStorage(count: fixture.model.parameterCount)
    let tensors = fixture.model.entries.map { entry in
      SealedTensor(
        name: entry.key, shape: shapes[entry.key] ?? entry.shape,
        values: entry.role == .batchCount ? .integers([count]) : .floats(UnsafePointer(zeros.pointer)))
    }
    if let metadata {
      try SealedTensorFile.write(tensors + extra, metadata: metadata, to: path)
    } else {
      try TensorFile.write((tensors + extra).map(\.entry), metadata: [:], to: path)
    }
    withExtendedLifetime(zeros) {}
  }

  /// What evaluation and a run say of the file.
  private func errors() -> [CheckpointError?] {
    [
      #expect(throws: CheckpointError.self) { try TrainedModel(path: path) },
      #expect(throws: CheckpointError.self) { try InheritedState(path: path, model: fixture.model, seed: 0) },
    ]
  }

  /// The size of a classifier without elements would be that of the network which is then built.
  @Test func aTensorWithoutElementsIsRefused() throws {
    try write(shapes: ["fc.weight": [999_999, 0], "fc.bias": [999_999, 0]])
    for error in errors() {
      #expect(error?.exitCode == 65 && error?.description.contains("'fc.bias' of the shape [999999, 0]") == true)
    }
  }

  /// The shapes are compared before a network of the announced size is made, which would take gigabytes.
  @Test func aNetworkIsNotMadeBeforeItsShapesAreKnownToFit() async throws {
    await #expect(processExitsWith: .success) {
      let test = try StrangeFilesTests()
      var metadata = test.metadata
      metadata["classes"] = "1000000"
      try test.write(metadata: metadata)
      var isRefused = false
      do { _ = try TrainedModel(path: test.path) } catch CheckpointError.otherShapes { isRefused = true }
      try FileManager.default.removeItem(atPath: test.directory.path)
      // Of this process's memory alone; getrusage would count what the one that started it had. Kibibytes.
      let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
      let peak = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      let digits = (peak ?? "").filter(\.isNumber)
      exit(isRefused && (Int(digits) ?? .max) < 1 << 20 ? 0 : 1)
    }
  }

  @Test(arguments: [
    ("classes", "0"), ("classes", "1000001"), ("width", "17"), ("width", "0"), ("width", "nan"), ("image_size", "0"),
    ("image_size", "4097"), ("normalization", "zscore"), ("class_names", "{}"), ("class_names", "[1]"),
    ("class_names", "[\"a\",null]"), ("class_names", "names"),
  ]) func metadataThatNoFileCanHaveAreDamage(key: String, value: String) throws {
    var metadata = metadata
    metadata[key] = value
    try write(metadata: metadata)
    let error = #expect(throws: CheckpointError.self) { try TrainedModel(path: path) }
    guard case .damaged(path, let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains(key == "class_names" ? key : value), "\(reason)")
  }

  /// A count goes on from what is read, so there must be room to count.
  @Test func countsHaveRoomToGrow() throws {
    try write(count: StateSnapshot.largestCount)
    #expect(try TrainedModel(path: path).state.batchCounts.allSatisfy { $0 == 1 << 53 })
    for count in [StateSnapshot.largestCount + 1, .max, -1] {
      try write(count: count)
      for error in errors() {
        guard case .otherShapes(path, let tensors) = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
        #expect(tensors.count == fixture.model.batchNorms.count && tensors[0].found == String(count))
      }
    }
  }

  /// A network has no tensors of several integers: they are named, not read.
  @Test func severalIntegersAreNotRead() throws {
    let extra = SealedTensor(name: "numbers", shape: [3], values: .integers([1, 2, 3]))
    try write(extra: [extra])
    let file = try SealedTensorFile(path: path, ownKeys: [])
    #expect(file.shapes["numbers"] == [3] && file.integer("numbers") == nil)
    for error in errors() { #expect(error?.description.contains("it has numbers") == true) }
    try write(metadata: metadata, extra: [extra])
    for error in errors() { #expect(error?.exitCode == 65 && error?.description.contains("'numbers'") == true) }
  }

  /// What the user asked for is written, not what the file said before.
  @Test func oldMetadataDoNotReturn() throws {
    var strings = metadata
    strings["average"] = "ema"
    #expect(Set(metadata.keys).isSubset(of: CheckpointMetadata.writtenKeys))
    try write(metadata: strings, shapes: ["aux1.fc2.bias": [9]])
    var trained = try TrainedModel(path: path)
    #expect(trained.metadata.transformsInput && trained.notes == ["average": "ema"])
    trained.metadata.transformsInput = false
    let other = directory.file("other.safetensors")
    try trained.writeSafetensors(withoutAuxiliaryHeads: true, to: other)
    let again = try TrainedModel(path: other)
    #expect(!again.metadata.transformsInput && again.notes == trained.notes)
  }
}
