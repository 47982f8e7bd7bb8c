import Compute
import Lockstep
import Models

/// One version of a run's state, complete: what a checkpoint holds. Nothing in it changes after it was made.
public struct StateSnapshot: Sendable {
  /// The version: the step that made it, 0 for the initial state.
  public var step: Int
  /// The flat vector of parameters, frozen ones included: `model.parameterCount` floats.
  public var parameters: FloatStorage
  /// Running means and variances, in the model's order.
  public var buffers: FloatStorage
  /// `num_batches_tracked` of every batch norm, in state_dict order.
  public var batchCounts: [Int64]
  /// The optimizer's vectors, in the order of its names: `model.flat.count` floats each.
  public var optimizerState: [FloatStorage]
  /// The average of the parameters, where one is kept.
  public var average: AveragedWeights?

  /// Collects the parts of a version.
  public init(
    step: Int, parameters: FloatStorage, buffers: FloatStorage, batchCounts: [Int64], optimizerState: [FloatStorage],
    average: AveragedWeights? = nil
  ) {
    (self.step, self.parameters, self.buffers) = (step, parameters, buffers)
    (self.batchCounts, self.optimizerState, self.average) = (batchCounts, optimizerState, average)
  }

  /// The state that a run starts from where no file is given.
  public init(initialStateOf model: Model, seed: UInt64) {
    self.init(
      step: 0, parameters: FloatStorage(copying: model.initialParameters(seed: seed)),
      buffers: FloatStorage(copying: model.initialBuffers()),
      batchCounts: Array(repeating: 0, count: model.batchNorms.count), optimizerState: [])
  }

  /// The version's `state_hash`; the average is no part of it.
  public func hash(_ model: Model) -> Digest {
    stateHash(
      model, parameters: UnsafePointer(parameters.pointer), buffers: UnsafePointer(buffers.pointer),
      batchCounts: batchCounts)
  }
}

/// The average of a run's parameters over its updates, and that of its running statistics.
public struct AveragedWeights: Sendable {
  /// The flat vector.
  public var parameters: FloatStorage
  /// Running means and variances, in the model's order.
  public var buffers: FloatStorage
  /// How many updates it holds; 0: it is the parameters themselves.
  public var updates: Int

  /// Collects the parts of an average.
  public init(parameters: FloatStorage, buffers: FloatStorage, updates: Int) {
    (self.parameters, self.buffers, self.updates) = (parameters, buffers, updates)
  }

  /// A copy that nothing changes.
  func copied() -> AveragedWeights {
    AveragedWeights(
      parameters: FloatStorage(copying: parameters), buffers: FloatStorage(copying: buffers), updates: updates)
  }
}

/// The `state_hash` of parameters and buffers: tensors in state_dict order, whatever order they lie in.
func stateHash(
  _ model: Model, parameters: UnsafePointer<Float>, buffers: UnsafePointer<Float>, batchCounts: [Int64]
) -> Digest {
  var hash = StateHash()
  for tensor in model.stateTensors {
    switch tensor.source {
    case .parameters(let offset): hash.add(UnsafeBufferPointer(start: parameters + offset, count: tensor.count))
    case .buffers(let offset): hash.add(UnsafeBufferPointer(start: buffers + offset, count: tensor.count))
    case .batchCount(let index): hash.add(batchCounts[index])
    }
  }
  return hash.digest
}

/// Where a tensor of the state_dict lies in a version.
struct StateTensor: Sendable {
  enum Source: Sendable {
    case parameters(offset: Int)
    case buffers(offset: Int)
    case batchCount(index: Int)
  }
  var entry: StateEntry
  var source: Source
  /// Elements.
  var count: Int { entry.shape.reduce(1, *) }
}

extension Model {
  /// The tensors of the state_dict, in its order.
  var stateTensors: [StateTensor] {
    var counts = 0
    return entries.map { entry in
      switch entry.role {
      case .parameter(let offset, _): return StateTensor(entry: entry, source: .parameters(offset: offset))
      case .runningMean(let offset), .runningVariance(let offset):
        return StateTensor(entry: entry, source: .buffers(offset: offset))
      case .batchCount:
        defer { counts += 1 }
        return StateTensor(entry: entry, source: .batchCount(index: counts))
      }
    }
  }

  /// How many auxiliary classifiers it has.
  var auxiliaryHeads: Int { Set(entries.map(\.group)).subtracting(["main"]).count }
}
