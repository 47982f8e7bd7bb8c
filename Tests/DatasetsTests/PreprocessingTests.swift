import Lockstep
import Testing

@testable import Datasets

@Suite struct PreprocessingTests {
  /// Runs a sample through preprocessing.
  private func values(
    _ sample: EncodedSample, size: Int, _ normalization: PixelNormalization = .none,
    _ augmentation: Augmentation = .none,
    purpose: LeafPurpose = .training, seed: UInt64 = 0, epoch: Int = 0, index: Int = 0
  ) throws -> [Float] {
    let preprocessing = Preprocessing(
      imageSize: size, normalization: normalization, augmentation: augmentation, seed: seed)
    var result = [Float](repeating: .nan, count: preprocessing.valueCount)
    try preprocessing.write(sample, index: index, epoch: epoch, purpose: purpose, into: &result)
    return result
  }

  /// The bytes, pixel by pixel, of planes that were not normalised.
  private func pixels(_ planes: [Float]) -> [UInt8] {
    let count = planes.count / 3
    return (0..<planes.count).map { UInt8((planes[$0 % 3 * count + $0 / 3] * 255).rounded()) }
  }

  private func planar(_ width: Int, _ height: Int, seed: UInt64 = 1) -> EncodedSample {
    // The oracle's noise is pixel by pixel; the sample's bytes are planes.
    let bytes = noise(3 * width * height, seed: seed)
    let planes = (0..<3).flatMap { channel in (0..<width * height).map { bytes[3 * $0 + channel] } }
    return EncodedSample(bytes: planes, label: 0, encoding: .planarRGB, height: height, width: width, channels: 3)
  }

  /// ```python
  /// image = Image.frombytes("RGB", (300, 200), noise(180000, 1))      # Pillow 13.0.0
  /// image.resize((109, 73), Image.BILINEAR).crop((22, 4, 86, 68))     # 73 = round(64·256/224), 109 = int(73·300/200)
  /// image = Image.frombytes("RGB", (90, 131), noise(3 * 90 * 131, 1))
  /// image.resize((73, 106), Image.BILINEAR).crop((4, 21, 68, 85))
  /// ```
  @Test func evaluationIsResizeAndCentreCrop() throws {
    #expect(crc32(pixels(try values(planar(300, 200), size: 64, purpose: .evaluation))) == 0xA2EB_4174)
    #expect(crc32(pixels(try values(planar(90, 131), size: 64, purpose: .evaluation))) == 0x8C5C_3064)
    // Augmentation is training's.
    let plain = try values(planar(300, 200), size: 64, purpose: .evaluation)
    #expect(try values(planar(300, 200), size: 64, .none, .standard, purpose: .evaluation) == plain)
  }

  /// `Image.frombytes("RGB", (300, 200), noise(180000, 1)).resize((64, 64), Image.BILINEAR)`
  @Test func trainingWithoutAugmentationResizes() throws {
    #expect(crc32(pixels(try values(planar(300, 200), size: 64))) == 0x47E6_1A8C)
  }

  @Test(arguments: [32, 96], [LeafPurpose.training, .evaluation])
  func aPictureOfTheImageSizeIsNotTouched(size: Int, purpose: LeafPurpose) throws {
    #expect(pixels(try values(planar(size, size), size: size, purpose: purpose)) == noise(3 * size * size))
  }

  @Test(arguments: PixelNormalization.allCases) func normalises(normalization: PixelNormalization) throws {
    let (mean, deviation) = normalization.meanAndDeviation
    let bytes = (0..<192).map { UInt8(($0 * 37) % 256) }
    let sample = EncodedSample(bytes: bytes, label: 0, encoding: .planarRGB, height: 8, width: 8, channels: 3)
    let result = try values(sample, size: 8, normalization)
    for index in 0..<192 {
      let channel = index / 64
      let expected = (Double(bytes[index]) / 255 - mean[channel]) / deviation[channel]
      #expect(abs(Double(result[index]) - expected) < 1e-6)
    }
  }

  /// Every result is the picture, perhaps flipped, moved by at most the border over black; all moves occur.
  @Test func smallPicturesMoveAndFlip() throws {
    let size = 16
    let original = noise(3 * size * size)
    func moved(_ down: Int, _ right: Int, _ flipped: Bool) -> [UInt8] {
      (0..<3 * size * size).map { byte in
        let (row, column) = (byte / 3 / size, byte / 3 % size)
        let (y, x) = (row + down, (flipped ? size - 1 - column : column) + right)
        return (0..<size).contains(y) && (0..<size).contains(x) ? original[3 * (y * size + x) + byte % 3] : 0
      }
    }
    var expected: [[UInt8]: Int] = [:]
    for down in -4...4 {
      for right in -4...4 {
        for flipped in [false, true] { expected[moved(down, right, flipped)] = 0 }
      }
    }
    for index in 0..<1600 {
      let result = pixels(try values(planar(size, size), size: size, .none, .standard, index: index))
      try #require(expected[result] != nil, "sample \(index)")
      expected[result]? += 1
    }
    #expect(expected.count == 162)
    // 1,600 draws of 162 outcomes: the chance that a given one never comes is e^-9.9.
    #expect(expected.values.filter { $0 == 0 }.count <= 1)
    #expect((expected.values.max() ?? 0) < 30)
  }

  /// The border is black before normalisation, so after it it is (0 − mean) / std.
  @Test func theBorderIsBlack() throws {
    let white = EncodedSample(
      bytes: [UInt8](repeating: 255, count: 3 * 256), label: 0, encoding: .planarRGB, height: 16, width: 16, channels: 3
    )
    let seen = try (0..<20).flatMap { Array(try values(white, size: 16, .half, .standard, index: $0)) }
    #expect(Set(seen) == [-1, 1])
  }

  @Test func randomNumbersAreAddressed() throws {
    let sample = planar(120, 90)
    let first = try values(sample, size: 80, .imagenet, .standard, seed: 3, epoch: 2, index: 7)
    #expect(try values(sample, size: 80, .imagenet, .standard, seed: 3, epoch: 2, index: 7) == first)
    #expect(try values(sample, size: 80, .imagenet, .standard, seed: 4, epoch: 2, index: 7) != first)
    #expect(try values(sample, size: 80, .imagenet, .standard, seed: 3, epoch: 1, index: 7) != first)
    #expect(try values(sample, size: 80, .imagenet, .standard, seed: 3, epoch: 2, index: 8) != first)
  }

  @Test func largePicturesAreCroppedAndFlipped() throws {
    // Brightness grows to the right: a flipped result falls.
    let bytes = (0..<3 * 100 * 200).map { UInt8($0 % 200) }
    let sample = EncodedSample(bytes: bytes, label: 0, encoding: .planarRGB, height: 100, width: 200, channels: 3)
    var flips = 0
    for index in 0..<400 {
      let row = Array(try values(sample, size: 80, .none, .standard, index: index)[..<80])
      if row[0] > row[79] { flips += 1 }
    }
    #expect((150...250).contains(flips))
  }

  @Test func whatCannotBeDecodedIsNamed() {
    let sample = EncodedSample(bytes: [1, 2, 3], label: 0, encoding: .imageFile, name: "cats/tom.jpg")
    #expect { try values(sample, size: 8) } throws: { "\($0)".contains("cats/tom.jpg") }
    let nameless = EncodedSample(bytes: [1, 2, 3], label: 0, encoding: .imageFile)
    #expect { try values(nameless, size: 8, index: 41) } throws: { "\($0)".contains("41") }
  }
}
