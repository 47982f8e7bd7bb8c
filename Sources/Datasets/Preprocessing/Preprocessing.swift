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
/// | evaluation | other | shorter side resized to size · 256/224, centre crop (or the crops of a `CropScheme`) |
/// | training, `none` | other | resized to the image size |
/// | training, `standard` | other, image size above 64 | random resized crop, flip |
/// | training, `standard` | of the image size, or image size up to 64 (resized first) | shifted within a black border, flip |
///
/// The border is 4 pixels, and an eighth of the size above 64. A picture of the image size is never resized, unless
/// `shorterSide` says to which size evaluation brings every picture.
public struct Preprocessing: Sendable {
  /// Height and width of what is written.
  public let imageSize: Int
  /// How bytes become values.
  public let normalization: PixelNormalization
  /// How training samples are varied.
  public let augmentation: Augmentation
  /// What the variations are drawn from.
  public let seed: UInt64
  /// The length of the shorter side to which evaluation resizes every picture; nil for the rule of the table above.
  public let shorterSide: Int?
  private let table: NormalizationTable

  /// Describes a run's way with pictures.
  ///
  /// - Parameters:
  ///   - transformsInput: whether normalised pictures go through torchvision's `transform_input`; only with ImageNet's
  ///     normalization.
  ///   - shorterSide: at least `imageSize`, or nil.
  public init(
    imageSize: Int, normalization: PixelNormalization, transformsInput: Bool = false, augmentation: Augmentation,
    seed: UInt64, shorterSide: Int? = nil
  ) {
    precondition((1...ImageLimits.side).contains(imageSize), "an image size within the limits")
    if let shorterSide {
      precondition((imageSize...ImageLimits.side).contains(shorterSide), "a crop fits into the resized picture")
    }
    (self.imageSize, self.normalization, self.augmentation, self.seed) = (imageSize, normalization, augmentation, seed)
    self.shorterSide = shorterSide
    table = NormalizationTable(normalization, transformsInput: transformsInput)
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
    let picture = try decoded(sample, index: index)
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

  /// Decodes a sample, and names it where that fails.
  func decoded(_ sample: EncodedSample, index: Int) throws(DatasetError) -> Picture {
    do {
      return try Picture(sample)
    } catch {
      throw .undecodable(sample: sample.name.isEmpty ? "number \(index)" : sample.name, reason: error.reason)
    }
  }

  private func fits(_ picture: Picture) -> Bool { picture.width == imageSize && picture.height == imageSize }

  private func fitted(_ picture: Picture) -> Picture { picture.resized(width: imageSize, height: imageSize) }

  /// The size at which evaluation looks at a picture.
  func evaluationSize(of picture: Picture) -> (width: Int, height: Int) {
    if shorterSide == nil && fits(picture) { return (imageSize, imageSize) }
    return resizedSize(
      width: picture.width, height: picture.height,
      shorterSide: shorterSide ?? evaluationSide(256, imageSize: imageSize))
  }

  /// The centre of the picture at the size of evaluation.
  func centre(of picture: Picture) -> Picture {
    let (width, height) = evaluationSize(of: picture)
    return picture.resized(
      width: width, height: height, area: centerCrop(width: width, height: height, imageSize: imageSize))
  }

  /// Writes a crop as three planes of normalised values.
  func write(_ crop: Crop, into nchw: UnsafeMutablePointer<Float>) {
    precondition(
      crop.x >= 0 && crop.y >= 0 && crop.x + imageSize <= crop.picture.width
        && crop.y + imageSize <= crop.picture.height, "a crop lies within its picture")
    write(crop.picture, down: crop.y, right: crop.x, flipped: crop.isMirrored, into: nchw)
  }

  /// Output pixel (y, x) is picture pixel (y + down, x + right), black outside; flipped afterwards.
  private func write(
    _ picture: Picture, down: Int = 0, right: Int = 0, flipped: Bool = false, into nchw: UnsafeMutablePointer<Float>
  ) {
    let size = imageSize, width = picture.width, height = picture.height
    picture.pixels.withUnsafeBufferPointer { pixels in
      table.values.withUnsafeBufferPointer { table in
        for channel in 0..<3 {
          let plane = nchw + channel * size * size
          for row in 0..<size {
            for column in 0..<size {
              let (y, x) = (row + down, column + right)
              let isInside = y >= 0 && y < height && x >= 0 && x < width
              let byte = isInside ? Int(pixels[3 * (y * width + x) + channel]) : 0
              plane[row * size + (flipped ? size - 1 - column : column)] = table[256 * channel + byte]
            }
          }
        }
      }
    }
  }
}
