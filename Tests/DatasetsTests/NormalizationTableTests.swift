import Lockstep
import Testing

@testable import Datasets

@Suite struct NormalizationTableTests {
  private func bytes(_ table: NormalizationTable) -> [UInt8] {
    table.values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
  }

  /// ```python
  /// b = numpy.arange(256)
  /// plain = numpy.stack([(b / 255 - mean[c]) / std[c] for c in range(3)])
  /// zlib.crc32(plain.astype("<f4").tobytes())
  /// x = torch.tensor(plain).reshape(1, 3, 256, 1)         # float64; torchvision 0.28.0
  /// zlib.crc32(GoogLeNet._transform_input(model, x).numpy().astype("<f4").tobytes())
  /// ```
  @Test func theBitsAreThoseOfNumpyAndTorchvision() {
    #expect(crc32(bytes(NormalizationTable(.imagenet))) == 0xF61A_4077)
    #expect(crc32(bytes(NormalizationTable(.imagenet, transformsInput: true))) == 0x77EB_46D2)
  }

  /// What torchvision's own float32 makes of some bytes, `_transform_input` of normalised pictures.
  @Test(
    arguments: [
      (0, [-1, -1, -1]), (1, [-0.992156923, -0.992156923, -0.992156863]),
      (85, [-0.333333343, -0.333333343, -0.333333313]), (128, [0.00392157026, 0.00392157584, 0.00392156839]),
      (254, [0.992156982, 0.992156923, 0.992156863]), (255, [1, 1, 1]),
    ] as [(Int, [Float])]) func itIsTorchvisionsFormula(byte: Int, expected: [Float])
  {
    let table = NormalizationTable(.imagenet, transformsInput: true)
    for channel in 0..<3 { #expect(abs(table.values[256 * channel + byte] - expected[channel]) < 2e-7) }
  }

  /// What it undoes: (x − 0.5) / 0.5 of the bytes, up to rounding.
  @Test func itIsTheHalfNormalizationInDisguise() {
    let half = NormalizationTable(.half).values
    for (a, b) in zip(NormalizationTable(.imagenet, transformsInput: true).values, half) { #expect(abs(a - b) < 2e-7) }
  }
}
