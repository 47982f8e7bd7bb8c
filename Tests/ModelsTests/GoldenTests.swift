import Compute
import Lockstep
import Models
import Testing

/// Numbers of a network in PyTorch, computed in Float64 from parameters and images that a formula defines.
///
/// Made with torchvision 0.28 (googlenet) and an equivalent `torch.nn` module (googlenet-seed): parameters and images from
/// `stream`, dropout off, loss = main + 0.3·(aux1 + aux2), mean over the batch; eval logits in `model.eval()`.
struct Golden: CustomTestStringConvertible, Sendable {
  let model: String
  let imageSize: Int
  let batch: Int
  let firstLogits: [Float]
  let logitLengths: [Double]
  let argmax: [Int]
  let evaluationLoss: Double
  let losses: [Double]
  let gradientLength: Double
  let gradientLengths: [(key: String, length: Double)]
  let runningMean: [Double]
  let runningVariance: [Double]
  let lossAfterOneStep: Double
  /// Twice the relative error that PyTorch's Float32 has in the loss after a step, where rounding flips some ReLUs.
  let stepTolerance: Double
  /// PyTorch's Float32 is within 7e-7. At 64 pixels the last batch norms see 16 values a channel, and amplify the rounding
  /// of Winograd's method: 2.9e-6 was seen there, and at most 1.3e-6 elsewhere.
  let lossTolerance: Double

  var testDescription: String { "\(model) at \(imageSize) pixels" }

  static let all = [
    Golden(
      model: "googlenet-seed", imageSize: 32, batch: 4,
      firstLogits: [-2.81368021, 2.72271589, 7.7133372, 5.65495849, -0.197466864],
      logitLengths: [139.258205, 138.258691, 137.478313, 138.977695], argmax: [324, 324, 324, 324],
      evaluationLoss: 15.755054, losses: [7.21679317, 7.45774894, 6.96834664], gradientLength: 77.217332,
      gradientLengths: [
        ("stem.0.weight", 14.5963771), ("im3.block3.3.weight", 3.04747353), ("im6.block1.0.weight", 2.44047454),
        ("aux1.fc1.weight", 4.96959214), ("fc.weight", 13.8087847), ("fc.bias", 0.499902066),
      ],
      runningMean: [0.0310906888, -0.0169407251, 0.0481862205],
      runningVariance: [0.546276639, 0.552752311, 0.805281251], lossAfterOneStep: 4.52228255,
      stepTolerance: 1e-3, lossTolerance: 2e-6),
    Golden(
      model: "googlenet", imageSize: 64, batch: 4,
      firstLogits: [-7.3121648, -6.67867375, -2.78524544, -1.47092663, 4.25006017],
      logitLengths: [160.371849, 165.585766, 163.353964, 162.440993], argmax: [856, 856, 119, 856],
      evaluationLoss: 19.479588, losses: [7.3051043, 7.31557889, 7.75792548], gradientLength: 366.562136,
      gradientLengths: [
        ("conv1.conv.weight", 206.490078), ("conv1.bn.weight", 13.7397858),
        ("inception4a.branch2.1.conv.weight", 42.7340304), ("inception4d.branch3.1.conv.weight", 4.9675939),
        ("aux1.fc1.weight", 4.81752682), ("fc.weight", 8.40998065),
      ],
      runningMean: [-0.0259228141, 0.0556862325, -0.0773565096],
      runningVariance: [0.585577302, 1.0410894, 0.581563835], lossAfterOneStep: 7.12152188,
      stepTolerance: 8e-3, lossTolerance: 4e-6),
    Golden(
      model: "googlenet", imageSize: 224, batch: 2,
      firstLogits: [-8.96100542, -3.89192598, -3.54046476, -0.776088418, 4.30658035],
      logitLengths: [198.598892, 201.901013], argmax: [261, 261],
      evaluationLoss: 23.7412252, losses: [6.85472845, 7.06497313, 7.70043041], gradientLength: 125.103175,
      gradientLengths: [
        ("conv1.conv.weight", 72.6350216), ("conv1.bn.weight", 5.38846189),
        ("inception4a.branch2.1.conv.weight", 13.0817473), ("inception4d.branch3.1.conv.weight", 1.44597831),
        ("aux1.fc1.weight", 6.95347063), ("fc.weight", 9.31377959),
      ],
      runningMean: [-0.0263598865, 0.0568699282, -0.0800327954],
      runningVariance: [0.588404946, 1.04292526, 0.583363457], lossAfterOneStep: 5.75665339,
      stepTolerance: 4e-3, lossTolerance: 2e-6),
  ]
}

