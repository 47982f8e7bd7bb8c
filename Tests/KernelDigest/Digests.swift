import Compute
import Lockstep

/// Results by name: prints a line with the digest of each.
final class Digests {
  /// The threads that all kernels run on.
  let pool: ThreadPool
  private var all: [UInt8] = []
  private var cases = 0
  private var memory: Memory?

  init(pool: ThreadPool) { self.pool = pool }

  /// Begins a case: gives up the memory of the last one.
  func newMemory() -> Memory {
    cases += 1
    let memory = Memory(cases, pool)
    self.memory = memory
    return memory
  }

  /// Adds a result, however many arrays it is.
  func add(_ name: String, _ parts: any DigestedArray...) {
    let digest = Digest(of: parts.flatMap { Digest(of: $0.bytes).canonicalBytes })
    all += digest.canonicalBytes
    print(digest, name)
  }

  /// Prints the digest of all results.
  func finish() { print(Digest(of: all), "all") }
}

/// Values whose bytes are digested.
protocol DigestedArray {
  /// Their bits, with one pattern for all NaNs: which one an operation gives is the processor's choice.
  var bytes: [UInt8] { get }
}

extension Array: DigestedArray where Element: DigestedElement {
  var bytes: [UInt8] {
    map(\.pattern.littleEndian).withUnsafeBufferPointer { Array<UInt8>(UnsafeRawBufferPointer($0)) }
  }
}

extension FloatStorage: DigestedArray {
  var bytes: [UInt8] { Array(UnsafeBufferPointer(start: pointer, count: count)).bytes }
}

/// One such value.
protocol DigestedElement {
  associatedtype Pattern: FixedWidthInteger
  var pattern: Pattern { get }
}

extension Float: DigestedElement {
  var pattern: UInt32 { isNaN ? Float.nan.bitPattern : bitPattern }
}

extension Double: DigestedElement {
  var pattern: UInt64 { isNaN ? Double.nan.bitPattern : bitPattern }
}

extension Int32: DigestedElement {
  var pattern: Int32 { self }
}

extension Int: DigestedElement {
  var pattern: Int { self }
}
