import Testing

@testable import Compute

@Suite("Moments")
struct MomentsTests {
  /// Gathers the moments of a tensor in blocks of these many rows, the last of which may be shorter.
  static func gather(_ x: ReferenceTensor, blockRows: Int) -> (mean: [Double], variance: [Double], count: Double) {
    let input = Panels(x), tensor = input.tensor, blocks = (tensor.pixels + blockRows - 1) / blockRows
    let storage = FloatStorage(count: Moments.floatCount(panels: tensor.panels, blocks: blocks))
    let moments = Moments(records: storage.pointer, panels: tensor.panels, blocks: blocks)
    // In an order of no meaning.
    for panel in (0..<tensor.panels).reversed() {
      for block in (0..<blocks).reversed() {
        moments.gather(
          tensor.panel(panel) + block * blockRows * 16, min(blockRows, tensor.pixels - block * blockRows),
          block: block, panel: panel)
      }
    }
    var mean: [Double] = [], variance: [Double] = [], count = 0.0
    for panel in 0..<tensor.panels {
      let combined = moments.combined(panel: panel)
      for lane in 0..<min(16, x.channels - panel * 16) {
        mean.append(combined.mean[lane])
        variance.append(combined.variance[lane])
      }
      for lane in min(16, x.channels - panel * 16)..<16 {
        #expect(combined.mean[lane] == 0 && combined.variance[lane] == 0)
      }
      count = combined.count
    }
    return (mean, variance, count)
  }

  @Test(
    "Means and variances agree with the definition, however the blocks are cut and however large the mean is",
    arguments: [1, 3, 96, 128, 500], [0.0, 1000, -1000])
  func agreesWithReference(_ blockRows: Int, _ offset: Double) {
    var numbers = TestNumbers(blockRows)
    var x = numbers.tensor(2, 24, 31, 17)
    // Values that are exact in single precision, so that the input is not what errs.
    x.values = x.values.map { Double(Float($0 + offset)) }
    let result = Self.gather(x, blockRows: blockRows), reference = BatchNormReference(epsilon: 1, relu: false)
    #expect(result.count == Double(2 * 31 * 17))
    for channel in 0..<24 {
      let (mean, variance) = reference.moments(x, channel)
      #expect(abs(result.mean[channel] - mean) < 1e-7)
      #expect(abs(result.variance[channel] - variance) < 5e-7 * variance)
    }
  }

  @Test("A block that begins unlike the rest of it loses little")
  func misleadingBeginning() {
    var x = ReferenceTensor(batch: 1, channels: 16, height: 12, width: 16)
    for c in 0..<16 { for pixel in 0..<4 { x[0, c, 0, pixel] = 1000 + Double(c) } }
    let result = Self.gather(x, blockRows: 96), reference = BatchNormReference(epsilon: 1, relu: false)
    for channel in 0..<16 {
      let (mean, variance) = reference.moments(x, channel)
      #expect(abs(result.mean[channel] - mean) < 1e-6 * mean)
      #expect(abs(result.variance[channel] - variance) < 1e-5 * variance)
    }
  }

  @Test("Some panels' records are the moments of those panels")
  func slices() {
    var numbers = TestNumbers(3)
    let x = numbers.tensor(1, 48, 7, 9), input = Panels(x), blocks = 4
    let storage = FloatStorage(count: Moments.floatCount(panels: 3, blocks: blocks))
    let moments = Moments(records: storage.pointer, panels: 3, blocks: blocks)
    for panel in 0..<3 {
      for block in 0..<blocks {
        moments.gather(
          input.tensor.panel(panel) + block * 16 * 16, min(16, 63 - block * 16), block: block, panel: panel)
      }
    }
    let slice = Moments(
      records: storage.pointer + Moments.floatCount(panels: 1, blocks: blocks), panels: 2, blocks: blocks)
    for panel in 0..<2 {
      #expect(slice.combined(panel: panel).mean == moments.combined(panel: panel + 1).mean)
      #expect(slice.combined(panel: panel).variance == moments.combined(panel: panel + 1).variance)
    }
  }

  @Test("NaN stays in its lane")
  func nan() {
    var x = ReferenceTensor(batch: 1, channels: 16, height: 5, width: 5)
    x[0, 3, 4, 4] = .nan
    let result = Self.gather(x, blockRows: 8)
    for channel in 0..<16 {
      #expect(result.mean[channel].isNaN == (channel == 3) && result.variance[channel].isNaN == (channel == 3))
    }
  }
}
