/// The sums of a register tile of one panel: up to 12 rows of 16, of which a caller uses as many as it says.
///
/// `rows` is a literal at every call: unused rows vanish when the call is inlined.
struct TileSums {
  private var c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11: Row

  /// All rows start from the same.
  @inline(__always) init(repeating row: Row) {
    (c0, c1, c2, c3, c4, c5) = (row, row, row, row, row, row)
    (c6, c7, c8, c9, c10, c11) = (row, row, row, row, row, row)
  }

  /// Each row starts from its own.
  @inline(__always) init(_ rows: Int, _ row: (_ index: Int) -> Row) {
    self.init(repeating: row(0))
    if rows > 1 { c1 = row(1) }
    if rows > 2 { c2 = row(2) }
    if rows > 3 { c3 = row(3) }
    if rows > 4 { c4 = row(4) }
    if rows > 5 { c5 = row(5) }
    if rows > 6 { c6 = row(6) }
    if rows > 7 { c7 = row(7) }
    if rows > 8 { c8 = row(8) }
    if rows > 9 { c9 = row(9) }
    if rows > 10 { c10 = row(10) }
    if rows > 11 { c11 = row(11) }
  }

  /// Adds the products of each row's element with a row of the other matrix: one fused multiply-add a lane.
  @inline(__always) mutating func add(_ rows: Int, _ element: (_ index: Int) -> Float, times b: Row) {
    c0 = c0.addingProduct(Row(repeating: element(0)), b)
    if rows > 1 { c1 = c1.addingProduct(Row(repeating: element(1)), b) }
    if rows > 2 { c2 = c2.addingProduct(Row(repeating: element(2)), b) }
    if rows > 3 { c3 = c3.addingProduct(Row(repeating: element(3)), b) }
    if rows > 4 { c4 = c4.addingProduct(Row(repeating: element(4)), b) }
    if rows > 5 { c5 = c5.addingProduct(Row(repeating: element(5)), b) }
    if rows > 6 { c6 = c6.addingProduct(Row(repeating: element(6)), b) }
    if rows > 7 { c7 = c7.addingProduct(Row(repeating: element(7)), b) }
    if rows > 8 { c8 = c8.addingProduct(Row(repeating: element(8)), b) }
    if rows > 9 { c9 = c9.addingProduct(Row(repeating: element(9)), b) }
    if rows > 10 { c10 = c10.addingProduct(Row(repeating: element(10)), b) }
    if rows > 11 { c11 = c11.addingProduct(Row(repeating: element(11)), b) }
  }

  /// The same for the tiles of two panels, each with its row of the other matrix: an element is loaded once for both.
  @inline(__always)
  static func add(
    _ rows: Int, _ element: (_ index: Int) -> Float, to x: inout TileSums, times b: Row, to y: inout TileSums,
    times d: Row
  ) {
    @inline(__always) func add(_ index: Int, _ sum: inout Row, _ other: inout Row) {
      let a = Row(repeating: element(index))
      sum = sum.addingProduct(a, b)
      other = other.addingProduct(a, d)
    }
    add(0, &x.c0, &y.c0)
    if rows > 1 { add(1, &x.c1, &y.c1) }
    if rows > 2 { add(2, &x.c2, &y.c2) }
    if rows > 3 { add(3, &x.c3, &y.c3) }
    if rows > 4 { add(4, &x.c4, &y.c4) }
    if rows > 5 { add(5, &x.c5, &y.c5) }
    if rows > 6 { add(6, &x.c6, &y.c6) }
    if rows > 7 { add(7, &x.c7, &y.c7) }
    if rows > 8 { add(8, &x.c8, &y.c8) }
    if rows > 9 { add(9, &x.c9, &y.c9) }
    if rows > 10 { add(10, &x.c10, &y.c10) }
    if rows > 11 { add(11, &x.c11, &y.c11) }
  }

  /// Calls a body with each row.
  @inline(__always) func forEach(_ rows: Int, _ body: (_ index: Int, _ sum: Row) -> Void) {
    body(0, c0)
    if rows > 1 { body(1, c1) }
    if rows > 2 { body(2, c2) }
    if rows > 3 { body(3, c3) }
    if rows > 4 { body(4, c4) }
    if rows > 5 { body(5, c5) }
    if rows > 6 { body(6, c6) }
    if rows > 7 { body(7, c7) }
    if rows > 8 { body(8, c8) }
    if rows > 9 { body(9, c9) }
    if rows > 10 { body(10, c10) }
    if rows > 11 { body(11, c11) }
  }
}
