import Compute
import Lockstep
import Testing

@testable import Datasets

@Suite struct CropSchemeTests {
  private func preprocessing(_ size: Int, shorterSide: Int? = nil) -> Preprocessing {
    Preprocessing(imageSize: size, normalization: .none, augmentation: .none, seed: 0, shorterSide: shorterSide)
  }

  private func picture(_ width: Int, _ height: Int) -> Picture {
    Picture(width: width, height: height, pixels: noise(3 * width * height))
  }

  /// The bytes of a crop, pixel by pixel.
  private func bytes(_ crop: Crop, _ preprocessing: Preprocessing) -> [UInt8] {
    var planes = [Float](repeating: .nan, count: preprocessing.valueCount)
    preprocessing.write(crop, into: &planes)
    let count = planes.count / 3
    return (0..<planes.count).map { UInt8((planes[$0 % 3 * count + $0 / 3] * 255).rounded()) }
  }

  /// A picture whose pixels are their own coordinates, of a size that needs no resizing: 12 × 9, crops of 6.
  @Test func tenCropsAreCornersCentreAndMirrorImages() {
    func pixels(_ columns: [Int], _ rows: Range<Int>) -> [UInt8] {
      var bytes: [UInt8] = []
      for row in rows {
        for column in columns { bytes += [UInt8(column), UInt8(row), 7] }
      }
      return bytes
    }
    let preprocessing = preprocessing(6, shorterSide: 9)
    let crops = preprocessing.crops(of: Picture(width: 12, height: 9, pixels: pixels(Array(0..<12), 0..<9)), .ten)
    // torchvision's centre begins at round(1.5) = 2.
    let places = [(0, 0), (6, 0), (0, 3), (6, 3), (3, 2)]
    #expect(crops.count == 10)
    for (index, crop) in crops.enumerated() {
      let (x, y) = places[index / 2]
      let columns = index % 2 == 0 ? Array(x..<x + 6) : Array((x..<x + 6).reversed())
      #expect(bytes(crop, preprocessing) == pixels(columns, y..<y + 6))
    }
  }

  /// ```python
  /// # noise and crc as elsewhere; Pillow 13.0.0
  /// def resize(im, s):
  ///     w, h = im.size
  ///     return im.resize((s, s * h // w) if w <= h else (s * w // h, s), Image.BILINEAR)
  /// def five(im, n):
  ///     w, h = im.size
  ///     places = [(0, 0), (w-n, 0), (0, h-n), (w-n, h-n), (round((w-n) / 2), round((h-n) / 2))]
  ///     return [im.crop((x, y, x+n, y+n)) for x, y in places]
  /// def ten(im, n): return five(resize(im, int(256 * n / 224 + 0.5)), n)
  /// def all144(im, n):
  ///     crops = []
  ///     for side in (256, 288, 320, 352):
  ///         r = resize(im, int(side * n / 224 + 0.5))
  ///         w, h = r.size; s = min(w, h)
  ///         for x, y in [(0, 0), (round((w-s) / 2), round((h-s) / 2)), (w-s, h-s)]:
  ///             square = r.crop((x, y, x+s, y+s))
  ///             crops += five(square, n) + [square.resize((n, n), Image.BILINEAR)]
  ///     return crops
  /// def crc(crops): the CRC-32 of the bytes of each crop and, after it, its transpose(FLIP_LEFT_RIGHT)
  /// ```
  /// The last two are resized part by part; as a whole they would have 67 and 22 MB.
  @Test(arguments: [
    (100, 75, 32, 0x4F19_AE85, 0x13F1_3960), (60, 95, 32, 0x648D_E16A, 0x16EF_2D63),
    (33, 33, 24, 0x1741_BB58, 0x778B_6FE9), (1, 16384, 32, 0x7DEE_8838, 0x528B_A575),
    (16384, 2, 32, 0x3479_B0C4, 0xB9FA_0CC3),
  ]) func cropsAreThoseOfPillow(width: Int, height: Int, size: Int, ten: Int, all: Int) {
    let preprocessing = preprocessing(size), picture = picture(width, height)
    for (scheme, expected) in [(CropScheme.ten, ten), (.oneHundredFortyFour, all)] {
      let crops = preprocessing.crops(of: picture, scheme)
      #expect(crops.count == scheme.count)
      #expect(crc32(crops.flatMap { bytes($0, preprocessing) }) == UInt32(expected), "\(scheme)")
    }
  }

  /// The four sizes of the paper, for its own inputs and for those of 299 and 32 pixels.
  @Test func sizesAreInProportion() {
    #expect([256, 288, 320, 352].map { evaluationSide($0, imageSize: 224) } == [256, 288, 320, 352])
    #expect([256, 288, 320, 352].map { evaluationSide($0, imageSize: 299) } == [342, 384, 427, 470])
    #expect([256, 288, 320, 352].map { evaluationSide($0, imageSize: 32) } == [37, 41, 46, 50])
  }

