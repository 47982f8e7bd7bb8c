import Lockstep

/// What a look at every sample of a dataset found.
public struct DatasetInspection: Sendable {
  /// The dataset.
  public let spec: String
  /// The classes and how many samples each has, in label order.
  public let classes: [(name: String, count: Int)]
  /// The sizes that occur and how many samples have each, most frequent first, then smallest first.
  public let sizes: [(width: Int, height: Int, count: Int)]
  /// Bytes of all samples as they are encoded.
  public let byteCount: Int
  /// The dataset's fingerprint; nil if a sample that it needs cannot be read.
  public let fingerprint: Digest?
  /// Samples that cannot be used, and why.
  public let bad: [(name: String, reason: String)]
  /// How many samples there are, bad ones included.
  public let count: Int
}

extension DatasetCatalog {
  /// Decodes every sample of a dataset.
  ///
  /// - Parameter progress: told how many samples are done, after each.
  /// - Throws: `DatasetError` if the dataset cannot be opened at all; what is wrong with single files is in the result.
  public static func inspect(
    _ spec: String, role: DatasetRole = .training, imageSize: Int = 32, progress: (Int) -> Void = { _ in }
  ) throws(DatasetError) -> DatasetInspection {
    struct Size: Hashable { let width: Int, height: Int }
    let dataset = try open(spec, role: role, imageSize: imageSize, checkingFiles: false)
    var classes = dataset.classNames.map { (name: $0, count: 0) }
    var sizes: [Size: Int] = [:]
    var bad: [(name: String, reason: String)] = []
    var byteCount = 0
    for index in 0..<dataset.count {
      classes[dataset.label(ofSample: index)].count += 1
      byteCount += dataset.byteCount(ofSample: index)
      do {
        let picture = try Picture(dataset.sample(at: index))
        sizes[Size(width: picture.width, height: picture.height), default: 0] += 1
      } catch let error as ImageError {
        bad.append((dataset.name(ofSample: index), error.reason))
      } catch {
        bad.append((dataset.name(ofSample: index), "\(error)"))
      }
      progress(index + 1)
    }
    let sorted = sizes.map { (width: $0.key.width, height: $0.key.height, count: $0.value) }
      .sorted { (-$0.count, $0.width, $0.height) < (-$1.count, $1.width, $1.height) }
    return DatasetInspection(
      spec: dataset.spec, classes: classes, sizes: sorted, byteCount: byteCount,
      fingerprint: try? dataset.fingerprint(), bad: bad, count: dataset.count)
  }
}
