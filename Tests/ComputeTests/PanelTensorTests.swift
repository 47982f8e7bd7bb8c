import Testing

@testable import Compute

@Suite("Panel tensors")
struct PanelTensorTests {
  @Test("The doors keep every value and zero the spare lanes", arguments: [1, 3, 16, 24, 40])
  func doors(_ channels: Int) {
    var numbers = TestNumbers(channels)
    let values = numbers.tensor(3, channels, 4, 5)
    let pool = ThreadPool(threads: 3), panels = Panels(resultLike: values, room: 2)
    let floats = values.values.map { Float($0) }
    loadPanels(nchw: floats, into: panels.tensor, pool: pool)
    #expect(panels.values == values && panels.spareLanesAreZero)
    // Sample 2, channel c, row 3, pixel 1 is where the layout says.
    let tensor = panels.tensor, c = channels - 1
    #expect(
      Double(tensor.pointer[c / 16 * tensor.panelStride + ((2 * 4 + 3) * 5 + 1) * 16 + c % 16]) == values[2, c, 3, 1])
  }

  @Test("The doors keep every value of large images too", arguments: [1, 2, 3, 4, 5, 16, 20, 32])
  func largeDoors(_ channels: Int) {
    var numbers = TestNumbers(channels)
    let values = numbers.tensor(2, channels, 67, 71), panels = Panels(resultLike: values)
    loadPanels(nchw: values.values.map { Float($0) }, into: panels.tensor, pool: ThreadPool(threads: 2))
    #expect(panels.values == values && panels.spareLanesAreZero)
    let tensor = panels.tensor, c = channels - 1
    for (h, w) in [(0, 0), (0, 9), (33, 15), (66, 70)] {
      let row = tensor.panel(c / 16) + ((1 * 67 + h) * 71 + w) * 16
      #expect(Double(row[c % 16]) == values[1, c, h, w])
    }
  }

  @Test("Panel strides have room for the pixels and stay away from multiples of 32 KiB")
  func strides() {
    for pixels in [1, 49, 196, 490, 512, 784, 1000, 1024, 6272, 12544, 100_352, 200_704] {
      let stride = PanelTensor.panelStride(pixels: pixels)
      #expect(stride >= pixels * 16 && stride % 16 == 0)
      #expect(stride <= pixels * 16 + 16 * 100)
      let past = stride * 4 % 32768
      #expect(pixels < 256 || (past >= 3072 && past <= 32768 - 3072))
    }
    #expect(
      PanelTensor.floatCount(batch: 2, height: 3, width: 4, channels: 17) == 2 * PanelTensor.panelStride(pixels: 24))
  }

  @Test("Some panels of a tensor are a tensor, and so are its first samples")
  func slices() {
    var numbers = TestNumbers(1)
    let values = numbers.tensor(3, 56, 2, 2), panels = Panels(values)
    let slice = panels.tensor.panels(1..<4, channels: 40)
    #expect(slice.panels == 3 && slice.pixels == 12 && slice.channels == 40)
    var part = [Float](repeating: 0, count: 3 * 40 * 4)
    storePanels(slice, nchw: &part, pool: ThreadPool(threads: 1))
    for n in 0..<3 { for c in 0..<40 { #expect(Double(part[(n * 40 + c) * 4]) == values[n, c + 16, 0, 0]) } }
    let smaller = panels.tensor.withBatch(2)
    #expect(smaller.batch == 2 && smaller.pixels == 8 && smaller.panelStride == panels.tensor.panelStride)
  }

  @Test("A slice that is not whole panels is refused")
  func badSlice() async {
    await #expect(processExitsWith: .failure) {
      let storage = FloatStorage(count: 1024)
      let tensor = PanelTensor(
        pointer: storage.pointer, batch: 1, height: 2, width: 2, channels: 32, panelStride: 64)
      _ = tensor.panels(0..<1, channels: 24)
    }
  }

  @Test("Storage is aligned and zero", arguments: [0, 1, 1000, 3 << 20])
  func storage(_ count: Int) {
    let storage = FloatStorage(count: count)
    let alignment = count >= 1 << 20 ? 2 << 20 : 64
    #expect(UInt(bitPattern: storage.pointer) % UInt(alignment) == 0 && storage.count == count)
    #expect((0..<count).allSatisfy { storage.pointer[$0] == 0 })
  }
}
