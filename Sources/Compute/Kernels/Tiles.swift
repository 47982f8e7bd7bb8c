// How rows are cut into register tiles. Bodies are inlined and get literal heights: unused rows of a tile vanish.

// The sums of a tile, a row of each panel of the other matrix and an element of this one have to fit the registers.
#if LANES_16
  /// Rows of the largest tile. There are 32 registers, each of which holds a row.
  let mostTileRows = 12
  /// Panels of the other matrix that a product's tile may have. With one, it would wait for loads of elements.
  let tilePanels = 2
#else
  /// Rows of the largest tile. There are 16 registers, two of which hold a row.
  let mostTileRows = 6
  /// Panels of the other matrix that a product's tile may have.
  let tilePanels = 1
#endif

/// Largest tiles, and what is left over: a last tile of a few rows would wait for its own sums, so up to a third more rows
/// than the largest has make two tiles of about the same size.
@inline(__always)
func forEachTile(of rows: Int, _ body: (_ height: Int, _ first: Int) -> Void) {
  var first = 0
  while first < rows {
    let rest = rows - first
    let height = rest <= mostTileRows ? rest : rest > mostTileRows + mostTileRows / 3 ? mostTileRows : (rest + 1) / 2
    withLiteral(height) { body($0, first) }
    first += height
  }
}

/// As few tiles as there can be, of nearly equal height.
@inline(__always)
func forEachEvenTile(of rows: Int, _ body: (_ height: Int, _ first: Int) -> Void) {
  let tiles = dividedUp(rows, mostTileRows), height = rows / tiles, taller = rows % tiles
  var first = 0
  for tile in 0..<tiles {
    let size = height + (tile < taller ? 1 : 0)
    withLiteral(size) { body($0, first) }
    first += size
  }
}

@inline(__always)
private func withLiteral(_ height: Int, _ body: (_ height: Int) -> Void) {
  switch height {
  #if LANES_16
    case 12: body(12)
    case 11: body(11)
    case 10: body(10)
    case 9: body(9)
    case 8: body(8)
    case 7: body(7)
  #endif
  case 6: body(6)
  case 5: body(5)
  case 4: body(4)
  case 3: body(3)
  case 2: body(2)
  default: body(1)
  }
}
