import Coordination
import Lockstep
import Wire

/// A value of the simulation: a hash of how it came about, so that any wrong order, edge or double use changes it.
typealias Symbol = UInt64

/// Neither commutative nor associative.
func combined(_ a: UInt64, _ b: UInt64) -> UInt64 {
  var x = a &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1
  x ^= x >> 29
  x = (x &+ b) &* 0xBF58_476D_1CE4_E5B9
  x ^= x >> 32
  x = x &* 0x94D0_49BB_1331_11EB
  return x ^ (x >> 31)
}

/// The symbol of one bucket of one leaf, computed with some parameters.
func leafSymbol(_ pass: Pass, leaf: Int, bucket: Int, parameters: [Symbol]) -> Symbol {
  let place = combined(combined(UInt64(pass.step) * 2 + UInt64(pass.kind.rawValue), UInt64(leaf)), UInt64(bucket))
  return parameters.reduce(place) { combined($0, $1) }
}

/// Whether the update of a step is skipped, as if it were not finite.
func isSkipped(_ step: Int) -> Bool { step % 7 == 5 }

/// The buckets of version t from those of t − 1 and the roots. Frozen ones stay, an average takes in what it is of, and
/// an update depends on all roots, as one with a norm does.
func updated(_ old: [Symbol], roots: [Symbol], step: Int, layout: VersionLayout) -> [Symbol] {
  if isSkipped(step) { return old }
  let norm = roots.reduce(0x4E) { combined($0, $1) }
  var new = old
  for bucket in layout.current { new[bucket] = combined(combined(old[bucket], roots[bucket]), norm) }
  for (bucket, average) in zip(layout.current, layout.averaged) { new[average] = combined(old[average], new[bucket]) }
  return new
}

/// Deterministic random numbers for the simulation.
///
/// - Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = combined(seed, 0x5EED) }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func chance(_ probability: Double) -> Bool { Double.random(in: 0..<1, using: &self) < probability }

  mutating func seconds(_ range: ClosedRange<Double>) -> Duration { .seconds(Double.random(in: range, using: &self)) }
}

/// What every bucket of every pass must come to, computed from the definition of the canonical tree alone.
final class Oracle {
  let layout: VersionLayout
  let leafCount: (Pass) -> Int
  private var versions: [[Symbol]]

  init(layout: VersionLayout, leafCount: @escaping (Pass) -> Int) {
    (self.layout, self.leafCount) = (layout, leafCount)
    versions = [(0..<layout.count).map { combined(0xF00D, UInt64($0)) }]
  }

  /// Every bucket of a version.
  func version(_ version: Int) -> [Symbol] {
    while versions.count <= version {
      let pass = Pass(.training, step: versions.count)
      let roots = layout.current.map { root(pass, bucket: $0) }
      versions.append(updated(versions[versions.count - 1], roots: roots, step: pass.step, layout: layout))
    }
    return versions[version]
  }

  func root(_ pass: Pass, bucket: Int) -> Symbol {
    let all = version(pass.version)
    let readsAverage = pass.kind == .evaluation && !layout.averaged.isEmpty
    let parameters = all[readsAverage ? layout.averaged : layout.current] + all[layout.frozen]
    return sum(pass, bucket, Array(parameters), 0..<leafCount(pass))
  }

  /// Split at the largest power of two below n, larger part left.
  private func sum(_ pass: Pass, _ bucket: Int, _ parameters: [Symbol], _ leaves: Range<Int>) -> Symbol {
    if leaves.count == 1 {
      return leafSymbol(pass, leaf: leaves.lowerBound, bucket: bucket, parameters: parameters)
    }
    var half = 1
    while 2 * half < leaves.count { half = 2 * half }
    let middle = leaves.lowerBound + half
    return combined(
      sum(pass, bucket, parameters, leaves.lowerBound..<middle),
      sum(pass, bucket, parameters, middle..<leaves.upperBound))
  }
}
