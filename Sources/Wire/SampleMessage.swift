import Lockstep

/// What workers and the coordinator say on the sample socket.
public enum SampleMessage: Hashable, Sendable {
  /// From a worker: send these; at most 1,024 a request.
  case want(session: UInt64, set: SampleSet, indices: [Int])
  /// From the coordinator: one sample; its encoded bytes follow.
  case sample(SampleHeader)
}

/// What precedes a sample's encoded bytes.
public struct SampleHeader: Hashable, Sendable {
  /// The sample.
  public var sample: SampleReference
  /// Its class.
  public var label: Int
  /// How its bytes are encoded; a number that the dataset gives meaning to.
  public var encoding: UInt8
  /// Height and width where the encoding does not say them, else 0.
  public var height: Int, width: Int
  /// Colour channels where the encoding does not say them, else 0.
  public var channels: Int
  /// The digest of its bytes.
  public var digest: Digest

  /// Collects what is said.
  public init(
    sample: SampleReference, label: Int, encoding: UInt8, height: Int, width: Int, channels: Int, digest: Digest
  ) {
    (self.sample, self.label, self.encoding) = (sample, label, encoding)
    (self.height, self.width, self.channels, self.digest) = (height, width, channels, digest)
  }
}