  /// A picture of the image size is not resized; all ten crops are it or its mirror image.
  @Test func aPictureOfTheImageSizeIsNotResized() {
    let preprocessing = preprocessing(24), picture = picture(24, 24)
    let crops = preprocessing.crops(of: picture, .ten).map { bytes($0, preprocessing) }
    #expect(Set(crops).count == 2 && crops[0] == picture.pixels)
    var mirrored: [UInt8] = []
    for row in 0..<24 {
      for column in (0..<24).reversed() {
        let start = 3 * (24 * row + column)
        mirrored += picture.pixels[start..<start + 3]
      }
    }
    #expect(crops[1] == mirrored)
    // Unless it is asked for.
    let resized = self.preprocessing(24, shorterSide: 30)
    #expect(Set(resized.crops(of: picture, .ten).map { bytes($0, resized) }).count == 10)
    #expect(
      bytes(resized.crops(of: picture, .center)[0], resized)
        == picture.resized(width: 30, height: 30).cropped(to: PixelRectangle(x: 3, y: 3, width: 24, height: 24)).pixels)
  }

  /// One crop is what a run's validation sees.
  @Test(arguments: [(100, 75), (60, 95), (32, 32), (5, 3)]) func theCentreIsThatOfValidation(width: Int, height: Int)
    throws
  {
    let preprocessing = preprocessing(32), picture = picture(width, height)
    let planes = (0..<3).flatMap { channel in (0..<width * height).map { picture.pixels[3 * $0 + channel] } }
    let sample = EncodedSample(
      bytes: planes, label: 0, encoding: .planarRGB, height: height, width: width, channels: 3)
    var (crop, whole) = ([Float](repeating: 0, count: 3072), [Float](repeating: 1, count: 3072))
    let crops = preprocessing.crops(of: picture, .center)
    #expect(crops.count == 1)
    preprocessing.write(crops[0], into: &crop)
    try preprocessing.write(sample, index: 0, epoch: 0, purpose: .evaluation, into: &whole)
    #expect(crop == whole)
  }

  @Test(arguments: [(61, 47, 30, 23), (20, 31, 55, 90), (40, 30, 40, 61), (40, 30, 77, 30)])
  func aPartOfAResizedPictureIsItsPart(width: Int, height: Int, newWidth: Int, newHeight: Int) {
    let picture = picture(width, height), whole = picture.resized(width: newWidth, height: newHeight)
    var random = AddressedRandom(seed: 3, purpose: .synthesis, index: width)
    for _ in 0..<50 {
      let (w, h) = (1 + random.integer(below: newWidth), 1 + random.integer(below: newHeight))
      let area = PixelRectangle(
        x: random.integer(below: newWidth - w + 1), y: random.integer(below: newHeight - h + 1), width: w, height: h)
      #expect(picture.resized(width: newWidth, height: newHeight, area: area) == whole.cropped(to: area))
    }
  }
}

/// Pictures of 8 × 6 noise; counts how often each was asked for.
private final class CountingSource: SampleSource {
  let count = 9
  let asked = Monitor<[Int: Int]>([:])
  let missing: Int?

  init(missing: Int? = nil) { self.missing = missing }

  func sample(at index: Int) throws -> EncodedSample {
    asked.change { $0[index, default: 0] += 1 }
    let bytes = index == missing ? [] : noise(48, seed: UInt64(index))
    return EncodedSample(bytes: bytes, label: 10 * index, encoding: .grey, height: 6, width: 8, channels: 1)
  }
}

@Suite(.timeLimit(.minutes(1))) struct CropLoadingTests {
  private let preprocessing = Preprocessing(
    imageSize: 4, normalization: .none, augmentation: .none, seed: 0, shorterSide: 6)

  private func request(_ id: Int, _ samples: Range<Int>) -> LeafRequest {
    LeafRequest(id: id, samples: Array(samples), epoch: 0, purpose: .evaluation)
  }

  /// Leaves of 7 crops begin and end within pictures of 10; each picture is decoded once all the same.
  @Test(arguments: [1, 2, 3]) func cropsComeInOrderAndPicturesAreDecodedOnce(threads: Int) throws {
    let source = CountingSource()
    let loader = LeafLoader(source: source, preprocessing: preprocessing, crops: .ten, batch: 7, threads: threads)
    let leaves = stride(from: 0, to: 90, by: 7).map { $0..<min(90, $0 + 7) }
    for (id, leaf) in leaves.enumerated() { loader.request(request(id, leaf)) }
    for (id, leaf) in leaves.enumerated() {
      let loaded = try loader.next(id: id)
      #expect(loaded.labels == leaf.map { Int32(10 * ($0 / 10)) })
      for (row, number) in leaf.enumerated() {
        let picture = Picture(grey: noise(48, seed: UInt64(number / 10)), width: 8, height: 6)
        var expected = [Float](repeating: .nan, count: 48)
        preprocessing.write(preprocessing.crops(of: picture, .ten)[number % 10], into: &expected)
        #expect(Array(UnsafeBufferPointer(start: loaded.images.pointer + 48 * row, count: 48)) == expected)
      }
      loader.recycle(loaded)
    }
    #expect(source.asked.change { $0 } == Dictionary(uniqueKeysWithValues: (0..<9).map { ($0, 1) }))
  }

  @Test func aFailureIsThatOfItsPicture() throws {
    let loader = LeafLoader(
      source: CountingSource(missing: 2), preprocessing: preprocessing, crops: .ten, batch: 7)
    loader.request(request(0, 7..<14))
    loader.request(request(1, 18..<24))
    loader.recycle(try loader.next(id: 0))
    #expect { _ = try loader.next(id: 1) } throws: { ($0 as? SampleError)?.index == 2 }
  }
}
