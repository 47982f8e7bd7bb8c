import Compute
import Datasets
import Foundation
import Lockstep
import Models
import Testing

@testable import Training

@Suite struct EvaluatorTests {
  private let fixture: Fixture
  private let directory: TemporaryDirectory
  private let trained: TrainedModel

  init() throws {
    fixture = try Fixture()
    directory = try TemporaryDirectory()
    let path = directory.file("weights.safetensors")
    let metadata = CheckpointMetadata(
      configuration: fixture.configuration, classNames: fixture.classNames, runID: fixture.runID, step: 0)
    try Checkpoint.writeParameters(
      StateSnapshot(initialStateOf: fixture.model, seed: 1), of: fixture.model, metadata: metadata, to: path)
    trained = try TrainedModel(path: path)
  }

  private func evaluator(batch: Int, threads: Int = 1, shorterSide: Int? = nil) -> Evaluator {
    let preprocessing = Preprocessing(
      imageSize: 32, normalization: .imagenet, augmentation: .none, seed: 0, shorterSide: shorterSide)
    return Evaluator(trained, preprocessing: preprocessing, batch: batch, pool: ThreadPool(threads: threads))
  }

  private func synthetic(classes: Int = 10) throws -> any Dataset {
    try DatasetCatalog.open(
      "synthetic:samples=45,size=32,classes=\(classes),seed=1", role: .validation, imageSize: 32)
  }

  /// The reference computes one picture at a time and counts with sorting.
  @Test func metricsAreThoseOfSinglePictures() throws {
    let dataset = try synthetic()
    let evaluator = evaluator(batch: 8)
    var seen: [Int] = []
    let result = try evaluator.evaluate(dataset) { done, total in
      seen.append(done)
      #expect(total == dataset.count)
    }
    let metrics = result.metrics
    #expect(seen.last == dataset.count && seen.count == (dataset.count + 7) / 8)
    #expect(metrics.samples == dataset.count)

    var (loss, top1, top5) = (0.0, 0, 0)
    var confusion = [[Int]](repeating: Array(repeating: 0, count: 10), count: 10)
    for index in 0..<dataset.count {
      let sample = try dataset.sample(at: index)
      let classes = try evaluator.predict(Pictures([sample]))[0]
      confusion[sample.label][classes[0].index] += 1
      let place = try #require(classes.firstIndex { $0.index == sample.label })
      loss -= log(classes[place].probability)
      top1 += place < 1 ? 1 : 0
      top5 += place < 5 ? 1 : 0
    }
    #expect(abs(metrics.loss - loss / Double(dataset.count)) < 1e-6)
    #expect(metrics.top1 == Double(top1) / Double(dataset.count))
    #expect(metrics.top5 == Double(top5) / Double(dataset.count))
    for (label, row) in confusion.enumerated() {
      #expect(row.indices.map { result.confusion[label, $0] } == row)
      #expect(result.confusion.samples[label] == row.reduce(0, +))
    }
    #expect(result.confusion.undecided == 0)
  }

  @Test func theResultIsThatOfARunsValidation() throws {
    let dataset = try synthetic()
    let plan = LeafPlan(sampleCount: dataset.count, microbatch: 4)
    let preprocessing = Preprocessing(imageSize: 32, normalization: .imagenet, augmentation: .standard, seed: 0)
    let replica = Replica(model: fixture.model, configuration: fixture.configuration, pool: ThreadPool(threads: 2))
    replica.load(parameters: trained.state.parameters, buffers: trained.state.buffers, for: .evaluation)
    var sum = TreeSum<[Double]>(plan.tree) { zip($0, $1).map { $0 + $1 } }
    for leaf in (0..<plan.leafCount).reversed() {
      var images = [Float](repeating: 0, count: plan.positions(ofLeaf: leaf).count * 3072)
      var labels: [Int32] = []
      for index in plan.positions(ofLeaf: leaf) {
        let sample = try dataset.sample(at: index), row = labels.count
        try images.withUnsafeMutableBufferPointer { target throws(DatasetError) in
          guard let target = target.baseAddress else { return }
          try preprocessing.write(sample, index: index, epoch: 3, purpose: .evaluation, into: target + 3072 * row)
        }
        labels.append(Int32(sample.label))
      }
      images.withUnsafeBufferPointer { images in
        guard let images = images.baseAddress else { return }
        replica.evaluate(images: images, labels: labels)
      }
      sum.insert(Array(replica.statistics.prefix(StatisticsLayout.evaluationCount)), at: Subtree(leaf: leaf))
    }
    let root = try #require(sum.root)
    let cluster = root.withUnsafeBufferPointer { EvaluationMetrics(statistics: $0, model: fixture.model) }
    #expect(try evaluator(batch: 4).evaluate(dataset, loaderThreads: 2).metrics == cluster)
  }

  @Test func dataOfAnotherClassCountAreRefused() throws {
    let evaluator = evaluator(batch: 4)
    let dataset = try synthetic(classes: 7)
    let error = #expect(throws: CheckpointError.self) { try evaluator.evaluate(dataset) }
    #expect(error?.exitCode == 78)
  }

  @Test func predictionsAreSortedAndAddUpToOne() throws {
    let evaluator = evaluator(batch: 2)
    let dataset = try synthetic()
    let predictions = try evaluator.predict(Pictures((0..<3).map { try dataset.sample(at: $0) }))
    #expect(predictions.count == 3)
    for classes in predictions {
      #expect(classes.map(\.probability) == classes.map(\.probability).sorted(by: >))
      #expect(Set(classes.map(\.index)) == Set(0..<10))
      #expect(abs(classes.map(\.probability).reduce(0, +) - 1) < 1e-12)
      #expect(classes.allSatisfy { $0.name == fixture.classNames[$0.index] })
    }
    let broken = EncodedSample(bytes: Array("no picture".utf8), label: 0, encoding: .imageFile, name: "a.jpg")
    let error = #expect(throws: DatasetError.self) { try evaluator.predict(Pictures([broken])) }
    #expect(error?.exitCode == 65)
  }

  @Test func onlyTheFirstClassesWhereOnlyTheyAreWanted() throws {
    let pictures = Pictures([try synthetic().sample(at: 4)])
    let all = try evaluator(batch: 1).predict(pictures)[0]
    #expect(try evaluator(batch: 1).predict(pictures, top: 3)[0] == Array(all.prefix(3)))
    #expect(try evaluator(batch: 1).predict(pictures, top: 30)[0] == all)
  }

  /// softmax([1, 2, 3]) from its definition, in long hand.
  @Test func softmaxOfThree() {
    let expected = [0.09003057317038046, 0.24472847105479764, 0.6652409557748219]
    for shift in [Float(0), 1000, -1000] {
      for (a, b) in zip(softmaxProbabilities([1 + shift, 2 + shift, 3 + shift]), expected) {
        #expect(abs(a - b) < 1e-15)
      }
    }
  }
}

/// Pictures in memory.
struct Pictures: SampleSource {
  let samples: [EncodedSample]
  init(_ samples: [EncodedSample]) { self.samples = samples }
  var count: Int { samples.count }
  func sample(at index: Int) throws -> EncodedSample { samples[index] }
}
