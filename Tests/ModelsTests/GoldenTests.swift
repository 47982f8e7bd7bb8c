import Compute
import Foundation
import Lockstep
import Models
import Testing

/// Numbers of a network in PyTorch, computed in Float64 from parameters and images that a formula defines.
///
/// Made with torchvision 0.28 (googlenet, inception-v3) and equivalent `torch.nn` modules (googlenet-seed,
/// googlenet-paper): parameters and images from `stream`, dropout off, loss = main + w · (auxiliary losses) with the
/// model's own weight and label smoothing, mean over the batch; evaluation in `model.eval()`, its loss without smoothing.
struct Golden: Decodable, CustomTestStringConvertible, Sendable {
  let model: String
  let imageSize: Int
  let batch: Int
  let classes: Int
  /// The first five of each sample.
  let firstLogits: [[Float]]
  let logitLengths: [Double]
  let argmax: [Int]
  let evaluationLoss: Double
  let labelSmoothing: Double
  let auxWeight: Double
  /// Main, then auxiliary heads, unweighted.
  let losses: [Double]
  let totalLoss: Double
  let gradientLength: Double
  let gradientLengths: [String: Double]
  /// The first five elements of some gradients.
  let firstGradients: [String: [Double]]
  /// The first three of some running means and variances after one step forward.
  let runningStatistics: [String: [Double]]
  /// The main loss after one step of gradient descent.
  let lossAfterOneStep: Double

  var testDescription: String { "\(model) at \(imageSize) pixels" }

  static let all: [Golden] = {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/golden.json")
    do { return try JSONDecoder().decode([Golden].self, from: Data(contentsOf: file)) } catch { fatalError("\(error)") }
  }()

  /// Largest relative errors of the losses, of the loss after a step, and of the lengths of gradients; and of single
  /// elements of a gradient against their usual size.
  ///
  /// PyTorch's own Float32 has up to 1.7e-6, 4e-3, 1.1e-3 and 2.5e-2. The loss after a step and single elements depend on
  /// the ReLUs that rounding flips; the losses of small images on the last batch norms, which see 16 values a channel, or
  /// 4 in the head of inception-v3, and to which Winograd's method adds its rounding. In inception-v3, noise of 1e-6 in
  /// every convolution's output changes PyTorch's Float64 by 2.6e-5, 6.7e-3, a gradient by 4.8e-2 and elements by 5.5e-2.
  var tolerances: (loss: Double, lossAfterOneStep: Double, gradients: Double, elements: Double) {
    switch (model, imageSize) {
    case ("googlenet-seed", _): (2e-6, 1e-3, 3e-3, 5e-2)
    case ("googlenet", 64): (4e-6, 8e-3, 3e-3, 5e-2)
    case ("googlenet", _): (2e-6, 4e-3, 3e-3, 5e-2)
    case ("googlenet-paper", _): (1e-6, 1e-3, 1e-3, 1e-2)
    default: (1e-5, 2e-2, 3e-3, 1e-1)
    }
  }
}

@Suite struct GoldenTests {
  @Test func theFormulaIsTheGoldenValues() {
    #expect(stream("input", 2).map { Float($0) } == [-0.8043633699417114, 0.30472075939178467])
    let weights = stream("stem.0.weight", 2).map { Float($0 * (6.0 / 27).squareRoot()) }
    #expect(weights == [0.2735908031463623, -0.16850422322750092])
  }

  @Test func everyModelHasGoldenValues() {
    #expect(Set(Golden.all.map(\.model)) == Set(ModelCatalog.all.map(\.name)))
    #expect(Golden.all.count == 5)
  }

