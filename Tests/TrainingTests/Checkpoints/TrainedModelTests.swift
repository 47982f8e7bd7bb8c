import Compute
import Foundation
import Interchange
import Lockstep
import Models
import Testing

@testable import Training

@Suite struct TrainedModelTests {
  private let fixture: Fixture
  private let directory: TemporaryDirectory

  init() throws {
    fixture = try Fixture()
    directory = try TemporaryDirectory()
  }

  /// Writes a sealed file, or one of another program, of the fixture's state with changed tensors.
  private func write(
    sealed: Bool = true, state: StateSnapshot? = nil, change: (inout [SealedTensor]) -> Void = { _ in }
  ) throws -> String {
    let state = state ?? fixture.state(step: 9)
    var tensors = fixture.model.stateTensors.map { tensor -> SealedTensor in
      switch tensor.source {
      case .parameters(let offset):
        SealedTensor(
          name: tensor.entry.key, shape: tensor.entry.shape, values: .floats(state.parameters.pointer + offset))
      case .buffers(let offset):
        SealedTensor(name: tensor.entry.key, shape: tensor.entry.shape, values: .floats(state.buffers.pointer + offset))
      case .batchCount(let index):
        SealedTensor(name: tensor.entry.key, shape: [], values: .integers([state.batchCounts[index]]))
      }
    }
    change(&tensors)
    let path = directory.file("weights.safetensors")
    var metadata = CheckpointMetadata(
      configuration: fixture.configuration, classNames: fixture.classNames, runID: fixture.runID, step: 9)
    metadata.stateHash = state.hash(fixture.model)
    if sealed {
      try SealedTensorFile.write(tensors, metadata: metadata.strings, to: path)
    } else {
      try TensorFile.write(tensors.map(\.entry), metadata: ["format": "pt"], to: path)
    }
    withExtendedLifetime(state) {}
    return path
  }

  @Test func aCheckpointSaysAllThatEvaluationNeeds() throws {
    let trained = try TrainedModel(path: try write())
    #expect(trained.model.definition.name == "googlenet-seed" && trained.model.classes == 10)
    #expect(trained.model.imageSize == 32 && trained.model.width == 0.1)
    #expect(trained.metadata.normalization == .imagenet && trained.metadata.classNames == fixture.classNames)
    #expect(trained.state.parameters.values == fixture.state(step: 9).parameters.values)
    #expect(trained.state.buffers.values == fixture.state(step: 9).buffers.values)
    #expect(trained.startedAnew.isEmpty)
  }

  @Test func initialWeightsAreRead() throws {
    let path = directory.file("initial.safetensors")
    let state = StateSnapshot(initialStateOf: fixture.model, seed: 3)
    try Checkpoint.writeParameters(
      state, of: fixture.model, metadata: CheckpointMetadata(initialStateOf: fixture.model), to: path)
    let trained = try TrainedModel(path: path)
    #expect(trained.state.parameters.values == fixture.model.initialParameters(seed: 3))
    #expect(trained.metadata.normalization == nil && trained.metadata.classNames.isEmpty)
    #expect(trained.metadata.stateHash == state.hash(fixture.model))
  }

  @Test func aRunsDirectoryStandsForItsNewestCheckpoint() throws {
    let store = CheckpointStore(directory: directory.file("run/checkpoints"), keep: 2)
    for step in [1, 2] {
      try store.save(
        fixture.state(step: step), of: fixture.model, configuration: fixture.configuration, classNames: [],
        runID: fixture.runID)
    }
    for path in ["run", "run/checkpoints", "run/checkpoints/latest"] {
      #expect(try TrainedModel(path: directory.file(path)).metadata.step == 2)
    }
  }

  /// Weights that want torchvision's `transform_input` say so, and others say nothing of it.
  @Test func transformInputIsKept() throws {
    var metadata = CheckpointMetadata(
      configuration: fixture.configuration, classNames: [], runID: fixture.runID, step: 9)
    #expect(metadata.strings["transform_input"] == nil && !metadata.transformsInput)
    var configuration = fixture.configuration
    configuration.transformInput = true
    metadata = CheckpointMetadata(configuration: configuration, classNames: [], runID: fixture.runID, step: 9)
    let path = directory.file("transform.safetensors")
    try Checkpoint.writeParameters(fixture.state(step: 9), of: fixture.model, metadata: metadata, to: path)
    #expect(try TrainedModel(path: path).metadata.transformsInput)
    #expect(try InheritedState(path: path, model: fixture.model, seed: 0).transformsInput)
    #expect(try !InheritedState(path: write(), model: fixture.model, seed: 0).transformsInput)
    var strings = metadata.strings
    strings["transform_input"] = "maybe"
    try SealedTensorFile.write([], metadata: strings, to: path)
    let error = #expect(throws: CheckpointError.self) { try TrainedModel(path: path) }
    #expect(error?.exitCode == 65)
  }

