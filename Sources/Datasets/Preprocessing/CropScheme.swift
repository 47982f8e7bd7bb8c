/// Which squares of a picture evaluation shows to a network; the probabilities that it gives to them are averaged.
public enum CropScheme: String, CaseIterable, Sendable {
  /// The centre, as a run's validation.
  case center
  /// Four corners and the centre, and the mirror images of these.
  ///
  /// - Source: Krizhevsky et al. 2012, section 4.1; torchvision's TenCrop.
  case ten = "10"
  /// The GoogLeNet paper's: at four sizes three squares, of each the four corners, the centre and all of it made smaller,
  /// and the mirror images of these.
  ///
  /// - Source: Szegedy et al. 2014, section 7.
  case oneHundredFortyFour = "144"

  /// How many squares.
  public var count: Int {
    switch self {
    case .center: 1
    case .ten: 10
    case .oneHundredFortyFour: 144
    }
  }
}

/// A square of the image size within a picture, as it is or mirrored. Many share one picture.
struct Crop: Hashable, Sendable {
  var picture: Picture
  /// The column and the row of the picture where it begins.
  var x: Int, y: Int
  var isMirrored = false

  /// The crop, and its mirror image.
  var bothWays: [Crop] { [self, Crop(picture: picture, x: x, y: y, isMirrored: true)] }
}

extension Preprocessing {
  /// The crops of a picture, always `scheme.count` of them in the same order.
  ///
  /// With `ten`, a picture of the image size is not resized, unless a shorter side was asked for: its crops are then all
  /// of it. With 144, the four sizes are 256, 288, 320 and 352 pixels for inputs of 224, and in proportion for others.
  func crops(of picture: Picture, _ scheme: CropScheme) -> [Crop] {
    switch scheme {
    case .center: return [Crop(picture: centre(of: picture), x: 0, y: 0)]
    case .ten:
      let (width, height) = evaluationSize(of: picture)
      let resized = ResizedPicture(picture, width: width, height: height)
      let places = cornersAndCenter(width: width, height: height, imageSize: imageSize)
      return places.flatMap { resized.part($0).bothWays }
    case .oneHundredFortyFour:
      return [256, 288, 320, 352].flatMap { side in
        squareCrops(of: picture, side: evaluationSide(side, imageSize: imageSize))
      }
    }
  }

  /// The 36 crops at one of the sizes.
  private func squareCrops(of picture: Picture, side: Int) -> [Crop] {
    let (width, height) = resizedSize(width: picture.width, height: picture.height, shorterSide: side)
    let resized = ResizedPicture(picture, width: width, height: height)
    return threeSquares(width: width, height: height).flatMap { area -> [Crop] in
      let square = resized.part(area)
      var crops = cornersAndCenter(width: side, height: side, imageSize: imageSize).map {
        Crop(picture: square.picture, x: square.x + $0.x, y: square.y + $0.y)
      }
      let all = square.picture.cropped(to: PixelRectangle(x: square.x, y: square.y, width: side, height: side))
      crops.append(Crop(picture: all.resized(width: imageSize, height: imageSize), x: 0, y: 0))
      return crops.flatMap(\.bothWays)
    }
  }
}

/// A picture at another size, of which parts are taken.
///
/// It is resized as a whole once for all parts, unless it is so long that this would need far more memory than they do.
private struct ResizedPicture {
  /// Pixels of a picture that is resized as a whole: a quarter of what a decoded one may have.
  static let wholeLimit = ImageLimits.pixels / 4

  private let original: Picture
  private let width: Int, height: Int
  private let whole: Picture?

  init(_ original: Picture, width: Int, height: Int) {
    (self.original, self.width, self.height) = (original, width, height)
    whole = width * height <= Self.wholeLimit ? original.resized(width: width, height: height) : nil
  }

  func part(_ area: PixelRectangle) -> Crop {
    if let whole { return Crop(picture: whole, x: area.x, y: area.y) }
    return Crop(picture: original.resized(width: width, height: height, area: area), x: 0, y: 0)
  }
}
