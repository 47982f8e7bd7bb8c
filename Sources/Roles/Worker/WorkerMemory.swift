import Compute
import Coordination
import Lockstep
import Wire

/// The weights of one version as they arrive, bucket by bucket.
///
/// The event loop fills it; the engine reads it once it is complete. So nobody writes what somebody else reads.
final class VersionArena: @unchecked Sendable {
  let weights: Weights
  let parameters: FloatStorage
  let buffers: FloatStorage
  /// Whether the frozen parameters are in their place.
  fileprivate(set) var hasFrozen: Bool

  init(_ weights: Weights, parameters: FloatStorage, buffers: FloatStorage, hasFrozen: Bool = false) {
    (self.weights, self.parameters, self.buffers, self.hasFrozen) = (weights, parameters, buffers, hasFrozen)
  }
}

/// The sum of a subtree's leaves: a gradient and statistics.
///
/// The engine writes a bucket and then reports it; the event loop reads only what was reported.
final class SumBuffer: @unchecked Sendable {
  let gradient: FloatStorage
  var statistics: [Double]

  init(gradient: FloatStorage, statisticsCount: Int) {
    self.gradient = gradient
    statistics = Array(repeating: 0, count: statisticsCount)
  }
}

/// The worker's large memory, reused from step to step. Belongs to the event loop.
struct WorkerMemory {
  /// Names a sum.
  struct Key: Hashable {
    let pass: Pass
    let subtree: Subtree
  }

  private let parameterCount: Int
  private let trainedCount: Int
  private let bufferCount: Int
  private let statisticsCount: Int
  /// The frozen parameters, the same in every version; they are received once and copied into each arena once.
  let frozen: FloatStorage
  private var sums: [Key: SumBuffer] = [:]
  private var freeGradients: [FloatStorage] = []
  private(set) var arena: VersionArena?
  private var freeArenas: [VersionArena] = []

  init(parameterCount: Int, trainedCount: Int, bufferCount: Int, statisticsCount: Int) {
    (self.parameterCount, self.trainedCount) = (parameterCount, trainedCount)
    (self.bufferCount, self.statisticsCount) = (bufferCount, statisticsCount)
    frozen = FloatStorage(count: parameterCount - trainedCount)
  }

  /// A new sum; evaluation has no gradient, so its sums take no memory for one.
  mutating func makeSum(_ pass: Pass, _ subtree: Subtree) -> SumBuffer {
    let gradient =
      pass.kind == .training ? freeGradients.popLast() ?? FloatStorage(count: trainedCount) : FloatStorage(count: 1)
    let sum = SumBuffer(gradient: gradient, statisticsCount: statisticsCount)
    sums[Key(pass: pass, subtree: subtree)] = sum
    return sum
  }

  func sum(_ pass: Pass, _ subtree: Subtree) -> SumBuffer? { sums[Key(pass: pass, subtree: subtree)] }

  mutating func freeSum(_ pass: Pass, _ subtree: Subtree) {
    guard let sum = sums.removeValue(forKey: Key(pass: pass, subtree: subtree)), pass.kind == .training else { return }
    freeGradients.append(sum.gradient)
  }

  /// Where the buckets of some weights go; a new place when they are new.
  mutating func arena(for weights: Weights) -> VersionArena {
    if let arena, arena.weights == weights { return arena }
    if let old = arena { freeArenas.append(old) }
    var storage: (FloatStorage, FloatStorage, Bool)?
    // The engine may still hold the version before; whatever it has let go of can be written again.
    for index in freeArenas.indices where isKnownUniquelyReferenced(&freeArenas[index]) {
      let free = freeArenas.remove(at: index)
      storage = (free.parameters, free.buffers, free.hasFrozen)
      break
    }
    let (parameters, buffers, hasFrozen) =
      storage ?? (FloatStorage(count: parameterCount), FloatStorage(count: bufferCount), false)
    let made = VersionArena(weights, parameters: parameters, buffers: buffers, hasFrozen: hasFrozen)
    arena = made
    return made
  }

  /// All buckets of the present arena have come, now or with earlier weights.
  func completeArena() {
    guard let arena, !arena.hasFrozen else { return }
    (arena.parameters.pointer + trainedCount).update(from: frozen.pointer, count: frozen.count)
    arena.hasFrozen = true
  }
}