  /// Where a network pools whatever is left to one pixel, its weights fit pictures of any size.
  @Test func theImageSizeMayBeAnother() throws {
    let model = try Model(ModelCatalog.definition(named: "googlenet"), classes: 10, imageSize: 64, width: 0.1)
    let state = StateSnapshot(initialStateOf: model, seed: 3), path = directory.file("googlenet.safetensors")
    try Checkpoint.writeParameters(state, of: model, metadata: CheckpointMetadata(initialStateOf: model), to: path)
    let trained = try TrainedModel(path: path, imageSize: 96)
    #expect(trained.model.imageSize == 96 && trained.metadata.imageSize == 64)
    #expect(trained.state.parameters.values == state.parameters.values)
    // The tutorial's network does not: its classifier sees all of the last stage's pixels.
    let error = #expect(throws: CheckpointError.self) { try TrainedModel(path: try write(), imageSize: 48) }
    #expect(error?.exitCode == 78)
    #expect("\(try #require(error))".contains("--image-size"))
  }

  @Test func headsThatEvaluationDoesNotUseMayBeMissing() throws {
    let path = try write { $0.removeAll { $0.name.hasPrefix("aux") } }
    let trained = try TrainedModel(path: path)
    #expect(!trained.startedAnew.isEmpty && trained.startedAnew.allSatisfy { $0.hasPrefix("aux") })
  }

