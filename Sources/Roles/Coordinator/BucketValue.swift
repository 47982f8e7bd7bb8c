import Compute
import Foundation

/// What the aggregator adds: a bucket of a gradient, or the statistics.
enum BucketValue {
  /// A bucket of Float32.
  case floats(PooledBucket, count: Int)
  /// The statistics, always Float64.
  case doubles([Double])

  /// left + right; reuses left's memory, as the aggregator's logic allows.
  static func add(_ left: BucketValue, _ right: BucketValue) -> BucketValue {
    switch (left, right) {
    case (.floats(let a, let count), .floats(let b, let other)):
      precondition(count == other, "buckets of one number have one size")
      Compute.add(UnsafePointer(a.pointer), UnsafePointer(b.pointer), into: a.pointer, count: count)
      return left
    case (.doubles(let a), .doubles(let b)):
      precondition(a.count == b.count, "statistics have one size")
      return .doubles(zip(a, b).map { $0 + $1 })
    default:
      preconditionFailure("a bucket's values are of one kind")
    }
  }
}

/// Memory for one bucket, given back to its pool when the last reference goes.
final class PooledBucket {
  private let storage: FloatStorage
  private let pool: BucketPool
  var pointer: UnsafeMutablePointer<Float> { storage.pointer }

  fileprivate init(_ storage: FloatStorage, _ pool: BucketPool) { (self.storage, self.pool) = (storage, pool) }
  deinit { pool.put(storage) }
}

/// Buckets' memory, reused: a step allocates nothing once the first ones have been through. Belongs to one thread.
final class BucketPool {
  private var free: [FloatStorage] = []
  private let bucketSize: Int

  /// - Parameter bucketSize: elements of the largest bucket.
  init(bucketSize: Int) { self.bucketSize = bucketSize }

  func take() -> PooledBucket { PooledBucket(free.popLast() ?? FloatStorage(count: bucketSize), self) }

  fileprivate func put(_ storage: FloatStorage) { free.append(storage) }
}
