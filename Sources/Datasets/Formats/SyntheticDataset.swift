import Lockstep

/// Drawn shapes, computed when asked for: a dataset that every host has.
///
/// `synthetic:samples=2048,size=32,classes=10,seed=1`, any part of which may be left out; the size is then the run's. A
/// picture is a function of seed, role and index alone; the two roles share no picture.
public struct SyntheticDataset: Dataset, DatasetFormat {
  public static let name = "synthetic"
  public static let summary = "drawn shapes, computed as needed; no files"

  public let count: Int
  public let classNames: [String]
  public let defaultNormalization = PixelNormalization.imagenet
  private let size: Int
  private let seed: UInt64
  private let role: DatasetRole

  public static func recognizes(directory: String) -> Bool { false }

  public static func open(
    _ place: String, role: DatasetRole, imageSize: Int, checkingFiles: Bool
  ) throws(DatasetError) -> any Dataset {
    var values: [String: UInt64] = ["samples": 2048, "size": UInt64(imageSize), "classes": 10, "seed": 1]
    for part in place.split(separator: ",", omittingEmptySubsequences: false) where !place.isEmpty {
      let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
      guard pair.count == 2, values[pair[0]] != nil, let value = UInt64(pair[1]) else {
        let example = "synthetic:samples=2048,size=32,classes=10,seed=1"
        throw .invalid(what: "'\(part)' of 'synthetic:\(place)'", reason: "write it like \(example), or leave it out")
      }
      values[pair[0]] = value
    }
    func number(_ key: String) -> Int { values[key].map { Int(clamping: $0) } ?? 0 }
    return try SyntheticDataset(
      samples: number("samples"), size: number("size"), classes: number("classes"), seed: values["seed"] ?? 1,
      role: role)
  }

  /// Describes pictures.
  ///
  /// - Throws: `DatasetError.invalid` for no samples, a size outside 8 ... 4,096, or classes outside 2 ... 100.
  public init(samples: Int, size: Int, classes: Int, seed: UInt64, role: DatasetRole) throws(DatasetError) {
    guard (1...Int(UInt32.max)).contains(samples) else {
      throw .invalid(what: "\(samples) synthetic samples", reason: "choose 1 to \(UInt32.max)")
    }
    guard (8...4096).contains(size) else {
      throw .invalid(what: "synthetic pictures of \(size) pixels", reason: "choose a size of 8 to 4096")
    }
    guard (2...SyntheticClass.limit).contains(classes) else {
      throw .invalid(what: "\(classes) synthetic classes", reason: "choose 2 to \(SyntheticClass.limit)")
    }
    (count, self.size, self.seed, self.role) = (samples, size, seed, role)
    classNames = (0..<classes).map { SyntheticClass(label: $0, of: classes).name }
  }

  public var spec: String { "\(Self.name):samples=\(count),size=\(size),classes=\(classNames.count),seed=\(seed)" }
  public var storedSize: Int? { size }
  public func name(ofSample index: Int) -> String { "\(role.rawValue)/\(index)" }
  public func label(ofSample index: Int) -> Int { index % classNames.count }
  public func byteCount(ofSample index: Int) -> Int { 3 * size * size }

  public func sample(at index: Int) throws -> EncodedSample { draw(index) }

  /// The sample, for those who know that drawing cannot fail.
  func draw(_ index: Int) -> EncodedSample {
    precondition(index >= 0 && index < count, "a sample of this dataset")
    let label = label(ofSample: index)
    let random = AddressedRandom(seed: seed, purpose: .synthesis, layer: role == .training ? 0 : 1, index: index)
    let planes = drawSyntheticPicture(SyntheticClass(label: label, of: classNames.count), size: size, random: random)
    return EncodedSample(
      bytes: planes, label: label, encoding: .planarRGB, height: size, width: size, channels: 3,
      name: name(ofSample: index))
  }
}
