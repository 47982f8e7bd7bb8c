@testable import Compute

/// A normalisation for tests, with what it makes of a tensor in double precision.
///
/// It must be kept in a variable while its `normalization` is used.
final class TestNormalization {
  let normalization: Normalization
  private let storage: FloatStorage
  private let vectors: [[Double]]

  /// Random vectors, of which about half of the channels have a ReLU; beyond the channels, what a batch norm leaves there.
  init(channels: Int, seed: Int) {
    var numbers = TestNumbers(seed)
    let panels = (channels + 15) / 16
    storage = FloatStorage(count: Normalization.floatCount(panels: panels))
    normalization = Normalization(vectors: storage.pointer, panels: panels)
    let floors = numbers.values(channels).map { $0 < 0 ? 0 : -Double.infinity }
    vectors = [
      numbers.values(channels), numbers.values(channels).map { Double(Float($0 * 2 + 0.5)) }, numbers.values(channels),
      floors,
    ]
    for (index, vector) in vectors.enumerated() {
      for (channel, value) in vector.enumerated() { storage.pointer[index * panels * 16 + channel] = Float(value) }
    }
  }

  /// Normalised values, as double precision has them.
  func applied(to x: ReferenceTensor) -> ReferenceTensor {
    var result = x
    x.forEachPlane { n, c in
      for h in 0..<x.height {
        for w in 0..<x.width {
          result[n, c, h, w] = max((x[n, c, h, w] - vectors[0][c]) * vectors[1][c] + vectors[2][c], vectors[3][c])
        }
      }
    }
    return result
  }
}
