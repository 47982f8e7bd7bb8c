import Foundation
import Lockstep
import Testing

@testable import Roles

/// The files of `cluster/recipes`, resolved for drawn pictures and a narrow network.
@Suite struct RecipeTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("cluster/recipes").path

  private func resolved(_ name: String) throws -> RunConfiguration {
    var flags = RunOptions()
    for (key, value) in [
      "data": "synthetic:samples=3200,classes=10", "validation": "synthetic:samples=9,classes=10", "width": "0.1",
      "output": NSTemporaryDirectory() + "recipe-" + UUID().uuidString,
    ] {
      flags.set(key, value)
    }
    let options = flags.over(try RunOptions.fromFile(Self.folder + "/\(name).json"))
    let text = try RunStart(options: options, resume: nil).describe()
    let configuration = try JSONDecoder().decode(RunConfiguration.self, from: Data(text.utf8))
    try configuration.validate()
    return configuration
  }

  @Test func everyRecipeIsTested() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder).filter { $0.hasSuffix(".json") }
    #expect(files.sorted() == ["cifar10.json", "googlenet-paper.json", "googlenet.json", "inception-v3.json"])
    let text = try String(contentsOfFile: Self.folder + "/README.md", encoding: .utf8)
    for file in files { #expect(text.contains("`\(file)`"), "\(file)") }
  }

  /// BVLC/caffe, models/bvlc_googlenet/quick_solver.prototxt.
  @Test func theQuickSolver() throws {
    let c = try resolved("googlenet-paper")
    #expect(c.model == "googlenet-paper" && c.imageSize == 224 && c.steps == 2_400_000 && c.globalBatch == 32)
    #expect(c.optimizer == .sgd && c.learningRate == 0.01 && c.momentum == 0.9 && c.weightDecay == 2e-4)
    #expect(c.decay == .caffe && c.schedule == .polynomial && c.schedulePower == 0.5 && c.auxWeight == 0.3)
    #expect(c.labelSmoothing == 0 && c.warmupSteps == 0 && c.clipNorm == nil && c.average == .none && c.dropout)
  }

  /// pytorch/vision, references/classification: lr 0.1, step 30, gamma 0.1, 90 epochs, 8 × 32 images, weight decay 1e-4.
  @Test func torchvisionsReference() throws {
    let c = try resolved("googlenet")
    #expect(c.model == "googlenet" && c.imageSize == 224 && c.globalBatch == 256 && c.microbatch == 32)
    let stepsPerEpoch = 13  // ⌈3200 / 256⌉
    #expect(c.steps == 90 * stepsPerEpoch && c.schedule == .step && c.scheduleStepSize == 30 * stepsPerEpoch)
    #expect(c.scheduleGamma == 0.1 && c.learningRate == 0.1 && c.momentum == 0.9 && c.weightDecay == 1e-4)
    #expect(c.optimizer == .sgd && c.decay == .all && c.auxWeight == 0.3 && c.augment == .standard && !c.nesterov)
  }

  /// Szegedy et al. 2015, section 8.
  @Test func thePapersInceptionV3() throws {
    let c = try resolved("inception-v3")
    #expect(c.model == "inception-v3" && c.imageSize == 299 && c.globalBatch == 1600 && c.microbatch == 32)
    #expect(c.steps == 100 * 2 && c.schedule == .step && c.scheduleStepSize == 2 * 2 && c.scheduleGamma == 0.94)
    #expect(c.optimizer == .rmspropTensorFlow && c.rmspropDecay == 0.9 && c.epsilon == 1 && c.momentum == 0.9)
    #expect(c.learningRate == 0.045 && c.weightDecay == 4e-5 && c.decay == .noBatchNormOrBias && c.clipNorm == 2)
    #expect(c.average == .ema && c.averageDecay == 0.9999 && c.labelSmoothing == 0.1 && c.auxWeight == 0.4)
  }

  /// kuangliu/pytorch-cifar.
  @Test func kuangliusCIFAR() throws {
    let c = try resolved("cifar10")
    #expect(c.model == "googlenet-seed" && c.imageSize == 32 && c.globalBatch == 128 && c.normalization == .cifar)
    #expect(c.steps == 200 * 25 && c.schedule == .cosine && c.learningRate == 0.1 && c.momentum == 0.9)
    #expect(c.weightDecay == 5e-4 && c.auxWeight == 0 && c.augment == .standard)
  }

  /// A run's own configuration says the length in steps, whatever it was given in.
  @Test func aLengthInEpochsIsOneInSteps() throws {
    let folder = try TemporaryFolder()
    var flags = RunOptions()
    for (key, value) in [
      "data": "synthetic:samples=100,size=32,classes=10", "width": "0.1", "schedule": "step",
      "schedule-step-epochs": "1.5", "warmup-epochs": "0.25", "output": folder("new"), "global-batch": "8",
    ] {
      flags.set(key, value)
    }
    func resolve(_ options: RunOptions) throws -> RunConfiguration {
      try JSONDecoder().decode(
        RunConfiguration.self, from: Data(try RunStart(options: options, resume: nil).describe().utf8))
    }
    // 13 steps an epoch: 19.5 and 3.25 of them.
    let configuration = try resolve(flags)
    #expect(configuration.scheduleStepSize == 20 && configuration.warmupSteps == 3)
    var other = RunOptions()
    other.set("schedule-step-size", 7)
    #expect(try resolve(other.over(flags)).scheduleStepSize == 7)
    var short = RunOptions()
    short.set("schedule-step-epochs", 0.001)
    expectFailure(.usage, saying: "--schedule-step-epochs", "0.001", "13 steps") { () throws(Failure) in
      try RunStart(options: short.over(flags), resume: nil).describe()
    }
    other.set("warmup-epochs", -1)
    expectFailure(.usage, saying: "--warmup-epochs") { () throws(Failure) in
      try RunStart(options: other.over(flags), resume: nil).describe()
    }
  }
}
