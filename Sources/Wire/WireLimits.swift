import Lockstep

/// How large anything on the wire may be. Everything is checked against these before memory is taken for it.
public enum WireLimits {
  /// Bytes of a whole control message.
  public static let controlMessage = 512 << 10
  /// Bytes of a bulk payload: one bucket of Float32, see `FlatLayout.bucketSize`.
  public static let bulkPayload = 1 << 20
  /// Bytes of a whole bulk message.
  public static let bulkMessage = bulkPayload + fieldRoom
  /// Bytes of a sample as it is stored in a dataset.
  public static let samplePayload = 64 << 20
  /// Bytes of a whole sample message.
  public static let sampleMessage = samplePayload + fieldRoom
  /// Bytes that a message with a payload has room for besides it; the fields of the longest take fewer, and so does WANT.
  static let fieldRoom = 8 << 10

  /// UTF-8 bytes of a worker's name.
  public static let name = 64
  /// UTF-8 bytes of a CPU's name.
  public static let cpu = 128
  /// UTF-8 bytes of a reason.
  public static let reason = 1024
  /// UTF-8 bytes of an endpoint.
  public static let endpoint = 256
  /// Bytes of a configuration's JSON.
  public static let configuration = 256 << 10

  /// Leaves of one plan.
  public static let planLeaves = LeafPlan.largestLeafCount
  /// Samples of one request.
  public static let wantIndices = 1024
  /// Buckets of one request.
  public static let fetchBuckets = 16
  /// Leaves of a pass; also the largest upper end of a subtree.
  public static let leaves = 1 << 24
  /// Buckets of a version.
  public static let buckets = 1 << 24
  /// Classes of a dataset.
  public static let classes = 1_000_000
  /// Compute threads of a worker.
  public static let threads = 65_536
  /// Pixels along one side of a sample.
  public static let side = 65_536
  /// Milliseconds between two beats: an hour.
  public static let beatMilliseconds = 3_600_000
}
