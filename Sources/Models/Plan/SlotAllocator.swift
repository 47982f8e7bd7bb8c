/// A piece of memory that one tensor, or one concatenation's tensors, have from their first to their last use.
struct Slot: Sendable {
  /// Floats.
  let count: Int
  /// Floats between two panels.
  let panelStride: Int
  /// The first step that touches it.
  var first: Int
  /// The last step that touches it.
  var last: Int
  /// Where it begins, in floats.
  var offset = 0
  /// Where the vectors of a normalisation begin that its readers apply, if any panel of it is normalised.
  var vectors: Int?

  /// Panels that it holds.
  var panels: Int { count / panelStride }

  func isAlive(with other: Slot) -> Bool { first <= other.last && other.first <= last }
}

/// Gives every slot its place, so that slots alive at one time do not overlap.
///
/// Offline best fit: the largest slots first, each into the narrowest gap that the slots placed before leave it.
///
/// - Source: Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020, section 5.2.
enum SlotAllocator {
  /// Sets the offsets, from `start` on.
  ///
  /// - Returns: the floats up to the end of the last slot.
  static func place(_ slots: inout [Slot], from start: Int) -> Int {
    var placed: [Int] = []  // by offset
    var end = start
    for index in slots.indices.sorted(by: { (-slots[$0].count, $0) < (-slots[$1].count, $1) }) {
      let slot = slots[index]
      var free = start
      var best: (offset: Int, gap: Int)?
      for other in placed where slots[other].isAlive(with: slot) {
        let gap = slots[other].offset - free
        if gap >= slot.count, gap < best?.gap ?? .max { best = (free, gap) }
        free = max(free, slots[other].offset + slots[other].count)
      }
      slots[index].offset = best?.offset ?? free
      end = max(end, slots[index].offset + slot.count)
      let place = placed.firstIndex { slots[$0].offset > slots[index].offset } ?? placed.count
      placed.insert(index, at: place)
    }
    return end
  }

  /// The most floats that are alive at one step: no placement can do with less.
  static func lowerBound(_ slots: [Slot]) -> Int {
    let steps = (slots.map(\.last).max() ?? -1) + 1
    var alive = [Int](repeating: 0, count: steps + 1)
    for slot in slots where slot.first <= slot.last {
      alive[slot.first] += slot.count
      alive[slot.last + 1] -= slot.count
    }
    var (sum, most) = (0, 0)
    for change in alive {
      sum += change
      most = max(most, sum)
    }
    return most
  }
}
