import Compute
import Datasets
import Foundation
import Lockstep
import Models
import Testing

@testable import Training

/// A dataset of pictures in memory.
private struct Album: Dataset {
  let spec = "album"
  let classNames: [String]
  let samples: [EncodedSample]
  let defaultNormalization = PixelNormalization.imagenet
  let storedSize: Int? = nil
  var count: Int { samples.count }
  func name(ofSample index: Int) -> String { "\(index)" }
  func label(ofSample index: Int) -> Int { samples[index].label }
  func byteCount(ofSample index: Int) -> Int { samples[index].bytes.count }
  func sample(at index: Int) throws -> EncodedSample { samples[index] }
}

/// Several crops of a picture: probabilities against a plain reference, and what does not change them.
@Suite struct CropEvaluationTests {
  private let fixture: Fixture
  private let directory: TemporaryDirectory
  private let trained: TrainedModel
  private let album: Album

  /// Pictures of 45 × 37 noise: with a shorter side of 37 none is resized, and crops of 32 are plain.
  private static let (width, height, count) = (45, 37, 5)

  init() throws {
    fixture = try Fixture()
    directory = try TemporaryDirectory()
    let path = directory.file("weights.safetensors")
    let metadata = CheckpointMetadata(
      configuration: fixture.configuration, classNames: fixture.classNames, runID: fixture.runID, step: 0)
    try Checkpoint.writeParameters(
      StateSnapshot(initialStateOf: fixture.model, seed: 1), of: fixture.model, metadata: metadata, to: path)
    trained = try TrainedModel(path: path)
    let samples = (0..<Self.count).map { index in
      var random = AddressedRandom(seed: 2, purpose: .synthesis, index: index)
      let bytes = (0..<3 * Self.width * Self.height).map { _ in UInt8(random.integer(below: 256)) }
      return EncodedSample(
        bytes: bytes, label: 3 * index % 10, encoding: .planarRGB, height: Self.height, width: Self.width, channels: 3)
    }
    album = Album(classNames: fixture.classNames, samples: samples)
  }

  private func evaluator(batch: Int = 7, threads: Int = 1) -> Evaluator {
    let preprocessing = Preprocessing(
      imageSize: 32, normalization: .imagenet, augmentation: .none, seed: 0, shorterSide: 37)
    return Evaluator(trained, preprocessing: preprocessing, batch: batch, pool: ThreadPool(threads: threads))
  }

  /// The mean of the softmax over ten crops, one picture, one crop and one value at a time.
  private func reference(_ sample: EncodedSample) -> [Double] {
    let executor = Executor(model: fixture.model, mode: .evaluation, maxBatch: 1, pool: ThreadPool(threads: 1))
    executor.load(parameters: trained.state.parameters, buffers: trained.state.buffers)
    let mean = [0.485, 0.456, 0.406], deviation = [0.229, 0.224, 0.225]
    let (width, height) = (Self.width, Self.height)
    var result = [Double](repeating: 0, count: 10)
    // (45 - 32) / 2 = 6.5 is rounded to 6, (37 - 32) / 2 = 2.5 to 2, as Python rounds.
    for (left, upper) in [(0, 0), (13, 0), (0, 5), (13, 5), (6, 2)] {
      for isMirrored in [false, true] {
        var images = [Float](repeating: 0, count: 3 * 32 * 32)
        for channel in 0..<3 {
          for row in 0..<32 {
            for column in 0..<32 {
              let x = left + (isMirrored ? 31 - column : column), y = upper + row
              let byte = Double(sample.bytes[channel * width * height + y * width + x])
              images[1024 * channel + 32 * row + column] = Float((byte / 255 - mean[channel]) / deviation[channel])
            }
          }
        }
        var logits = [Float](repeating: 0, count: 10)
        executor.evaluate(images: images, batch: 1, logits: &logits)
        let powers = logits.map { exp(Double($0)) }
        let sum = powers.reduce(0, +)
        for index in 0..<10 { result[index] += powers[index] / sum / 10 }
      }
    }
    return result
  }

  @Test func tenCropsAreAveraged() throws {
    let result = try evaluator().evaluate(album, crops: .ten)
    var (loss, top1, top5) = (0.0, 0, 0)
    var confusion = [[Int]](repeating: Array(repeating: 0, count: 10), count: 10)
    let predictions = try evaluator().predict(album, crops: .ten)
    for (sample, prediction) in zip(album.samples, predictions) {
      let expected = reference(sample)
      for item in prediction { #expect(abs(item.probability - expected[item.index]) < 1e-9) }
      let better = expected.count { $0 > expected[sample.label] }
      loss -= log(expected[sample.label])
      top1 += better < 1 ? 1 : 0
      top5 += better < 5 ? 1 : 0
      let answer = try #require(expected.indices.max { expected[$0] < expected[$1] })
      confusion[sample.label][answer] += 1
    }
    #expect(abs(result.metrics.loss - loss / Double(Self.count)) < 1e-9)
    #expect(result.metrics.top1 == Double(top1) / Double(Self.count))
    #expect(result.metrics.top5 == Double(top5) / Double(Self.count))
    #expect(result.metrics.samples == Self.count)
    #expect((0..<10).map { row in (0..<10).map { result.confusion[row, $0] } } == confusion)
    // Several crops see something else than one.
    #expect(try evaluator().evaluate(album).metrics.loss != result.metrics.loss)
  }

  /// Neither threads nor batches, which begin and end within pictures, change a bit.
  @Test(arguments: [CropScheme.ten, .oneHundredFortyFour]) func theResultIsOneToTheLastBit(crops: CropScheme) throws {
    let album = Album(classNames: album.classNames, samples: Array(album.samples.prefix(2)))
    let expected = try evaluator().evaluate(album, crops: crops)
    for (batch, threads, loaderThreads) in [(7, 3, 1), (16, 2, 3), (1, 1, 2), (300, 1, 1)] {
      let result = try evaluator(batch: batch, threads: threads).evaluate(
        album, crops: crops, loaderThreads: loaderThreads)
      #expect(result == expected, "batches of \(batch), \(threads) and \(loaderThreads) threads")
    }
  }

  @Test func progressCountsCropsAndCanEndTheWork() throws {
    var seen: [Int] = []
    _ = try evaluator().evaluate(album, crops: .ten) { done, count in
      seen.append(done)
      #expect(count == 50)
    }
    #expect(seen == [7, 14, 21, 28, 35, 42, 49, 50])
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try evaluator().evaluate(album, crops: .oneHundredFortyFour) { done, _ in if done > 20 { throw Stop() } }
    }
  }

  @Test func aPictureThatCannotBeDecodedIsNamed() throws {
    var samples = album.samples
    samples[3].bytes = []
    let album = Album(classNames: album.classNames, samples: samples)
    #expect { _ = try evaluator().evaluate(album, crops: .ten) } throws: { ($0 as? SampleError)?.index == 3 }
    #expect(throws: DatasetError.self) { try evaluator().predict(album, crops: .ten) }
  }
}
