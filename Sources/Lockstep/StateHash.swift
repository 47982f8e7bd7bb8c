/// Computes `state_hash`: the digest of all parameters and buffers after a step, which anybody can recompute from a checkpoint.
///
/// Every tensor of the state_dict, in state_dict order, is cut into pieces of 16,384 elements, each tensor starting anew;
/// the hash is XXH3-128 over the pieces' own XXH3-128 digests, each 16 bytes in canonical form, one after the other.
/// Values are little-endian Float32, `num_batches_tracked` Int64.
///
/// - Source: PROTOCOL.md §1.
public struct StateHash: Sendable {
  /// Elements of a piece.
  public static let pieceSize = 16_384
  private var digests: [UInt8] = []

  /// A hash of nothing so far.
  public init() {}

  /// Adds the next tensor.
  public mutating func add(_ values: UnsafeBufferPointer<Float>) { add(UnsafeRawBufferPointer(values), elementSize: 4) }

  /// Adds the next tensor, a scalar.
  public mutating func add(_ value: Int64) {
    withUnsafeBytes(of: value.littleEndian) { add($0, elementSize: 8) }
  }

  /// Adds the next tensor, given as little-endian bytes.
  public mutating func add(_ bytes: UnsafeRawBufferPointer, elementSize: Int) {
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + Self.pieceSize * elementSize)
      digests += Digest(of: UnsafeRawBufferPointer(rebasing: bytes[start..<end])).canonicalBytes
      start = end
    }
  }

  /// The hash of what was added.
  public var digest: Digest { Digest(of: digests) }
}
