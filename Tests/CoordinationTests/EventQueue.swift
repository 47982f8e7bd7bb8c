import Coordination

/// What happens when: a binary heap by time, then by the order of scheduling.
struct EventQueue {
  private struct Entry {
    let time: Instant
    let order: Int
    let action: () -> Void

    func isBefore(_ other: Entry) -> Bool { time == other.time ? order < other.order : time < other.time }
  }

  private var heap: [Entry] = []
  private var scheduled = 0

  mutating func schedule(at time: Instant, _ action: @escaping () -> Void) {
    heap.append(Entry(time: time, order: scheduled, action: action))
    scheduled += 1
    var child = heap.count - 1
    while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func next() -> (time: Instant, action: () -> Void)? {
    guard let first = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return (first.time, first.action) }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].isBefore(heap[least]) {
        least = child
      }
      if least == parent { break }
      heap.swapAt(parent, least)
      parent = least
    }
    return (first.time, first.action)
  }
}
