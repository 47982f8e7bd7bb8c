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

  init(_ weights: Weights, parameters: FloatStorage, buffers: FloatStorage) {
    (self.weights, self.parameters, self.buffers) = (weights, parameters, buffers)
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

  private let flatCount: Int
  private let bufferCount: Int
  private let statisticsCount: Int
  private var sums: [Key: SumBuffer] = [:]
  private var freeGradients: [FloatStorage] = []
  private(set) var arena: VersionArena?
  private var freeArenas: [VersionArena] = []

  init(flatCount: Int, bufferCount: Int, statisticsCount: Int) {
    (self.flatCount, self.bufferCount, self.statisticsCount) = (flatCount, bufferCount, statisticsCount)
  }

  /// A new sum; evaluation has no gradient, so its sums take no memory for one.
  mutating func makeSum(_ pass: Pass, _ subtree: Subtree) -> SumBuffer {
    let gradient =
      pass.kind == .training ? freeGradients.popLast() ?? FloatStorage(count: flatCount) : FloatStorage(count: 1)
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
    var storage: (FloatStorage, FloatStorage)?
    // The engine may still hold the version before; whatever it has let go of can be written again.
    for index in freeArenas.indices where isKnownUniquelyReferenced(&freeArenas[index]) {
      let free = freeArenas.remove(at: index)
      storage = (free.parameters, free.buffers)
      break
    }
    let (parameters, buffers) = storage ?? (FloatStorage(count: flatCount), FloatStorage(count: bufferCount))
    let made = VersionArena(weights, parameters: parameters, buffers: buffers)
    arena = made
    return made
  }
}