@Suite struct GoldenTests {
  @Test func theFormulaIsTheGoldenValues() {
    #expect(stream("input", 2).map { Float($0) } == [-0.8043633699417114, 0.30472075939178467])
    let weights = stream("stem.0.weight", 2).map { Float($0 * (6.0 / 27).squareRoot()) }
    #expect(weights == [0.2735908031463623, -0.16850422322750092])
  }

  @Test(arguments: Golden.all)
  func evaluationIsPyTorchs(golden: Golden) throws {
    let model = try model(golden.model, imageSize: golden.imageSize)
    let executor = Executor(model: model, mode: .evaluation, maxBatch: golden.batch, pool: ThreadPool(threads: 2))
    let (parameters, buffers) = formulaState(model)
    executor.load(parameters: parameters, buffers: buffers)
    let (images, labels) = formulaBatch(model, golden.batch)

    let logits = executor.logits(images, golden.batch)
    for (logit, expected) in zip(logits[0], golden.firstLogits) { #expect(abs(logit - expected) < 2e-5) }
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
    let model = try model(golden.model, imageSize: golden.imageSize)
    let executor = Executor(model: model, mode: .training, maxBatch: golden.batch, pool: ThreadPool(threads: 2))
    var (parameters, buffers) = formulaState(model)
    executor.load(parameters: parameters, buffers: buffers)
    let (images, labels) = formulaBatch(model, golden.batch)
    let samples = Double(golden.batch)
    let result = executor.step(images, labels)

    let layout = model.statistics
    #expect(result.statistics[layout.sampleCount] == samples)
    for (index, expected) in zip([layout.mainLoss] + layout.auxLosses, golden.losses) {
      #expect(relativeError(result.statistics[index] / samples, expected) < golden.lossTolerance)
    }
    #expect(relativeError(length(result.gradient) / samples, golden.gradientLength) < 3e-3)
    for (key, expected) in golden.gradientLengths {
      #expect(relativeError(length(result.gradient(model, key)) / samples, expected) < 3e-3, "\(key)")
    }

    // The first batch norm's running statistics after one forward pass.
    let means = layout.means(ofBatchNorm: 0).lowerBound, variances = layout.variances(ofBatchNorm: 0).lowerBound
    let batchNorm = model.batchNorms[0]
    for channel in 0..<3 {
      let mean = result.statistics[means + channel] / samples
      let variance = result.statistics[variances + channel] / samples
      let runningMean = 0.9 * Double(buffers[batchNorm.meanOffset + channel]) + 0.1 * mean
      let runningVariance = 0.9 * Double(buffers[batchNorm.varianceOffset + channel]) + 0.1 * variance
      #expect(abs(runningMean - golden.runningMean[channel]) < 1e-7)
      #expect(abs(runningVariance - golden.runningVariance[channel]) < 1e-6)
    }

    // One step of gradient descent, learning rate 0.01, weight decay 1e-4 on everything.
    for index in parameters.indices {
      parameters[index] -= 0.01 * (result.gradient[index] / Float(samples) + 1e-4 * parameters[index])
    }
    executor.load(parameters: parameters, buffers: buffers)
    let after = executor.step(images, labels)
    #expect(relativeError(after.statistics[layout.mainLoss] / samples, golden.lossAfterOneStep) < golden.stepTolerance)
  }
}
