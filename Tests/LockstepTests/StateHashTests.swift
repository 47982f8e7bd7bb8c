import Testing

@testable import Lockstep

@Suite struct StateHashTests {
  /// The definition in Python:
  ///
  ///     d = b""
  ///     for data, size in tensors:
  ///         for i in range(0, len(data), 16384 * size): d += xxhash.xxh3_128_digest(data[i:i + 16384 * size])
  ///     xxhash.xxh3_128_hexdigest(d)
  ///
  /// over struct.pack("<f", i % 1000 * 0.25 - 7) for i in range(40000); pack("<q", 123456789012); pack("<3f", 1, 2, -0.0).
  @Test func goldenHash() {
    var hash = StateHash()
    let large = (0..<40_000).map { Float($0 % 1000) * 0.25 - 7 }, small: [Float] = [1, 2, -0.0]
    large.withUnsafeBufferPointer { hash.add($0) }
    hash.add(123_456_789_012)
    small.withUnsafeBufferPointer { hash.add($0) }
    #expect(hash.digest.hex == "703b88c6322dc86bdff9dbff8171dfbb")
    #expect(StateHash().digest.hex == "99aa06d3014798d86001c324468d497f")
  }

  @Test func everyBitAndBoundaryCounts() {
    func hash(_ tensors: [[Float]]) -> Digest {
      var hash = StateHash()
      for tensor in tensors { tensor.withUnsafeBufferPointer { hash.add($0) } }
      return hash.digest
    }
    let plain = hash([[1, 2], [3]])
    #expect(plain != hash([[1], [2, 3]]), "where one tensor ends")
    #expect(plain != hash([[3], [1, 2]]), "the order of tensors")
    #expect(plain != hash([[1, 2], [Float(3).nextUp]]), "one bit")
    #expect(hash([[0]]) != hash([[-0.0]]), "the sign of zero")
    #expect(plain == hash([[1, 2], [3]]))
  }
}