  @Test(arguments: Golden.all)
  func evaluationIsPyTorchs(golden: Golden) throws {
    let model = try model(golden.model, classes: golden.classes, imageSize: golden.imageSize)
    let executor = Executor(model: model, mode: .evaluation, maxBatch: golden.batch, pool: ThreadPool(threads: 2))
    let (parameters, buffers) = formulaState(model)
    executor.load(parameters: parameters, buffers: buffers)
    let (images, labels) = formulaBatch(model, golden.batch)

    let logits = executor.logits(images, golden.batch)
    for (row, expectations) in zip(logits, golden.firstLogits) {
      for (logit, expected) in zip(row, expectations) { #expect(abs(logit - expected) < 2e-5) }
    }
    for (row, expected) in zip(logits, golden.logitLengths) { #expect(relativeError(length(row), expected) < 1e-6) }
    #expect(logits.map { row in row.indices.max { row[$0] < row[$1] } } == golden.argmax)

    var statistics = [Double](repeating: .nan, count: StatisticsLayout.evaluationCount)
    labels.withUnsafeBufferPointer { executor.evaluationStep(images: images, labels: $0, statistics: &statistics) }
    #expect(statistics[0] == Double(golden.batch) && statistics[2] == 0 && statistics[3] == 0)
    #expect(relativeError(statistics[1] / Double(golden.batch), golden.evaluationLoss) < 1e-6)
    let right = zip(golden.argmax, labels).filter { $0 == Int($1) }.count
    #expect(statistics[4] == Double(right))
  }

  @Test(arguments: Golden.all)
  func trainingIsPyTorchs(golden: Golden) throws {
    let model = try model(golden.model, classes: golden.classes, imageSize: golden.imageSize)
    #expect(model.definition.auxiliaryWeight == golden.auxWeight)
    #expect(model.definition.labelSmoothing == golden.labelSmoothing)
    var settings = plain
    (settings.auxWeight, settings.labelSmoothing) = (golden.auxWeight, golden.labelSmoothing)
    let executor = Executor(model: model, mode: .training, maxBatch: golden.batch, pool: ThreadPool(threads: 2))
    var (parameters, buffers) = formulaState(model)
    executor.load(parameters: parameters, buffers: buffers)
    let (images, labels) = formulaBatch(model, golden.batch)
    let samples = Double(golden.batch), tolerances = golden.tolerances
    let result = executor.step(images, labels, settings: settings)

    let layout = model.statistics
    #expect(result.statistics[layout.sampleCount] == samples)
    for (index, expected) in zip([layout.mainLoss] + layout.auxLosses, golden.losses) {
      #expect(relativeError(result.statistics[index] / samples, expected) < tolerances.loss)
    }
    let total = result.loss(model, auxWeight: golden.auxWeight) / samples
    #expect(relativeError(total, golden.totalLoss) < tolerances.loss)
    #expect(relativeError(length(result.gradient) / samples, golden.gradientLength) < tolerances.gradients)
    for (key, expected) in golden.gradientLengths {
      let length = length(result.gradient(model, key)) / samples
      #expect(relativeError(length, expected) < tolerances.gradients, "\(key)")
    }
    for (key, expectations) in golden.firstGradients {
      let gradient = result.gradient(model, key)
      let size = length(gradient) / Double(gradient.count).squareRoot()
      for (value, expected) in zip(gradient, expectations) {
        #expect(abs(Double(value) - samples * expected) < tolerances.elements * size, "\(key)")
      }
    }
    checkRunningStatistics(golden, model, result, buffers)

    // One step of gradient descent, learning rate 0.01, weight decay 1e-4 on everything.
    for index in parameters.indices {
      parameters[index] -= 0.01 * (result.gradient[index] / Float(samples) + 1e-4 * parameters[index])
    }
    executor.load(parameters: parameters, buffers: buffers)
    let after = executor.step(images, labels, settings: settings).statistics[layout.mainLoss] / samples
    #expect(relativeError(after, golden.lossAfterOneStep) < tolerances.lossAfterOneStep)
  }

  private func checkRunningStatistics(_ golden: Golden, _ model: Model, _ result: LeafResult, _ buffers: [Float]) {
    for (key, expectations) in golden.runningStatistics {
      let isMean = key.hasSuffix(".running_mean")
      guard let index = model.batchNorms.firstIndex(where: { key.hasPrefix($0.prefix + ".running_") }) else {
        Issue.record("no batch norm has \(key)")
        continue
      }
      let entry = model.batchNorms[index], layout = model.statistics
      let sums = isMean ? layout.means(ofBatchNorm: index) : layout.variances(ofBatchNorm: index)
      let offset = isMean ? entry.meanOffset : entry.varianceOffset
      for (channel, expected) in expectations.enumerated() {
        let new = result.statistics[sums.lowerBound + channel] / Double(golden.batch)
        let running = 0.9 * Double(buffers[offset + channel]) + 0.1 * new
        #expect(abs(running - expected) < (isMean ? 1e-7 : 1e-6))
      }
    }
  }
}
