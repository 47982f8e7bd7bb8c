import Datasets
import Foundation
import Models
import Testing
import Training

@testable import Roles

/// `evaluate` and `predict` from their files to what they print.
@Suite struct LocalEvaluationTests {
  private let folder: TemporaryFolder
  private let checkpoint: String

  init() throws {
    folder = try TemporaryFolder()
    checkpoint = folder("model.safetensors")
    let model = try Model(ModelCatalog.definition(named: "googlenet-seed"), classes: 3, imageSize: 32, width: 0.1)
    try Checkpoint.writeParameters(
      StateSnapshot(initialStateOf: model, seed: 0), of: model, metadata: CheckpointMetadata(initialStateOf: model),
      to: checkpoint)
  }

  private struct Evaluated: Decodable {
    struct Class: Decodable { let name: String }
    let loss: Double, samples: Int, top1: Double, confusion: [[Int]], classes: [Class]
  }

  private func evaluate(_ pictures: PictureOptions) throws -> Evaluated {
    let report = try evaluateCheckpoint(
      checkpoint, model: nil, data: "synthetic:samples=7,size=40,classes=3", pictures: pictures, batch: 4, threads: 1)
    return try JSONDecoder().decode(Evaluated.self, from: Data(report.json.utf8))
  }

  /// How pictures are shown matters; the totals and the table agree.
  @Test func evaluation() throws {
    var losses: Set<Double> = []
    for pictures in [
      try PictureOptions(), try PictureOptions(crops: "10"), try PictureOptions(crops: "144"),
      try PictureOptions(normalization: "half"), try PictureOptions(resize: 33),
    ] {
      let result = try evaluate(pictures)
      losses.insert(result.loss)
      #expect(result.samples == 7 && result.confusion.joined().reduce(0, +) == 7 && result.classes.count == 3)
      let right = (0..<3).reduce(0) { $0 + result.confusion[$1][$1] }
      #expect(result.top1 == Double(right) / 7)
    }
    // Synthetic pictures' own normalization is ImageNet's; with `transform_input` it is nearly (x - 0.5) / 0.5.
    #expect(losses.count == 5)
    let half = try evaluate(try PictureOptions(normalization: "half")).loss
    #expect(abs(try evaluate(try PictureOptions(transformInput: true)).loss - half) < 1e-5)
  }

  @Test func predictionsHaveTheNamesThatWereGiven() throws {
    try synthesizeDataset(into: folder("set"))
    let files = ["b", "a"].map { folder("set/\($0).png") }
    let labels = try folder.write("one\ntwo\nthree\n", to: "labels.txt")
    struct Predicted: Decodable {
      struct Image: Decodable {
        struct Class: Decodable { let name: String, probability: Double }
        let file: String, classes: [Class]
      }
      let images: [Image]
    }
    func predict(_ labels: String?, top: Int, crops: String) throws -> [Predicted.Image] {
      let report = try predictImages(
        files, checkpoint: checkpoint, model: nil, labels: labels, top: top, pictures: PictureOptions(crops: crops),
        threads: 1)
      return try JSONDecoder().decode(Predicted.self, from: Data(report.json.utf8)).images
    }
    for crops in ["center", "10"] {
      let images = try predict(labels, top: 3, crops: crops)
      #expect(images.map(\.file) == files)
      for (image, other) in zip(images, try predict(nil, top: 1, crops: crops)) {
        #expect(Set(image.classes.map(\.name)) == ["one", "two", "three"])
        #expect(abs(image.classes.reduce(0) { $0 + $1.probability } - 1) < 1e-12)
        // Without names classes have numbers.
        #expect(other.classes.count == 1 && other.classes[0].probability == image.classes[0].probability)
        let number = try #require(Int(other.classes[0].name))
        #expect(["one", "two", "three"][number] == image.classes[0].name)
      }
    }
    let wrong = try folder.write("one\ntwo\n", to: "wrong.txt")
    expectFailure(.mismatch, saying: "wrong.txt") { () throws(Failure) in
      try predictImages(
        files, checkpoint: checkpoint, model: nil, labels: wrong, top: 1, pictures: PictureOptions(), threads: 1)
    }
    expectFailure(.badData, saying: "none.png") { () throws(Failure) in
      try predictImages(
        [folder("none.png")], checkpoint: checkpoint, model: nil, labels: nil, top: 1, pictures: PictureOptions(),
        threads: 1)
    }
  }

  /// Two small pictures: a PNG file of 2 × 1 and one of 1 × 2 pixels.
  private func synthesizeDataset(into path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (name, text) in [("a", Self.wide), ("b", Self.high)] {
      let data = try #require(Data(base64Encoded: text))
      try data.write(to: URL(fileURLWithPath: "\(path)/\(name).png"))
    }
  }

  // Image.frombytes("RGB", (2, 1), bytes([255, 0, 0, 0, 0, 255])).save("a.png"), and (1, 2), 0, 255, 0, 9, 9, 9
  private static let wide =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGP4z8DAwPAfAAcAAf9+CLHQAAAAAElFTkSuQmCC"
  private static let high =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAACCAIAAAAW4yFwAAAAEElEQVR4nGNg+M/AwMnJCQAGOAEbIL056AAAAABJRU5ErkJggg=="
}
