import Foundation
import Lockstep
import Testing

@testable import Datasets

@Suite struct CroppingTests {
  private func crops(_ count: Int, width: Int, height: Int) -> [PixelRectangle] {
    (0..<count).map { index in
      var random = AddressedRandom(seed: 5, purpose: .augmentation, index: index)
      return randomResizedCrop(width: width, height: height, random: &random)
    }
  }

  /// Areas are uniform and logarithms of aspect ratios symmetric, given that the try fits.
  @Test func areaAndAspectFollowTheirDistributions() {
    let crops = crops(20_000, width: 1000, height: 1000)
    let areas = crops.map { Double($0.width * $0.height) / 1e6 }
    let logarithms = crops.map { log(Double($0.width) / Double($0.height)) }
    let meanArea = areas.reduce(0, +) / Double(areas.count)
    let meanLogarithm = logarithms.reduce(0, +) / Double(logarithms.count)
    #expect(abs(meanArea - expectedMeanArea()) < 0.006)
    #expect(abs(meanLogarithm) < 0.005)
    #expect((areas.min() ?? 0) > 0.079 && (areas.max() ?? 0) <= 1)
    // Rounding to whole pixels moves the ratio of the smallest crops, 280 pixels wide, by up to 1/280.
    #expect(logarithms.allSatisfy { abs($0) < log(4.0 / 3.0) + 0.005 })
    // Both ends of both ranges are reached.
    #expect((areas.min() ?? 1) < 0.1 && (areas.max() ?? 0) > 0.95)
    #expect((logarithms.max() ?? 0) > 0.27 && (logarithms.min() ?? 0) < -0.27)
  }

  /// The mean area of accepted tries by numerical integration: a try fits if area · aspect and area / aspect are at most 1.
  private func expectedMeanArea() -> Double {
    var (sum, weight) = (0.0, 0.0)
    for i in 0..<500 {
      let area = 0.08 + 0.92 * (Double(i) + 0.5) / 500
      for j in 0..<500 {
        let aspect = exp(log(4.0 / 3.0) * (2 * (Double(j) + 0.5) / 500 - 1))
        if area * aspect <= 1 && area / aspect <= 1 { (sum, weight) = (sum + area, weight + 1) }
      }
    }
    return sum / weight
  }

  @Test(arguments: [(1, 1), (1, 500), (500, 1), (3, 2), (200, 150), (10, 1000)])
  func cropsLieWithin(width: Int, height: Int) {
    for crop in crops(500, width: width, height: height) {
      #expect(crop.width >= 1 && crop.height >= 1 && crop.x >= 0 && crop.y >= 0)
      #expect(crop.x + crop.width <= width && crop.y + crop.height <= height)
    }
  }

  /// A picture so elongated that no try fits gets its centre: 12 wide gives ⌊12 / ¾⌉ = 16 high.
  @Test func elongatedPicturesGiveTheirCentre() {
    #expect(Set(crops(200, width: 12, height: 3000)) == [PixelRectangle(x: 0, y: 1492, width: 12, height: 16)])
    #expect(Set(crops(200, width: 3000, height: 12)) == [PixelRectangle(x: 1492, y: 0, width: 16, height: 12)])
  }

  @Test func placesAreUniform() {
    let small = crops(20_000, width: 1000, height: 1000).filter { $0.width < 500 && $0.height < 500 }
    let shares = small.map { Double($0.x) / Double(1000 - $0.width) }
    #expect(abs(shares.reduce(0, +) / Double(shares.count) - 0.5) < 0.02)
  }

  /// torchvision: Resize(256) gives (341, 256) of a 500 × 375 picture, CenterCrop(224) starts at round((h − 224) / 2).
  @Test func evaluationTakesTorchvisionsCentre() {
    #expect(evaluationSize(width: 500, height: 375, imageSize: 224) == (341, 256))
    #expect(evaluationSize(width: 375, height: 500, imageSize: 224) == (256, 341))
    #expect(evaluationSize(width: 640, height: 480, imageSize: 299).height == 342)
    #expect(evaluationSize(width: 50, height: 50, imageSize: 32) == (37, 37))
    #expect(
      centerCrop(width: 341, height: 256, imageSize: 224) == PixelRectangle(x: 58, y: 16, width: 224, height: 224))
    // Python's round(2.5) is 2, round(1.5) is 2.
    #expect(centerCrop(width: 37, height: 35, imageSize: 32) == PixelRectangle(x: 2, y: 2, width: 32, height: 32))
  }
}
