import Compute
import Lockstep
import Models
import Testing

@testable import Training

/// What `--freeze` means to the state, its checkpoints and its average.
@Suite struct FrozenStateTests {
  private static let prefixes = ["stem", "im1.", "aux2.fc1.weight"]
  private let fixture: Fixture
  private let model: Model
  private let configuration: RunConfiguration
  private let initial: StateSnapshot

  init() throws {
    fixture = try Fixture()
    model = try Model(
      fixture.model.definition, classes: 10, imageSize: 32, width: 0.1, freeze: Self.prefixes)
    var configuration = fixture.configuration
    (configuration.freeze, configuration.average, configuration.clipNorm) = (Self.prefixes, .ema, 1)
    (configuration.optimizer, configuration.epsilon) = (.rmsprop, 0.1)
    self.configuration = configuration
    initial = StateSnapshot(initialStateOf: model, seed: 1)
  }

  private func isFrozen(_ key: String) -> Bool { Self.prefixes.contains { key.hasPrefix($0) } }

  @discardableResult private func step(_ state: TrainingState) -> TrainingState.Outcome {
    var random = AddressedRandom(seed: 2, purpose: .synthesis, index: state.step)
    let gradient = (0..<model.flat.count).map { _ in random.uniformFloat() - 0.5 }
    // Sums of frozen batch norms are 0.
    var statistics = (0..<model.statistics.count).map { _ in 3 * random.uniform() }
    statistics[model.statistics.sampleCount] = 3
    for (index, norm) in model.batchNorms.enumerated() where norm.isFrozen {
      for place in model.statistics.batchNormRange(index) { statistics[place] = 0 }
    }
    gradient.withUnsafeBufferPointer { gradient in
      guard let gradient = gradient.baseAddress else { return }
      for (bucket, range) in model.flat.buckets.enumerated() {
        state.apply(bucket: bucket, sum: gradient + range.lowerBound, sampleCount: 3, learningRate: 0.05)
      }
    }
    return statistics.withUnsafeBufferPointer { state.finish(statistics: $0) }
  }

  /// The values of every tensor of a version, by its key.
  private func tensors(_ state: StateSnapshot) -> [String: [Float]] {
    var result: [String: [Float]] = [:]
    for tensor in model.stateTensors {
      switch tensor.source {
      case .parameters(let offset):
        result[tensor.entry.key] = Array(state.parameters.values[offset..<offset + tensor.count])
      case .buffers(let offset): result[tensor.entry.key] = Array(state.buffers.values[offset..<offset + tensor.count])
      case .batchCount(let index): result[tensor.entry.key] = [Float(state.batchCounts[index])]
      }
    }
    return result
  }

  /// Parameters, running statistics and `num_batches_tracked` of what is frozen stay; everything else moves.
  @Test func whatIsFrozenStays() {
    let state = TrainingState(model: model, configuration: configuration, from: initial)
    for _ in 0..<2 { #expect(step(state).skipped == nil) }
    let before = tensors(initial), after = tensors(state.snapshot())
    #expect(before.keys.contains("stem.1.running_mean") && before.count == model.entries.count)
    for (key, values) in before {
      #expect((after[key] == values) == isFrozen(key), "\(key)")
    }
    let average = state.average.map {
      tensors(
        StateSnapshot(
          step: 2, parameters: $0.parameters, buffers: $0.buffers, batchCounts: state.batchCounts, optimizerState: []))
    }
    for (key, values) in before where isFrozen(key) { #expect(average?[key] == values, "\(key)") }
  }

  @Test func vectorsAreOfWhatIsTrained() {
    let state = TrainingState(model: model, configuration: configuration, from: initial)
    #expect(state.parameters.count == fixture.model.flat.count && model.flat.count < state.parameters.count)
    #expect(state.snapshot().optimizerState.map(\.count) == [model.flat.count, model.flat.count])
  }

  /// `state_hash` is of all tensors in state_dict order, wherever they lie.
  @Test func theHashIsThatOfTheSameTensorsUnfrozen() {
    let whole = StateSnapshot(initialStateOf: fixture.model, seed: 1)
    #expect(initial.hash(model) == whole.hash(fixture.model))
    #expect(initial.parameters.values != whole.parameters.values, "they lie elsewhere")
  }

  @Test func aRunGoesOnFromItsCheckpoint() throws {
    let straight = TrainingState(model: model, configuration: configuration, from: initial)
    for _ in 0..<2 { step(straight) }
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 1)
    try store.save(
      straight.snapshot(), of: model, configuration: configuration, classNames: fixture.classNames, runID: fixture.runID
    )
    step(straight)

    let optimizer = try SealedTensorFile(path: directory.file(Checkpoint.optimizerFileName(step: 2)), ownKeys: [])
    #expect(!optimizer.shapes.isEmpty && optimizer.shapes.keys.allSatisfy { !isFrozen($0) })
    let state = try store.newest(model: model, configuration: configuration).checkpoint.state
    let resumed = TrainingState(model: model, configuration: configuration, from: state)
    step(resumed)
    #expect(resumed.stateHash() == straight.stateHash())
    #expect(resumed.snapshot().optimizerState.map(\.values) == straight.snapshot().optimizerState.map(\.values))
    #expect(resumed.average?.parameters.values == straight.average?.parameters.values)
    // The file is one of the whole model.
    let parameters = directory.file(Checkpoint.fileName(step: 2))
    #expect(tensors(try TrainedModel(path: parameters).state.laidOut(like: model)) == tensors(state))
  }
}

extension StateSnapshot {
  /// The same tensors for a model that freezes others: read back by their names.
  fileprivate func laidOut(like model: Model) throws -> StateSnapshot {
    let plain = try Model(model.definition, classes: model.classes, imageSize: model.imageSize, width: model.width)
    let directory = try TemporaryDirectory(), path = directory.file("w.safetensors")
    try Checkpoint.writeParameters(self, of: plain, metadata: CheckpointMetadata(initialStateOf: plain), to: path)
    return try StateSnapshot.reading(
      try SealedTensorFile(path: path, ownKeys: []), model: model, step: step, tolerance: .none
    ).state
  }
}
