import Lockstep

/// What a leaf is loaded for.
public enum LeafPurpose: String, Sendable {
  /// Training: samples are varied as the run's augmentation says.
  case training
  /// Evaluation and prediction: the centre of the picture.
  case evaluation
}

/// How samples become a network's input: decoding, fitting to the image size, augmentation, normalisation.
///
/// The result is a function of the sample's bytes, the seed, the epoch and the sample's index alone.
///
/// | purpose | picture | what is taken |
/// |---|---|---|
/// | evaluation | of the image size | all of it |
/// | evaluation | other | shorter side resized to size · 256/224, centre crop |
/// | training, `none` | other | resized to the image size |
/// | training, `standard` | other, image size above 64 | random resized crop, flip |
/// | training, `standard` | of the image size, or image size up to 64 (resized first) | shifted within a black border, flip |
///
/// The border is 4 pixels, and an eighth of the size above 64. A picture of the image size is never resized.
public struct Preprocessing: Sendable {
  /// Height and width of what is written.
  public let imageSize: Int
  /// How bytes become values.
  public let normalization: PixelNormalization
  /// How training samples are varied.
  public let augmentation: Augmentation
  /// What the variations are drawn from.
  public let seed: UInt64
  private let table: NormalizationTable

  /// Describes a run's way with pictures.
  public init(imageSize: Int, normalization: PixelNormalization, augmentation: Augmentation, seed: UInt64) {
    precondition((1...ImageLimits.side).contains(imageSize), "an image size within the limits")
    (self.imageSize, self.normalization, self.augmentation, self.seed) = (imageSize, normalization, augmentation, seed)
    table = NormalizationTable(normalization)
  }

  /// How many values a sample becomes: 3 planes of imageSize × imageSize.
  public var valueCount: Int { 3 * imageSize * imageSize }

  /// Writes a sample as three planes of normalised values.
  ///
  /// - Parameters:
  ///   - index: the sample's index in its dataset; addresses its random numbers, together with the epoch.
  ///   - nchw: room for `valueCount` values.
  /// - Throws: `DatasetError.undecodable` naming the sample.
  public func write(
    _ sample: EncodedSample, index: Int, epoch: Int, purpose: LeafPurpose, into nchw: UnsafeMutablePointer<Float>
  ) throws(DatasetError) {
    let picture: Picture
    do {
      picture = try Picture(sample)
    } catch {
      throw .undecodable(sample: sample.name.isEmpty ? "number \(index)" : sample.name, reason: error.reason)
    }
    switch (purpose, augmentation) {
    case (.evaluation, _):
      write(centre(of: picture), into: nchw)
    case (.training, .none):
      write(fitted(picture), into: nchw)
    case (.training, .standard):
      var random = AddressedRandom(seed: seed, purpose: .augmentation, epoch: epoch, index: index)
      if imageSize > 64 && !fits(picture) {
        let area = randomResizedCrop(width: picture.width, height: picture.height, random: &random)
        let crop = picture.cropped(to: area).resized(width: imageSize, height: imageSize)
        write(crop, flipped: random.uniform() < 0.5, into: nchw)
      } else {
        let border = imageSize > 64 ? imageSize / 8 : 4
        let down = random.integer(below: 2 * border + 1) - border
        let right = random.integer(below: 2 * border + 1) - border
        write(fitted(picture), down: down, right: right, flipped: random.uniform() < 0.5, into: nchw)
      }
    }
  }

  private func fits(_ picture: Picture) -> Bool { picture.width == imageSize && picture.height == imageSize }

  private func fitted(_ picture: Picture) -> Picture { picture.resized(width: imageSize, height: imageSize) }

  private func centre(of picture: Picture) -> Picture {
    if fits(picture) { return picture }
    let size = evaluationSize(width: picture.width, height: picture.height, imageSize: imageSize)
    return picture.resized(width: size.width, height: size.height)
      .cropped(to: centerCrop(width: size.width, height: size.height, imageSize: imageSize))
  }

  /// Output pixel (y, x) is picture pixel (y + down, x + right), black outside; flipped afterwards.
  private func write(
    _ picture: Picture, down: Int = 0, right: Int = 0, flipped: Bool = false, into nchw: UnsafeMutablePointer<Float>
  ) {
    let size = imageSize
    precondition(fits(picture), "a picture of the image size")
    picture.pixels.withUnsafeBufferPointer { pixels in
      table.values.withUnsafeBufferPointer { table in
        for channel in 0..<3 {
          let plane = nchw + channel * size * size
          for row in 0..<size {
            for column in 0..<size {
              let (y, x) = (row + down, column + right)
              let isInside = y >= 0 && y < size && x >= 0 && x < size
              let byte = isInside ? Int(pixels[3 * (y * size + x) + channel]) : 0
              plane[row * size + (flipped ? size - 1 - column : column)] = table[256 * channel + byte]
            }
          }
        }
      }
    }
  }
}
