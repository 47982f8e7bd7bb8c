import Compute

/// Samples that are to be loaded together.
public struct LeafRequest: Hashable, Sendable {
  /// What the loader is asked for it by; unique among the requests that are open.
  public let id: Int
  /// The samples' indices in the dataset, at most a microbatch of them.
  public let samples: [Int]
  /// The epoch that their random numbers are addressed by.
  public let epoch: Int
  /// What they are for.
  public let purpose: LeafPurpose

  /// Describes a leaf.
  public init(id: Int, samples: [Int], epoch: Int, purpose: LeafPurpose) {
    (self.id, self.samples, self.epoch, self.purpose) = (id, samples, epoch, purpose)
  }
}

/// A leaf whose samples are in memory.
///
/// Safe to pass on: loading threads have done with it when it is handed out, and it has one holder at a time until it is
/// recycled.
public final class LoadedLeaf: @unchecked Sendable {
  /// What it was requested by.
  public internal(set) var id = 0
  /// The samples' pixels, NCHW, in the order of the request; the storage has room for a microbatch.
  public let images: FloatStorage
  /// The samples' classes, in the same order.
  public internal(set) var labels: [Int32] = []
  /// The samples' indices in the dataset, in the same order.
  public internal(set) var samples: [Int] = []

  init(capacity: Int) { images = FloatStorage(count: capacity) }
}
