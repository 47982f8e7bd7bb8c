import Compute
import Lockstep

/// Channels of a panel.
private let panelWidth = 16

/// How many panels hold so many channels.
func panelCount(_ channels: Int) -> Int { (channels + panelWidth - 1) / panelWidth }

/// A batch, height, width, and the channels.
struct Shape {
  let batch, height, width, channels: Int

  init(_ batch: Int, _ height: Int, _ width: Int, _ channels: Int) {
    (self.batch, self.height, self.width, self.channels) = (batch, height, width, channels)
  }

  var pixels: Int { batch * height * width }
  var count: Int { pixels * channels }
}

/// A tensor in panels.
struct Tensor {
  let panels: PanelTensor
  let storage: FloatStorage

  /// Puts values that are no ordinary numbers into some places of the first pixels.
  func addSpecialValues() {
    for (index, value) in [Float.nan, -0.0, .infinity, -.infinity, 0, 0x1p-140, -0x1p-140].enumerated() {
      storage.pointer[index * panelWidth + index % min(panelWidth, panels.channels)] = value
    }
  }
}

/// A normalisation.
struct Vectors {
  let normalization: Normalization
  let storage: FloatStorage
}

/// The numbers that a case reads and the memory that it writes. Kernels only see addresses, so all of it stays until the
/// next case begins.
final class Memory {
  private var random: AddressedRandom
  private let pool: ThreadPool
  private var kept: [FloatStorage] = []

  /// The numbers depend on the index of the case alone.
  init(_ index: Int, _ pool: ThreadPool) {
    random = AddressedRandom(seed: 2025, purpose: .synthesis, index: index)
    self.pool = pool
  }

  private func keep(_ count: Int) -> FloatStorage {
    let storage = FloatStorage(count: count)
    kept.append(storage)
    return storage
  }

  // MARK: Numbers

  /// A number from -1 to 1.
  func next() -> Float { 2 * random.uniformFloat() - 1 }

  func integer(below bound: Int) -> Int { random.integer(below: bound) }

  /// Numbers around an offset, and zeros behind them up to `padded`.
  func floats(_ count: Int, scale: Float = 1, offset: Float = 0, padded: Int = 0) -> FloatStorage {
    let storage = keep(max(count, padded))
    for index in 0..<count { storage.pointer[index] = next() * scale + offset }
    return storage
  }

  /// One number for each channel, and zeros up to whole panels.
  func vector(_ channels: Int, scale: Float = 1, offset: Float = 0) -> FloatStorage {
    floats(channels, scale: scale, offset: offset, padded: panelCount(channels) * panelWidth)
  }

  /// A tensor of numbers.
  func tensor(_ shape: Shape) -> Tensor {
    let tensor = result(shape)
    loadPanels(nchw: floats(shape.count).pointer, into: tensor.panels, pool: pool)
    return tensor
  }

  /// A normalisation of numbers, with a ReLU for every second channel.
  func vectors(_ channels: Int) -> Vectors {
    let vectors = vectors(panels: panelCount(channels)), count = panelCount(channels) * panelWidth
    for channel in 0..<count {
      let isUsed = channel < channels
      vectors.storage.pointer[channel] = isUsed ? next() : 0
      vectors.storage.pointer[count + channel] = isUsed ? 2 * next() : 0
      vectors.storage.pointer[2 * count + channel] = isUsed ? next() : 0
      vectors.storage.pointer[3 * count + channel] = channel % 2 == 0 ? 0 : -.infinity
    }
    return vectors
  }

  // MARK: Results

  /// Memory that is not zero, as what a kernel overwrites or may use is not.
  func used(_ count: Int) -> FloatStorage {
    let storage = keep(count)
    for index in 0..<count { storage.pointer[index] = 7.75 }
    return storage
  }

  /// A tensor that will be overwritten.
  func result(_ shape: Shape) -> Tensor {
    let storage = used(
      PanelTensor.floatCount(
        batch: shape.batch, height: shape.height, width: shape.width, channels: shape.channels))
    let panels = PanelTensor(
      pointer: storage.pointer, batch: shape.batch, height: shape.height, width: shape.width, channels: shape.channels,
      panelStride: PanelTensor.panelStride(pixels: shape.pixels))
    return Tensor(panels: panels, storage: storage)
  }

  /// A normalisation that will be made.
  func vectors(panels: Int) -> Vectors {
    let storage = used(Normalization.floatCount(panels: panels))
    return Vectors(
      normalization: Normalization(vectors: storage.pointer, panels: panels), storage: storage)
  }
}
