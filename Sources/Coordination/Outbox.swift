import Lockstep
import Wire

/// Gradients on their way: what may be sent, what was sent and is not acknowledged, at most `window` messages of it.
struct Outbox {
  /// Unacknowledged messages at most.
  static let window = 16

  /// Released sums: the buckets of each that are not acknowledged.
  private var parcels: [Subtree: Set<Int>] = [:]
  private var ready: [ContributionKey] = []
  private(set) var inFlight: [ContributionKey] = []

  /// How many sums are kept because some bucket of them is not acknowledged.
  var parcelCount: Int { parcels.count }

  /// The sums that are kept.
  var subtrees: [Subtree] { parcels.keys.sorted() }

  /// Announces a sum; its buckets are sent as they become ready.
  mutating func open(_ subtree: Subtree, buckets: ClosedRange<Int>) { parcels[subtree] = Set(buckets) }

  /// A bucket of a sum has its value.
  mutating func makeReady(_ key: ContributionKey) { ready.append(key) }

  /// What to send now.
  mutating func next() -> [ContributionKey] {
    let count = min(ready.count, Self.window - inFlight.count)
    guard count > 0 else { return [] }
    let keys = Array(ready.prefix(count))
    ready.removeFirst(count)
    inFlight += keys
    return keys
  }

  /// Takes an acknowledgement; returns the sum if that was the last one it waited for.
  mutating func acknowledge(_ key: ContributionKey) -> Subtree? {
    guard let position = inFlight.firstIndex(of: key) else { return nil }
    inFlight.remove(at: position)
    parcels[key.subtree]?.remove(key.bucket)
    guard parcels[key.subtree]?.isEmpty == true else { return nil }
    parcels[key.subtree] = nil
    return key.subtree
  }
}

/// The fetching of some weights, bucket by bucket, at most `window` requests at a time.
struct VersionFetch {
  /// Requests under way at most.
  static let window = 2
  /// Buckets of a request at most.
  static let requestLimit = 16

  let weights: Weights
  /// Whether the frozen parameters come with them.
  let bringsFrozen: Bool
  private(set) var missing: Set<Int>
  private(set) var requests: [Range<Int>] = []
  private var unrequested: [Range<Int>]

  /// - Parameter bringsFrozen: whether the frozen parameters are asked for too.
  init(_ weights: Weights, of layout: VersionLayout, bringsFrozen: Bool) {
    (self.weights, self.bringsFrozen) = (weights, bringsFrozen)
    unrequested = [layout.buckets(of: weights)] + (bringsFrozen && !layout.frozen.isEmpty ? [layout.frozen] : [])
    missing = Set(unrequested.joined())
  }

  /// What to ask for now.
  mutating func next() -> [Range<Int>] {
    var result: [Range<Int>] = []
    while requests.count < Self.window, let range = unrequested.first {
      let request = range.prefix(Self.requestLimit)
      result.append(request)
      requests.append(request)
      let rest = range.dropFirst(Self.requestLimit)
      unrequested.replaceSubrange(0...0, with: rest.isEmpty ? [] : [rest])
    }
    return result
  }

  /// A bucket has come; false if it was there already.
  mutating func take(_ bucket: Int) -> Bool {
    guard missing.remove(bucket) != nil else { return false }
    requests.removeAll { $0.allSatisfy { !missing.contains($0) } }
    return true
  }

  /// What is still missing of the requests under way.
  var repeats: [Range<Int>] {
    requests.compactMap { range in
      guard let first = range.first(where: missing.contains), let last = range.last(where: missing.contains) else {
        return nil
      }
      return first..<(last + 1)
    }
  }
}
