/// Some strips (rows of tiles) of a batch, and the order of their tiles in the matrices.
///
/// Tiles lie in the order of their kind: of smaller width, full, of smaller height, both. Then those that take a point
/// are one range of a matrix's rows.
struct WinogradBlock {
  /// Strips, counted through all samples.
  let strips: Range<Int>
  private let stripsOfSample: Int
  private let columns: WinogradAxis
  private let hasPartialStrip: Bool
  /// Strips of full and of smaller height.
  private let fullStrips, partialStrips: Int

  init(_ strips: Range<Int>, rows: WinogradAxis, columns: WinogradAxis) {
    (self.strips, self.columns) = (strips, columns)
    (stripsOfSample, hasPartialStrip) = (rows.tiles, rows.hasPartialTile)
    let samples = strips.upperBound / stripsOfSample - strips.lowerBound / stripsOfSample
    partialStrips = hasPartialStrip ? samples : 0
    fullStrips = strips.count - partialStrips
  }

  private var partialWidth: Int { columns.hasPartialTile ? 1 : 0 }
  /// Rows of the first two kinds.
  private var fullHeightTiles: Int { fullStrips * columns.tiles }
  /// Samples, for a block of whole ones.
  var samples: Int { strips.count / stripsOfSample }

  /// A strip's place: its sample, its number there, and the matrix rows of its first tile and of its smaller one.
  struct Place {
    let sample, strip, firstRow, partialRow: Int
  }

  @inline(__always) func place(_ strip: Int) -> Place {
    let sample = strip / stripsOfSample, number = strip - sample * stripsOfSample
    let before = hasPartialStrip ? sample - strips.lowerBound / stripsOfSample : 0
    if hasPartialStrip && number == stripsOfSample - 1 {
      let start = fullHeightTiles
      return Place(
        sample: sample, strip: number, firstRow: start + before * columns.fullTiles,
        partialRow: start + partialStrips * columns.fullTiles + before)
    }
    let index = strip - strips.lowerBound - before
    return Place(
      sample: sample, strip: number, firstRow: fullStrips * partialWidth + index * columns.fullTiles, partialRow: index)
  }

  /// The tiles that take a point, by what kinds of tiles take its coordinates.
  @inline(__always) func range(
    _ rowUsers: (full: Bool, partial: Bool), _ columnUsers: (full: Bool, partial: Bool)
  ) -> Range<Int> {
    guard rowUsers.full && columnUsers.full else { return 0..<0 }
    let full = fullStrips * columns.fullTiles, narrow = fullStrips * partialWidth
    let low = partialStrips * columns.fullTiles, both = partialStrips * partialWidth
    let start = columnUsers.partial ? 0 : narrow
    guard rowUsers.partial else { return start..<narrow + full }
    return start..<narrow + full + low + (columnUsers.partial ? both : 0)
  }
}
