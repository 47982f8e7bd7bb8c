/// Means and squared deviations of a tensor's values, gathered block by block by whoever writes the tensor, while the block
/// is in the cache.
///
/// Blocks are cut by the shape alone, and combined in their order, so the result does not depend on who gathers which.
///
/// - Source: Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983: shifted data, and the pairwise
///   update.
public struct Moments: @unchecked Sendable {
  /// For each panel [blocks][3][16], a guess at the mean, the sum of the deviations from it and that of their squares; and
  /// then [blocks], the number of values.
  private let records: UnsafeMutablePointer<Float>
  /// Panels of the tensor.
  let panels: Int
  /// Blocks of its pixels.
  let blocks: Int

  private static let recordFloats = 3 * rowWidth
  /// Rows that are added up in single precision. Part of the result: a constant.
  private static let chunk = 128

  /// Describes memory that somebody else owns, `floatCount` floats.
  public init(records: UnsafeMutablePointer<Float>, panels: Int, blocks: Int) {
    (self.records, self.panels, self.blocks) = (records, panels, blocks)
  }

  /// Floats for a tensor of this many panels whose writer has this many blocks; as many for each panel.
  public static func floatCount(panels: Int, blocks: Int) -> Int {
    panels * (blocks * recordFloats + dividedUp(blocks, rowWidth) * rowWidth)
  }

  private func record(_ panel: Int) -> (rows: UnsafeMutablePointer<Float>, counts: UnsafeMutablePointer<Float>) {
    let first = records + Self.floatCount(panels: panel, blocks: blocks)
    return (first, first + blocks * Self.recordFloats)
  }

  /// Records the moments of one block of a panel: `count` consecutive rows, at least one.
  ///
  /// The deviations are those from the mean of eight of the block's rows, about as large as the standard deviation, so that a
  /// large mean does not cancel a small variance away: whatever the values, the sum of squares is at most
  /// 1 + count / 8 times that of the deviations from the mean.
  @inline(never)
  func gather(_ rows: FloatPointer, _ count: Int, block: Int, panel: Int) {
    let samples = min(count, 8)
    var guess = load(rows)
    for index in 1..<max(1, samples) { guess += load(rows + index * count / samples * rowWidth) }
    guess *= 1 / Float(samples)
    var sums = WideRow.zero, squares = WideRow.zero
    var start = 0
    while start < count {
      let end = min(count, start + Self.chunk)
      var sum0 = Row.zero, sum1 = sum0, square0 = sum0, square1 = sum0
      var row = rows + start * rowWidth
      for _ in 0..<(end - start) / 2 {
        let even = load(row) - guess, odd = load(row + rowWidth) - guess
        sum0 += even
        square0 = square0.addingProduct(even, even)
        sum1 += odd
        square1 = square1.addingProduct(odd, odd)
        row += 2 * rowWidth
      }
      if (end - start) % 2 == 1 {
        let last = load(row) - guess
        sum0 += last
        square0 = square0.addingProduct(last, last)
      }
      sums += WideRow(sum0 + sum1)
      squares += WideRow(square0 + square1)
      start = end
    }
    let (records, counts) = record(panel), target = records + block * Self.recordFloats
    store(guess, target)
    store(Row(sums), target + rowWidth)
    store(Row(squares), target + 2 * rowWidth)
    counts[block] = Float(count)
  }

  /// Mean and biased variance of a panel's lanes over all blocks, and the number of values.
  func combined(panel: Int) -> (mean: WideRow, variance: WideRow, count: Double) {
    let (records, counts) = record(panel)
    // Everything relative to the first guess: the blocks' means differ from it by about a standard deviation.
    let first = WideRow(load(records))
    var sums = WideRow.zero, squares = WideRow.zero, count = 0.0
    for block in 0..<blocks {
      let record = records + block * Self.recordFloats, share = Double(counts[block])
      let shift = WideRow(load(record)) - first, sum = WideRow(load(record + rowWidth))
      // Σ (d + shift)² = Σ d² + shift (2 Σ d + n shift).
      let shifted = shift * share + sum
      sums += shifted
      squares += WideRow(load(record + 2 * rowWidth)).addingProduct(shift, sum + shifted)
      count += share
    }
    let offset = sums * (1 / count)
    let variance = squares * (1 / count) - offset * offset
    return (first + offset, variance.replacing(with: 0, where: variance .< 0), count)
  }
}
