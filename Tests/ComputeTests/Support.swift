import Lockstep
import Testing

@testable import Compute

/// Addressed numbers for tests: the same in every run.
struct TestNumbers {
  private var random: AddressedRandom

  init(_ index: Int) { random = AddressedRandom(seed: 2024, purpose: .synthesis, index: index) }

  /// Values from -1 to 1 that are exact as Float.
  mutating func values(_ count: Int) -> [Double] { (0..<count).map { _ in Double(random.uniformFloat()) * 2 - 1 } }

  mutating func tensor(_ batch: Int, _ channels: Int, _ height: Int, _ width: Int) -> ReferenceTensor {
    ReferenceTensor(
      batch: batch, channels: channels, height: height, width: width,
      values: values(batch * channels * height * width))
  }

  mutating func integer(below bound: Int) -> Int { random.integer(below: bound) }
}

/// A tensor in panels with its memory, whose spare lanes can be checked. The memory is planned for `room` samples more.
///
/// It must be kept in a variable while its `tensor` is used.
final class Panels {
  let tensor: PanelTensor
  private let storage: FloatStorage

  init(batch: Int, channels: Int, height: Int, width: Int, room: Int = 0, fill: Float = 0) {
    let pixels = (batch + room) * height * width, stride = PanelTensor.panelStride(pixels: pixels)
    storage = FloatStorage(
      count: PanelTensor.floatCount(batch: batch + room, height: height, width: width, channels: channels))
    for index in 0..<storage.count { storage.pointer[index] = fill }
    tensor = PanelTensor(
      pointer: storage.pointer, batch: batch, height: height, width: width, channels: channels, panelStride: stride)
  }

  convenience init(_ values: ReferenceTensor, room: Int = 0) {
    self.init(
      batch: values.batch, channels: values.channels, height: values.height, width: values.width, room: room)
    loadPanels(nchw: values.values.map { Float($0) }, into: tensor, pool: ThreadPool(threads: 1))
  }

  /// Memory for a result of the same shape, full of what must not be left there.
  convenience init(resultLike values: ReferenceTensor, room: Int = 0) {
    self.init(
      batch: values.batch, channels: values.channels, height: values.height, width: values.width, room: room,
      fill: 7.75)
  }

  var values: ReferenceTensor {
    var floats = [Float](repeating: 0, count: tensor.batch * tensor.channels * tensor.height * tensor.width)
    storePanels(tensor, nchw: &floats, pool: ThreadPool(threads: 1))
    return ReferenceTensor(
      batch: tensor.batch, channels: tensor.channels, height: tensor.height, width: tensor.width,
      values: floats.map { Double($0) })
  }

  var bits: [UInt64] { values.values.map(\.bitPattern) }

  /// Whether the lanes beyond the channels are zero in all pixels.
  var spareLanesAreZero: Bool {
    let used = tensor.channels % 16
    guard used > 0 else { return true }
    let panel = tensor.pointer + (tensor.panels - 1) * tensor.panelStride
    return (0..<tensor.pixels).allSatisfy { pixel in (used..<16).allSatisfy { panel[pixel * 16 + $0] == 0 } }
  }
}

/// Values padded with zeros to whole panels.
func padded(_ values: [Double]) -> [Float] {
  values.map { Float($0) } + [Float](repeating: 0, count: (16 - values.count % 16) % 16)
}

/// The largest difference, relative to an allowance for each element: 1 means just allowed.
func excess(_ actual: [Double], _ expected: [Double], allowing allowance: (Int) -> Double) -> Double {
  guard actual.count == expected.count else { return .infinity }
  var worst = 0.0
  for index in actual.indices {
    let difference = abs(actual[index] - expected[index])
    // NaN is never close.
    worst = max(worst, difference <= .infinity ? difference / allowance(index) : .infinity)
  }
  return worst
}

/// The largest difference relative to the largest expected value.
func relativeError(_ actual: [Double], _ expected: [Double]) -> Double {
  let scale = expected.map { abs($0) }.max() ?? 1
  return excess(actual, expected) { _ in max(scale, .leastNormalMagnitude) }
}

/// The derivative of a function along coordinate `index`, by central differences.
func slope(_ values: [Double], _ index: Int, step: Double = 1e-5, _ function: ([Double]) -> Double) -> Double {
  var (up, down) = (values, values)
  up[index] += step
  down[index] -= step
  return (function(up) - function(down)) / (2 * step)
}

func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
