import Compute
import Datasets
import Foundation
import Training

/// What `trainer predict` prints.
public struct PredictionReport {
  private let images: [(file: String, classes: [Prediction])]

  init(_ images: [(file: String, classes: [Prediction])]) { self.images = images }

  /// A line for each image.
  public var text: String {
    images.map { image in
      let classes = image.classes.map { "\($0.name) \(StatusLine.number($0.probability * 100, decimals: 1)) %" }
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
/// - Parameter path: a checkpoint, or a run's folder.
public func predictImages(_ files: [String], checkpoint path: String, top: Int, threads: Int) throws(Failure)
  -> PredictionReport
{
  try failing {
    let trained = try TrainedModel(path: path)
    let evaluator = Evaluator(trained, batch: min(16, max(1, files.count)), pool: ThreadPool(threads: threads))
    let line = StatusLine()
    var images: [(file: String, classes: [Prediction])] = []
    // A batch at a time: memory stays bounded however many files there are.
    for start in stride(from: 0, to: files.count, by: evaluator.batch) {
      let part = files[start..<min(files.count, start + evaluator.batch)]
      let pictures = try part.map { try EncodedSample(imageFile: $0) }
      for (file, classes) in zip(part, try evaluator.predict(pictures)) {
        images.append((file, Array(classes.prefix(top))))
      }
      if files.count > evaluator.batch {
        line.progress("\(images.count) of \(files.count) images", isLast: images.count == files.count)
      }
    }
    return PredictionReport(images)
  }
}