  @Test(arguments: [true, false]) func aRunInheritsWhatFitsAndStartsTheRestAnew(sealed: Bool) throws {
    let path = try write(sealed: sealed) { $0.removeAll { $0.name.hasPrefix("aux2.") } }
    let twelve = try Model(fixture.model.definition, classes: 12, imageSize: 32, width: 0.1)
    let inherited = try InheritedState(path: path, model: twelve, seed: 6)
    let aux2 = twelve.entries.map(\.key).filter { $0.hasPrefix("aux2.") }
    #expect(Set(inherited.startedAnew) == Set(aux2 + ["aux1.fc2.weight", "aux1.fc2.bias", "fc.weight", "fc.bias"]))
    #expect(
      inherited.remarks
        == ["'\(path)' lacks aux2, and has fc and aux1.fc2 for 10 classes, not 12: these are started anew"])
    let initial = twelve.initialParameters(seed: 6), source = fixture.state(step: 9)
    for (old, new) in zip(fixture.model.entries, twelve.entries) {
      guard case .parameter(let from, _) = old.role, case .parameter(let to, _) = new.role else { continue }
      let values = inherited.state.parameters.values[to..<to + new.count]
      if inherited.startedAnew.contains(new.key) {
        #expect(values == initial[to..<to + new.count])
      } else {
        #expect(values == source.parameters.values[from..<from + old.count])
      }
    }
    #expect(inherited.state.step == 0 && inherited.state.optimizerState.isEmpty)
  }

  @Test func missingBatchCountsAreZero() throws {
    let path = try write(sealed: false) { $0.removeAll { $0.name.hasSuffix("num_batches_tracked") } }
    let inherited = try InheritedState(path: path, model: fixture.model, seed: 0)
    #expect(inherited.state.batchCounts == fixture.model.batchNorms.map { _ in 0 })
    #expect(inherited.startedAnew.isEmpty)
  }

  @Test func aMissingAWrongAndASuperfluousTensorAreNamed() throws {
    func mismatch(_ change: (inout [SealedTensor]) -> Void) throws -> CheckpointError? {
      let path = try write(sealed: false, change: change)
      return #expect(throws: CheckpointError.self) { try InheritedState(path: path, model: fixture.model, seed: 0) }
    }
    let path = directory.file("weights.safetensors"), key = "im3.block3.3.weight"
    let entry = try #require(fixture.model.entries.first { $0.key == key })
    #expect(
      try mismatch { $0.removeAll { $0.name == key } }
        == .otherTensors(path: path, model: "googlenet-seed", missing: [key], unexpected: []))
    let swapped = [entry.shape[1], entry.shape[0]] + entry.shape[2...]
    let turned: [Int] = [entry.count]
    #expect(swapped.reduce(1, *) == entry.count)
    #expect(
      try mismatch { tensors in
        for index in tensors.indices where tensors[index].name == key { tensors[index].shape = turned }
      }
        == .otherShapes(
          path: path,
          tensors: [
            TensorMismatch(name: key, expected: "of the shape \(entry.shape)", found: "of the shape \(turned)")
          ]))
    let error = try mismatch { $0.append(SealedTensor(name: "extra", shape: [2], values: .integers([1, 2]))) }
    #expect(error == .otherTensors(path: path, model: "googlenet-seed", missing: [], unexpected: ["extra"]))
    #expect(error?.exitCode == 78)
    #expect("\(try #require(error))".contains("extra"))
  }

  /// A file of another program says nothing; its tensors do.
  @Test func theTensorsTellTheModel() throws {
    let path = try write(sealed: false)
    let trained = try TrainedModel(path: path)
    #expect(trained.model.definition.name == "googlenet-seed" && trained.model.classes == 10)
    #expect(trained.model.width == 0.1 && trained.model.imageSize == 32)
    #expect(trained.state.parameters.values == fixture.state(step: 9).parameters.values)
    #expect(trained.metadata.normalization == nil && trained.metadata.classNames.isEmpty)
    #expect(trained.remarks.count == 1 && trained.remarks[0].contains("googlenet-seed with 10 classes and width 0.1"))
    #expect(try TrainedModel(path: path, model: "googlenet-seed").model.classes == 10)
    let other = #expect(throws: CheckpointError.self) { try TrainedModel(path: path, model: "googlenet") }
    #expect(other?.exitCode == 78 && other?.description.contains("conv1.conv.weight") == true)
    let unknown = #expect(throws: CheckpointError.self) { try TrainedModel(path: path, model: "alexnet") }
    #expect(unknown?.description.contains("inception-v3") == true)
    let half = try write(sealed: false) { $0.removeAll { $0.name.hasPrefix("im9.") } }
    let error = #expect(throws: CheckpointError.self) { try TrainedModel(path: half) }
    #expect(error?.exitCode == 65)
    #expect(error?.description.contains("nearest is googlenet-seed, of which it lacks im9.block1.0.weight") == true)
    // However many there are, all are named: whoever converts a file needs to know which.
    let lacking = fixture.model.entries.filter { $0.key.hasPrefix("im9.") && $0.role != .batchCount }.map(\.key)
    #expect(lacking.count >= 12 && lacking.allSatisfy { error?.description.contains($0) == true })
  }

  /// Channel counts at width 1 and those of max(16, 16·⌊c·F/16 + ½⌋).
  @Test(arguments: [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2]) func theWidthIsInferred(width: Double) throws {
    let counts = [64, 192, 96, 128, 16, 32, 208, 48, 384].map { channels in
      (channels, width == 1 ? channels : max(16, 16 * Int((Double(channels) * width / 16 + 0.5).rounded(.down))))
    }
    #expect(ModelInference.width(counts) == width)
    #expect(ModelInference.width([(64, 32), (64, 64)]) == 1)
    #expect(ModelInference.width([(64, .max)]) == 1)
  }

  @Test func aDamagedOrMissingFileIsNoCheckpoint() throws {
    let path = directory.file("weights.safetensors")
    try writeBytes(Array("not a checkpoint".utf8), to: path)
    #expect(throws: CheckpointError.self) { try TrainedModel(path: path) }
    let missing = #expect(throws: CheckpointError.self) { try TrainedModel(path: directory.file("none.safetensors")) }
    #expect(missing?.exitCode == 65)
  }

  @Test func theNameOfAnotherModelIsAMismatch() throws {
    let path = try write()
    let torchvision = try Model(ModelCatalog.definition(named: "googlenet"), classes: 10, imageSize: 64, width: 0.1)
    let error = #expect(throws: CheckpointError.self) { try InheritedState(path: path, model: torchvision, seed: 0) }
    #expect(error == .mismatch(path: path, key: "model", expected: "googlenet", found: "googlenet-seed"))
  }
}
