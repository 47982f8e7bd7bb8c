import Glibc

/// A block of floats, aligned to 64 bytes and zero at first; it is freed with its last reference.
///
/// Blocks of 4 MiB and more are aligned to 2 MiB and the kernel is asked for huge pages.
///
/// Sendable because the address and the length never change; who may write when is a matter of its users.
public final class FloatStorage: @unchecked Sendable {
  /// How many floats it holds.
  public let count: Int
  /// The first float.
  public let pointer: UnsafeMutablePointer<Float>

  /// Allocates zeroed floats.
  ///
  /// Traps if there is no memory for them: sizes are checked by whoever takes them from a file or a peer.
  public init(count: Int) {
    require(count >= 0 && count <= Int.max / 8, "a block of \(count) floats cannot be allocated")
    // One line more than asked for, so that an empty block has an address too.
    let byteCount = count * MemoryLayout<Float>.stride + 64
    let isLarge = byteCount >= 4 << 20
    var address: UnsafeMutableRawPointer?
    guard posix_memalign(&address, isLarge ? 2 << 20 : 64, byteCount) == 0, let address else {
      fatalError("no memory for \(byteCount) bytes: use a smaller --microbatch, or fewer workers on this host")
    }
    if isLarge { madvise(address, byteCount, MADV_HUGEPAGE) }
    memset(address, 0, byteCount)
    self.count = count
    pointer = address.bindMemory(to: Float.self, capacity: byteCount / MemoryLayout<Float>.stride)
  }

  deinit { free(pointer) }

  /// A copy of some values.
  public convenience init(copying values: [Float]) {
    self.init(count: values.count)
    values.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { pointer.update(from: base, count: source.count) }
    }
  }

  /// A copy of another storage.
  public convenience init(copying other: FloatStorage) {
    self.init(count: other.count)
    pointer.update(from: other.pointer, count: other.count)
  }

  /// Its values, for tests and small things.
  public var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}
