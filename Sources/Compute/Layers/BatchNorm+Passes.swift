/// Two passes over every panel of a tensor, the second of which needs the whole of the first: who does what when.
///
/// A panel is cut into blocks by its shape alone, and whatever is summed over blocks is summed in their order, so the
/// schedule, which looks at the number of threads, does not change a result.
struct TwoPasses {
  let panels, count: Int
  /// Pixels of a block, whole rows of the image.
  private let blockRows: Int

  /// Pixels of a block at most, but for longer rows: long enough to be worth handing out, short enough that a few panels
  /// keep many threads busy.
  private static let mostRows = 512
  /// Pixels up to which a thread's own panels, two tensors of them, stay in a shared cache of a few MiB a thread.
  private static let rowsOfOneThread = 1 << 16

  init(_ tensor: PanelTensor) {
    (panels, count) = (tensor.panels, tensor.pixels)
    blockRows = max(1, Self.mostRows / tensor.width) * tensor.width
  }

  /// Blocks of each panel.
  var blocks: Int { dividedUp(count, blockRows) }

  /// Blocks that a panel of this many pixels has at most: one is larger than half of the longest.
  static func mostBlocks(pixels: Int) -> Int { dividedUp(pixels, mostRows / 2) }

  /// The pixels of a block.
  @inline(__always) func rows(of block: Int) -> Range<Int> {
    block * blockRows..<min(count, (block + 1) * blockRows)
  }

  /// Calls `first` for all blocks of a panel, then `between`, then `second` for all its blocks from the last to the first:
  /// what was read last is in the cache still.
  ///
  /// Each thread takes panels of its own as long as there is one for every thread; the threads share the rest, and those
  /// that are too large to be in the cache several at a time.
  ///
  @inline(__always)
  func run(
    _ pool: ThreadPool, first: (_ panel: Int, _ block: Int) -> Void, between: (_ panel: Int) -> Void,
    second: (_ panel: Int, _ block: Int) -> Void
  ) {
    let blocks = self.blocks, isLarge = count > Self.rowsOfOneThread
    let ownPanels = isLarge && pool.threads > 1 ? 0 : panels / pool.threads * pool.threads
    pool.forEach(ownPanels) { panel, _ in
      for block in 0..<blocks { first(panel, block) }
      between(panel)
      for block in (0..<blocks).reversed() { second(panel, block) }
    }
    var start = ownPanels
    while start < panels {
      let shared = isLarge ? 1 : panels - start
      pool.forEach(shared * blocks) { item, _ in first(start + item / blocks, item % blocks) }
      for panel in start..<start + shared { between(panel) }
      pool.forEach(shared * blocks, reversed: true) { item, _ in second(start + item / blocks, item % blocks) }
      start += shared
    }
  }
}
