import Lockstep
import Synchronization

/// Gives a loader the crops of pictures one by one, decoding each picture once.
///
/// A crop's number is sample · (crops of a picture) + crop. The pictures that were decoded last are kept, as many as there
/// are threads: enough where crops are asked for in order.
final class CropReader: Sendable {
  private struct OpenPicture {
    let sample: Int
    let label: Int32
    let crops: [Crop]
  }

  private let source: any SampleSource
  private let preprocessing: Preprocessing
  private let scheme: CropScheme
  private let capacity: Int
  /// The pictures at hand, oldest first. Who needs a picture that is being decoded waits for it at the lock.
  private let open = Mutex<[OpenPicture]>([])

  init(source: any SampleSource, preprocessing: Preprocessing, scheme: CropScheme, threads: Int) {
    (self.source, self.preprocessing, self.scheme) = (source, preprocessing, scheme)
    capacity = threads
  }

  /// Writes a crop as three planes of normalised values.
  ///
  /// - Returns: the sample's label.
  /// - Throws: the error of the sample that the crop is of.
  func write(_ number: Int, into nchw: UnsafeMutablePointer<Float>) throws(SampleError) -> Int32 {
    let (sample, index) = number.quotientAndRemainder(dividingBy: scheme.count)
    let picture: OpenPicture
    do {
      picture = try open.withLock { pictures in
        if let known = pictures.first(where: { $0.sample == sample }) { return known }
        if pictures.count == capacity { pictures.removeFirst() }
        let new = try decode(sample)
        pictures.append(new)
        return new
      }
    } catch {
      throw SampleError(index: sample, underlying: error)
    }
    preprocessing.write(picture.crops[index], into: nchw)
    return picture.label
  }

  private func decode(_ index: Int) throws -> OpenPicture {
    let sample = try source.sample(at: index)
    let label = try sample.checkedLabel()
    return OpenPicture(
      sample: index, label: label,
      crops: preprocessing.crops(of: try preprocessing.decoded(sample, index: index), scheme))
  }
}

extension EncodedSample {
  /// The label as leaves have it.
  func checkedLabel() throws(DatasetError) -> Int32 {
    guard let label = Int32(exactly: label), label >= 0 else {
      throw .undecodable(sample: name, reason: "its label is \(label)")
    }
    return label
  }
}
