import Lockstep

/// What a dataset is opened for.
public enum DatasetRole: String, Sendable, CaseIterable {
  case training, validation
}

/// Samples with labels, in a fixed order, all of it on this host.
public protocol Dataset: SampleSource {
  /// A SPEC that opens the same dataset again.
  var spec: String { get }
  /// The classes' names; a label is an index into them.
  var classNames: [String] { get }
  /// How pixel values become inputs unless a user says otherwise.
  var defaultNormalization: PixelNormalization { get }
  /// Height and width of the samples where all have the same, else nil.
  var storedSize: Int? { get }

  /// A sample's relative path, or whatever names it among the dataset's.
  func name(ofSample index: Int) -> String
  /// A sample's class.
  func label(ofSample index: Int) -> Int
  /// How many encoded bytes a sample has.
  func byteCount(ofSample index: Int) -> Int
}

extension Dataset {
  /// Whether two hosts' datasets are the same: a digest over every sample's name, size and label, in order, and over the
  /// bytes of 64 samples.
  ///
  /// Records are (name's length as UInt32, name, size as UInt64, label as UInt32), little-endian, 4,096 of them a piece; the
  /// fingerprint is the digest of the pieces' digests followed by the 64 samples' digests.
  ///
  /// - Throws: if one of the 64 samples cannot be read.
  public func fingerprint() throws -> Digest {
    var digests: [UInt8] = []
    var piece: [UInt8] = []
    for index in 0..<count {
      let name = Array(name(ofSample: index).utf8)
      append(UInt32(name.count), to: &piece)
      piece += name
      append(UInt64(byteCount(ofSample: index)), to: &piece)
      append(UInt32(label(ofSample: index)), to: &piece)
      if index % 4096 == 4095 {
        digests += Digest(of: piece).canonicalBytes
        piece.removeAll(keepingCapacity: true)
      }
    }
    digests += Digest(of: piece).canonicalBytes
    for draw in 0..<64 {
      var random = AddressedRandom(seed: 0, purpose: .fingerprint, index: draw)
      digests += Digest(of: try sample(at: random.integer(below: count)).bytes).canonicalBytes
    }
    return Digest(of: digests)
  }

  private func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }
}
