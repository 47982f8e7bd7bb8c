import Datasets
import Lockstep
import Models
import Testing
import Training

@testable import Roles

@Suite struct PictureOptionsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A narrow network for pictures of 64 pixels, as a file says it.
  private func trained(
    normalization: PixelNormalization? = nil, transformsInput: Bool = false, imageSize: Int? = nil
  ) throws -> TrainedModel {
    let model = try Model(ModelCatalog.definition(named: "googlenet"), classes: 3, imageSize: 64, width: 0.1)
    var metadata = CheckpointMetadata(initialStateOf: model)
    (metadata.normalization, metadata.transformsInput) = (normalization, transformsInput)
    let path = folder("model.safetensors")
    try Checkpoint.writeParameters(
      StateSnapshot(initialStateOf: model, seed: 0), of: model, metadata: metadata, to: path)
    return try TrainedModel(path: path, imageSize: imageSize)
  }

  private func preprocessing(
    _ options: PictureOptions, _ trained: TrainedModel, usual: PixelNormalization = .cifar
  ) throws(Failure) -> (result: Preprocessing, said: [String]) {
    var said: [String] = []
    let result = try options.preprocessing(for: trained, usual: usual) { said.append($0) }
    return (result, said)
  }

  @Test func theFileDecidesUnlessTheCommandLineDoes() throws {
    let plain = try preprocessing(PictureOptions(), trained(normalization: .half))
    #expect(plain.result.normalization == .half && plain.result.imageSize == 64 && plain.result.shorterSide == nil)
    #expect(plain.said.isEmpty)
    let options = try PictureOptions(crops: "10", imageSize: 96, normalization: "none", resize: 100)
    let other = try preprocessing(options, trained(normalization: .half, imageSize: options.imageSize))
    #expect(other.result.normalization == .none && other.result.imageSize == 96 && other.result.shorterSide == 100)
    #expect(options.crops == .ten)
  }

  @Test func whatIsAssumedIsSaid() throws {
    let assumed = try preprocessing(PictureOptions(), trained())
    #expect(assumed.result.normalization == .cifar && assumed.said.count == 1 && assumed.said[0].contains("cifar"))
    let given = try preprocessing(PictureOptions(normalization: "imagenet"), trained())
    #expect(given.result.normalization == .imagenet && given.said.isEmpty)
  }

  /// What a white and a black picture become tells whether `transform_input` was honoured: 1 and -1.
  @Test func transformInput() throws {
    func extremes(_ preprocessing: Preprocessing) throws -> [Float] {
      try [UInt8(255), 0].flatMap { grey in
        let sample = EncodedSample(
          bytes: [UInt8](repeating: grey, count: 64 * 64), label: 0, encoding: .grey, height: 64, width: 64, channels: 1
        )
        var planes = [Float](repeating: .nan, count: preprocessing.valueCount)
        try preprocessing.write(sample, index: 0, epoch: 0, purpose: .evaluation, into: &planes)
        return Set(planes).sorted()
      }
    }
    let stored = try trained(normalization: .imagenet, transformsInput: true)
    for (options, file) in [
      (try PictureOptions(), stored), (try PictureOptions(transformInput: true), try trained()),
      (try PictureOptions(transformInput: true), try trained(normalization: .imagenet)),
    ] {
      let values = try extremes(try preprocessing(options, file).result)
      for (value, expected) in zip(values.map { $0.rounded() }, [1, -1] as [Float]) where values.count == 2 {
        #expect(value == expected)
      }
      #expect(values.allSatisfy { abs(abs($0) - 1) < 1e-6 })
    }
    let without = try extremes(try preprocessing(PictureOptions(transformInput: false), stored).result)
    #expect(without.contains { abs($0) > 2 })
    for (options, file) in [
      (try PictureOptions(normalization: "half"), stored),
      (try PictureOptions(transformInput: true), try trained(normalization: .half)),
    ] {
      expectFailure(.usage, saying: "transform_input", "imagenet", "half") { () throws(Failure) in
        try preprocessing(options, file).result
      }
    }
  }

  @Test func impossibleOptionsAreRefused() throws {
    expectFailure(.usage, saying: "--crops", "12", "center, 10, 144") { () throws(Failure) in
      try PictureOptions(crops: "12")
    }
    expectFailure(.usage, saying: "--normalization", "imagnet") { () throws(Failure) in
      try PictureOptions(normalization: "imagnet")
    }
    expectFailure(.usage, saying: "--image-size") { () throws(Failure) in try PictureOptions(imageSize: 0) }
    expectFailure(.usage, saying: "--resize") { () throws(Failure) in try PictureOptions(resize: 1 << 40) }
    expectFailure(.usage, saying: "--resize", "144") { () throws(Failure) in
      try PictureOptions(crops: "144", resize: 80)
    }
    let file = try trained()
    expectFailure(.usage, saying: "--resize", "64×64", "60") { () throws(Failure) in
      try preprocessing(PictureOptions(resize: 60), file).result
    }
  }

  @Test func labelsAreAsManyAsClasses() throws {
    let path = try folder.write("tench\ncock\nhen\n", to: "labels.txt")
    #expect(try readLabels(path, classes: 3) == ["tench", "cock", "hen"])
    expectFailure(.mismatch, saying: path, "3 classes", "has 4") { () throws(Failure) in
      try readLabels(path, classes: 4)
    }
    expectFailure(.badData, saying: "none.txt") { () throws(Failure) in
      try readLabels(folder("none.txt"), classes: 3)
    }
  }
}
