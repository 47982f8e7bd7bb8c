// How rows are cut into register tiles. Bodies are inlined and get literal heights: unused rows of a tile vanish.

/// Tiles of six rows, and what is left over: a last tile of one or two rows would wait for its own sums, so seven or eight
/// rows make two tiles of about the same size.
@inline(__always)
func forEachTile(of rows: Int, _ body: (_ height: Int, _ first: Int) -> Void) {
  var first = 0
  while rows - first > 8 || rows - first == 6 {
    body(6, first)
    first += 6
  }
  switch rows - first {
  case 8: body(4, first); body(4, first + 4)
  case 7: body(4, first); body(3, first + 4)
  case 5: body(5, first)
  case 4: body(4, first)
  case 3: body(3, first)
  case 2: body(2, first)
  case 1: body(1, first)
  default: break
  }
}

/// As few tiles of at most six rows as there can be, of nearly equal height.
@inline(__always)
func forEachEvenTile(of rows: Int, _ body: (_ height: Int, _ first: Int) -> Void) {
  let tiles = dividedUp(rows, 6), height = rows / tiles, taller = rows % tiles
  var first = 0
  for tile in 0..<tiles {
    let size = height + (tile < taller ? 1 : 0)
    switch size {
    case 6: body(6, first)
    case 5: body(5, first)
    case 4: body(4, first)
    case 3: body(3, first)
    case 2: body(2, first)
    default: body(1, first)
    }
    first += size
  }
}
