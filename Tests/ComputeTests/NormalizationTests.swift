import Testing

@testable import Compute

@Suite("Normalizations")
struct NormalizationTests {
  static func row(_ values: [Float]) -> Row {
    var row = Row.zero
    for (lane, value) in values.enumerated() { row[lane] = value }
    return row
  }

  @Test("A value is centred, scaled, shifted by one fused multiply-add, and cut at the floor")
  func formula() {
    let storage = FloatStorage(count: Normalization.floatCount(panels: 3))
    let normalization = Normalization(vectors: storage.pointer, panels: 3)
    var numbers = TestNumbers(1)
    func random() -> Row { Self.row(numbers.values(16).map { Float($0) }) }
    let panel = PanelNormalization(
      center: random(), scale: random(), shift: random(),
      floor: Self.row([Float](repeating: 0, count: 8) + [Float](repeating: -.infinity, count: 8)))
    normalization.setIdentity(panels: 0..<3)
    normalization.set(panel, at: 2)
    // The last panel by itself.
    let stored = normalization.panels(from: 1).panel(1), y = random()
    let z = stored(y), passes = stored.passes(y)
    for lane in 0..<16 {
      let value = panel.shift[lane].addingProduct(y[lane] - panel.center[lane], panel.scale[lane])
      #expect(z[lane] == (lane < 8 ? max(value, 0) : value))
      #expect(passes[lane] == (lane >= 8 || value > 0))
    }
    #expect(normalization.panel(0)(y) == y && normalization.panel(1)(y) == y)
  }

  @Test("NaN stays NaN and passes; zeros of both signs stay and do not pass a ReLU")
  func specialValues() {
    let relu = PanelNormalization(
      center: .zero, scale: Row(repeating: 1), shift: Row(repeating: -0.0), floor: .zero)
    let y = Self.row([.nan, 0, -0.0, -1, .infinity, -.infinity, 1])
    let z = relu(y), passes = relu.passes(y)
    #expect(z[0].isNaN && z[1].bitPattern == 0 && z[2] == 0 && z[3].bitPattern == 0)
    #expect(z[4] == .infinity && z[5] == 0 && z[6] == 1)
    #expect((0..<7).map { passes[$0] } == [true, false, false, false, true, false, true])
    let identity = PanelNormalization.identity
    #expect(identity(y)[0].isNaN && identity(y)[3] == -1 && identity.passes(y)[0] && identity.passes(y)[3])
  }

  @Test(
    "Parts of a row see the same bits as the row",
    arguments: Array(stride(from: 0, to: rowWidth, by: Lanes.scalarCount)))
  func lanes(_ lane: Int) {
    let norm = TestNormalization(channels: 16, seed: 3), panel = norm.normalization.panel(0)
    var numbers = TestNumbers(2)
    let y = Self.row(numbers.values(16).map { Float($0) }), z = panel(y)
    let storage = FloatStorage(count: 16)
    store(y, storage.pointer)
    let part = LaneNormalization(panel, lane: lane)(loadLanes(storage.pointer + lane))
    for index in 0..<Lanes.scalarCount { #expect(part[index].bitPattern == z[lane + index].bitPattern) }
  }

  @Test("Copied rows are normalised rows")
  func copies() {
    let norm = TestNormalization(channels: 16, seed: 4), panel = norm.normalization.panel(0)
    var numbers = TestNumbers(5)
    let source = numbers.values(5 * 16).map { Float($0) }
    let target = FloatStorage(count: 5 * 16)
    copyRows(source, 5, normalization: panel, into: target.pointer)
    source.withUnsafeBufferPointer { buffer in
      guard let first = buffer.baseAddress else { return }
      for index in 0..<5 { #expect(load(target.pointer + index * 16) == panel(load(first + index * 16))) }
    }
    copyRows(source, 5, normalization: nil, into: target.pointer)
    for index in 0..<80 { #expect(target.pointer[index] == source[index]) }
  }
}
