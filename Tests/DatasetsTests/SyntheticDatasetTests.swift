import Lockstep
import Testing

@testable import Datasets

@Suite struct SyntheticDatasetTests {
  private func open(_ place: String = "", role: DatasetRole = .training, imageSize: Int = 32) throws -> any Dataset {
    try DatasetCatalog.open(place.isEmpty ? "synthetic" : "synthetic:" + place, role: role, imageSize: imageSize)
  }

  @Test func specsHaveDefaults() throws {
    #expect(try open().spec == "synthetic:samples=2048,size=32,classes=10,seed=1")
    #expect(try open("classes=4,samples=7", imageSize: 96).spec == "synthetic:samples=7,size=96,classes=4,seed=1")
    let dataset = try open("samples=7,size=16,classes=3,seed=18446744073709551615")
    #expect(dataset.spec == "synthetic:samples=7,size=16,classes=3,seed=18446744073709551615")
    #expect(dataset.count == 7 && dataset.storedSize == 16 && dataset.defaultNormalization == .imagenet)
    #expect(dataset.classNames == ["bar", "crescent", "cross"])
    #expect((0..<7).map { dataset.label(ofSample: $0) } == [0, 1, 2, 0, 1, 2, 0])
  }

  @Test(arguments: [
    "samples", "samples=", "samples=x", "samples=0", "size=7", "size=5000", "classes=1", "classes=101", "colour=red",
    "samples=-1", "samples=1,,size=32", "samples=99999999999999999999", "samples=5000000000",
  ]) func specsThatMakeNoSenseAreRefused(place: String) {
    #expect { try open(place) } throws: { ($0 as? DatasetError)?.exitCode == 2 }
  }

  @Test func picturesAreFunctionsOfSeedRoleAndIndex() throws {
    let dataset = try open("samples=64"), again = try open("samples=99")
    let validation = try open("samples=64", role: .validation), other = try open("samples=64,seed=2")
    var seen: Set<[UInt8]> = []
    for index in 0..<64 {
      let sample = try dataset.sample(at: index)
      #expect(sample.bytes.count == 3 * 32 * 32 && sample.encoding == .planarRGB)
      #expect(try again.sample(at: index).bytes == sample.bytes)
      for picture in [sample, try validation.sample(at: index), try other.sample(at: index)] {
        seen.insert(picture.bytes)
      }
    }
    #expect(seen.count == 3 * 64)
  }

  /// The bytes are part of what a seed means: a change to the drawing must be meant.
  @Test func theBytesStay() throws {
    let bytes = try (0..<20).flatMap { try open().sample(at: $0).bytes }
    #expect(crc32(bytes) == 1_852_969_463)
  }

  @Test(arguments: [2, 10, 11, 25, 100]) func classNamesAreDifferentAndInByteOrder(classes: Int) throws {
    let names = try open("classes=\(classes)").classNames
    #expect(names.count == classes && Set(names).count == classes)
    #expect(names == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
  }

  /// Shapes differ from each other whatever their rotation: their areas within rings around the centre do.
  @Test func shapesDifferUnderRotation() {
    func profile(_ shape: SyntheticShape) -> [Double] {
      (1...9).map { ring in
        let radius = Double(ring) / 10
        let hits = (0..<360).filter { degree in
          let point = AngleTable.points[degree]
          return shape.contains(radius * point.x, radius * point.y)
        }
        return Double(hits.count) / 360
      }
    }
    let profiles = SyntheticShape.allCases.map(profile)
    for (first, a) in profiles.enumerated() {
      for (second, b) in profiles.enumerated() where first < second {
        let distance = zip(a, b).reduce(0) { $0 + abs($1.0 - $1.1) }
        #expect(distance > 0.2, "\(SyntheticShape.allCases[first]) and \(SyntheticShape.allCases[second])")
      }
    }
  }

  @Test func shapesLieInTheUnitCircle() {
    for shape in SyntheticShape.allCases {
      for degree in 0..<360 {
        let point = AngleTable.points[degree]
        #expect(!shape.contains(1.01 * point.x, 1.01 * point.y))
      }
    }
  }
}

private enum AngleTable {
  /// One point a degree on the unit circle, by rotating step by step.
  static let points: [(x: Double, y: Double)] = {
    var (x, y) = (1.0, 0.0)
    let (cosine, sine) = (0.99984769515639124, 0.017452406437283512)
    return (0..<360).map { _ in
      defer { (x, y) = (x * cosine - y * sine, x * sine + y * cosine) }
      return (x, y)
    }
  }()
}
