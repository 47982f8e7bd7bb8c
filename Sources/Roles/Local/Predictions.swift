import Compute
import Datasets
import Interchange
import Lockstep
import Models
import Training

/// What `trainer predict` prints.
public struct PredictionReport {
  private let images: [(file: String, classes: [Prediction])]

  init(_ images: [(file: String, classes: [Prediction])]) { self.images = images }

  /// A line for each image.
  public var text: String {
    images.map { image in
      let classes = image.classes.map {
        "\(printable($0.name)) \(StatusLine.number($0.probability * 100, decimals: 1)) %"
      }
      return "\(image.file): \(classes.joined(separator: ", "))"
    }.joined(separator: "\n")
  }

  /// `{"images":[{"file":…, "classes":[{"name":…, "probability":…}, …]}, …]}`, most probable first.
  public var json: String {
    struct Class: Encodable {
      let name: String, probability: Double
    }
    struct Image: Encodable {
      let file: String, classes: [Class]
    }
    return jsonLine([
      "images": images.map { image in
        Image(file: image.file, classes: image.classes.map { Class(name: $0.name, probability: $0.probability) })
      }
    ])
  }
}

/// `trainer predict`: the most probable classes of image files.
///
/// - Parameters:
///   - path: a checkpoint, a run's folder, or a file of PyTorch.
///   - model: the model, where the file does not say it.
///   - labels: a file of names to use instead of the checkpoint's.
public func predictImages(
  _ files: [String], checkpoint path: String, model: String?, labels: String?, top: Int, pictures: PictureOptions,
  threads: Int
) throws(Failure) -> PredictionReport {
  try failing {
    let trained = try TrainedModel(path: path, model: model, imageSize: pictures.imageSize)
    let names = try labels.map { labels in try readLabels(labels, classes: trained.model.classes) }
    let line = StatusLine()
    for remark in trained.remarks { line.warn(remark) }
    let preprocessing = try pictures.preprocessing(for: trained, usual: .imagenet, say: { line.warn($0) })
    let evaluator = Evaluator(
      trained, preprocessing: preprocessing, batch: min(16, max(1, files.count * pictures.crops.count)),
      pool: ThreadPool(threads: threads))
    let progress = PictureProgress(
      "predicting", "images", crops: pictures.crops, line,
      isShown: files.count * pictures.crops.count > evaluator.batch)
    let predictions = try evaluator.predict(
      ImageFiles(paths: files), crops: pictures.crops, top: top, progress: progress.note)
    return PredictionReport(
      zip(files, predictions).map { file, classes in
        (file, classes.map { names.map($0.named) ?? $0 })
      })
  }
}

/// Image files that belong to no dataset, read when they are needed: memory stays bounded however many there are.
private struct ImageFiles: SampleSource {
  let paths: [String]
  var count: Int { paths.count }
  func sample(at index: Int) throws -> EncodedSample { try EncodedSample(imageFile: paths[index]) }
}
