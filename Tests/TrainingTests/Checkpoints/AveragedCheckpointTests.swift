import Compute
import Foundation
import Lockstep
import Models
import Testing

@testable import Training

@Suite struct AveragedCheckpointTests {
  private let fixture: Fixture
  private let configuration: RunConfiguration
  private let directory: TemporaryDirectory
  private let store: CheckpointStore

  init() throws {
    fixture = try Fixture()
    var configuration = fixture.configuration
    configuration.average = .ema
    self.configuration = configuration
    directory = try TemporaryDirectory()
    store = CheckpointStore(directory: directory.file("checkpoints"), keep: 2)
  }

  private func state(_ step: Int) -> StateSnapshot {
    var state = fixture.state(step: step)
    let other = fixture.state(step: step, seed: 77)
    state.average = AveragedWeights(parameters: other.parameters, buffers: other.buffers, updates: 41)
    return state
  }

  private func save(_ step: Int) throws {
    try store.save(
      state(step), of: fixture.model, configuration: configuration, classNames: fixture.classNames,
      runID: fixture.runID)
  }

  private var averaged: String { store.directory + "/step-00000003.averaged.safetensors" }

  @Test func theAverageIsReadBack() throws {
    try save(3)
    let average = try #require(
      try store.newest(model: fixture.model, configuration: configuration).checkpoint.state.average)
    #expect(average.parameters.values == state(3).average?.parameters.values)
    #expect(average.buffers.values == state(3).average?.buffers.values && average.updates == 41)
  }

  /// A folder stands for the averaged weights, a named file for itself.
  @Test func theAverageIsAModelLikeAnyOther() throws {
    try save(3)
    let parameters = store.directory + "/step-00000003.safetensors"
    for path in [directory.path, store.directory, store.directory + "/latest", averaged] {
      let trained = try TrainedModel(path: path)
      #expect(trained.state.parameters.values == state(3).average?.parameters.values, "\(path)")
      #expect(trained.state.batchCounts == state(3).batchCounts && trained.metadata.classNames == fixture.classNames)
    }
    #expect(try TrainedModel(path: parameters).state.parameters.values == state(3).parameters.values)
  }

  @Test func oldAveragesGoWithTheirVersions() throws {
    for step in 1...4 { try save(step) }
    let names = try FileManager.default.contentsOfDirectory(atPath: store.directory).sorted()
    #expect(names.count == 7 && names.filter { $0.contains(".averaged.") }.count == 2, "\(names)")
    #expect(store.steps() == [4, 3])
  }

  @Test func aMissingOrForeignAverageMakesTheCheckpointDamaged() throws {
    try save(2)
    try save(3)
    let bytes = try readBytes(averaged)
    func newest() throws -> Int {
      try store.newest(model: fixture.model, configuration: configuration).checkpoint.state.step
    }
    #expect(try newest() == 3)
    try FileManager.default.removeItem(atPath: averaged)
    #expect(try newest() == 2)
    try writeBytes(try readBytes(store.directory + "/step-00000002.averaged.safetensors"), to: averaged)
    #expect(try newest() == 2)
    var damaged = bytes
    damaged[damaged.count - 3] ^= 4
    try writeBytes(damaged, to: averaged)
    #expect(try newest() == 2)
    try writeBytes(bytes, to: averaged)
    #expect(try newest() == 3)
  }
}
