import Foundation
import Testing

@testable import Lockstep

@Suite struct RunConfigurationTests {
  static var plain: RunConfiguration {
    RunConfiguration(
      model: "googlenet", classes: 1000, imageSize: 224, data: "folder:/data/train", samples: 1000,
      fingerprint: Digest(high: 1, low: 2), normalization: .imagenet, steps: 100, initialState: Digest(high: 3, low: 4),
      labelSmoothing: 0, auxWeight: 0.3, output: "run")
  }

  /// Every optional key set, every number hard to print.
  static var full: RunConfiguration {
    var c = plain
    c.validation = "folder:/data/validation"
    c.validationSamples = 50
    c.validationFingerprint = Digest(high: .max, low: 0)
    c.initFrom = "weights.safetensors"
    c.seed = .max
    c.learningRate = 0.1 + 0.2
    c.weightDecay = .leastNonzeroMagnitude
    c.scheduleGamma = 1.0 / 3
    c.schedule = .polynomial
    c.decay = .noBatchNormOrBias
    (c.optimizer, c.epsilon, c.clipNorm) = (.rmspropTensorFlow, 0.0316, 1.0 / 3)
    (c.average, c.averageDecay, c.averageStart) = (.ema, 0.999, 7)
    (c.freeze, c.transformInput, c.trunkLearningRateFactor) = (["conv1", "inception3a"], true, 0.1)
    c.labels = "labels.txt"
    return c
  }

  @Test(arguments: [plain, full]) func jsonReadsBackExactly(configuration: RunConfiguration) throws {
    let data = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(RunConfiguration.self, from: data) == configuration)
  }

  /// What a run wrote before there were these keys, from its `config.json`.
  @Test func keysThatAnOldRunLacksHaveDefaults() throws {
    let later = [
      "optimizer", "rmsprop-decay", "epsilon", "lars-trust", "clip-norm", "average", "average-decay", "average-start",
      "freeze", "trunk-learning-rate-factor", "transform-input", "labels",
    ]
    let data = try JSONEncoder().encode(Self.plain)
    var object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    for key in later { object[key] = nil }
    func read() throws -> RunConfiguration {
      try JSONDecoder().decode(RunConfiguration.self, from: JSONSerialization.data(withJSONObject: object))
    }
    let configuration = try read()
    #expect(configuration == Self.plain)
    #expect(configuration.trajectoryDifferences(from: Self.plain).isEmpty)
    try configuration.validate()
    object["seed"] = nil
    #expect(throws: DecodingError.self) { try read() }
  }

  /// A key that is neither trajectory nor placement nor length, or that no configuration has any more, fails here.
  @Test func everyKeyIsClassified() {
    let keys = Set(RunConfiguration.CodingKeys.allCases.map(\.rawValue))
    #expect(keys == Set(RunConfiguration.kinds.keys))
    #expect(Set(Self.full.fragments.keys) == keys)
    #expect(Mirror(reflecting: Self.full).children.count == keys.count)
  }

  /// Keys are the command line's flags.
  @Test func keysAreFlags() {
    for key in RunConfiguration.kinds.keys {
      #expect(key.utf8.allSatisfy { (97...122).contains($0) || $0 == 45 || (48...57).contains($0) }, "\(key)")
    }
  }

  /// The canonical form of the trajectory, written out by hand for an otherwise empty difference.
  @Test func fragmentsReadBackExactly() {
    let fragments = Self.full.fragments
    #expect(fragments["seed"] == "18446744073709551615")
    #expect(fragments["learning-rate"] == "0.30000000000000004")
    #expect(fragments["weight-decay"] == "5e-324")
    #expect(fragments["nesterov"] == "false" && fragments["shuffle"] == "true")
    #expect(fragments["fingerprint"] == "00000000000000010000000000000002")
    #expect(fragments["decay"] == "no-bn-bias")
    #expect(fragments["optimizer"] == "rmsprop-tf" && fragments["freeze"] == "conv1,inception3a")
  }

  @Test func placementDoesNotChangeTheTrajectory() {
    var other = Self.plain
    other.data = "idx:/elsewhere"
    other.validation = "x"
    other.validationSamples = 9
    other.validationFingerprint = Digest(high: 0, low: 0)
    other.output = "elsewhere"
    other.checkpointEvery = 1
    other.keep = 9
    other.initFrom = "y"
    other.labels = "z"
    #expect(other.trajectoryDigest == Self.plain.trajectoryDigest)
    #expect(other.trajectoryDifferences(from: Self.plain).isEmpty)
  }

  @Test func everyTrajectoryKeyChangesIt() {
    let changes: [(String, (inout RunConfiguration) -> Void)] = [
      ("model", { $0.model = "inception_v3" }), ("classes", { $0.classes = 10 }),
      ("image-size", { $0.imageSize = 299 }),
      ("width", { $0.width = 0.5 }), ("samples", { $0.samples = 999 }),
      ("fingerprint", { $0.fingerprint = Digest(high: 1, low: 3) }), ("normalization", { $0.normalization = .half }),
      ("augment", { $0.augment = .none }), ("shuffle", { $0.shuffle = false }),
      ("global-batch", { $0.globalBatch = 64 }),
      ("microbatch", { $0.microbatch = 4 }), ("seed", { $0.seed = 1 }),
      ("initial-state", { $0.initialState = Digest(high: 3, low: 5) }),
      ("learning-rate", { $0.learningRate = 0.05.nextUp }),
      ("momentum", { $0.momentum = 0 }), ("nesterov", { $0.nesterov = true }), ("weight-decay", { $0.weightDecay = 0 }),
      ("decay", { $0.decay = .noBatchNormOrBias }), ("schedule", { $0.schedule = .step }),
      ("schedule-step-size", { $0.scheduleStepSize = 1 }), ("schedule-gamma", { $0.scheduleGamma = 0.5 }),
      ("schedule-power", { $0.schedulePower = 2 }), ("warmup-steps", { $0.warmupSteps = 5 }),
      ("label-smoothing", { $0.labelSmoothing = 0.1 }), ("aux-weight", { $0.auxWeight = 0.4 }),
      ("dropout", { $0.dropout = false }), ("transform-input", { $0.transformInput = true }),
      ("freeze", { $0.freeze = ["conv1"] }), ("optimizer", { $0.optimizer = .lars }),
      ("trunk-learning-rate-factor", { $0.trunkLearningRateFactor = 0.1 }),
      ("rmsprop-decay", { $0.rmspropDecay = 0.99 }), ("epsilon", { $0.epsilon = 1 }),
      ("lars-trust", { $0.larsTrust = 0.02 }), ("clip-norm", { $0.clipNorm = 2 }), ("average", { $0.average = .ema }),
      ("average-decay", { $0.averageDecay = 0.5 }), ("average-start", { $0.averageStart = 1 }),
    ]
    #expect(Set(changes.map(\.0)) == Set(RunConfiguration.kinds.filter { $0.value == .trajectory }.keys))
    for (key, change) in changes {
      var other = Self.plain
      change(&other)
      #expect(other.trajectoryDifferences(from: Self.plain) == [key])
      #expect(Self.plain.trajectoryDifferences(from: other) == [key])
      #expect(other.trajectoryDigest != Self.plain.trajectoryDigest, "\(key)")
    }
  }

  /// PROTOCOL.md §7: a run may be made longer where the schedule does not depend on its length.
  @Test(arguments: ScheduleKind.allCases) func lengthMattersToSomeSchedules(schedule: ScheduleKind) {
    var short = Self.plain, long = Self.plain
    (short.schedule, long.schedule, long.steps) = (schedule, schedule, 200)
    let depends = schedule == .polynomial || schedule == .cosine
    #expect(short.scheduleDependsOnLength == depends)
    #expect(long.trajectoryDifferences(from: short) == (depends ? ["steps"] : []))
    #expect((long.trajectoryDigest == short.trajectoryDigest) != depends)
  }

  @Test func validConfigurations() throws {
    try Self.plain.validate()
    try Self.full.validate()
  }

  @Test func invalidConfigurationsNameTheirKey() {
    let cases: [(String, (inout RunConfiguration) -> Void)] = [
      ("classes", { $0.classes = 0 }), ("image-size", { $0.imageSize = 0 }), ("width", { $0.width = 0 }),
      ("width", { $0.width = .nan }), ("microbatch", { $0.microbatch = 0 }), ("global-batch", { $0.globalBatch = 0 }),
      ("global-batch", { $0.globalBatch = 12 }),
      (
        "global-batch",
        {
          $0.globalBatch = 65_537; $0.microbatch = 1
        }
      ), ("validation", { $0.validationSamples = -1 }),
      ("validation", { $0.validationSamples = 8 * 65_536 + 1 }), ("data", { $0.samples = 0 }),
      ("steps", { $0.steps = 0 }),
      ("learning-rate", { $0.learningRate = -1 }), ("learning-rate", { $0.learningRate = .infinity }),
      ("weight-decay", { $0.weightDecay = .nan }), ("aux-weight", { $0.auxWeight = -0.1 }),
      ("momentum", { $0.momentum = 1 }),
      (
        "nesterov",
        {
          $0.nesterov = true; $0.momentum = 0
        }
      ), ("label-smoothing", { $0.labelSmoothing = 1 }),
      ("schedule-step-size", { $0.scheduleStepSize = 0 }), ("schedule-gamma", { $0.scheduleGamma = 0 }),
      ("schedule-power", { $0.schedulePower = 0 }), ("warmup-steps", { $0.warmupSteps = -1 }),
      ("checkpoint-every", { $0.checkpointEvery = 0 }), ("keep", { $0.keep = 0 }),
      (
        "nesterov",
        {
          $0.nesterov = true; $0.optimizer = .lars
        }
      ), ("epsilon", { $0.optimizer = .rmsprop }), ("epsilon", { $0.epsilon = 1 }),
      (
        "epsilon",
        {
          $0.epsilon = 1e-50; $0.optimizer = .rmsprop
        }
      ), ("rmsprop-decay", { $0.rmspropDecay = 1 }), ("lars-trust", { $0.larsTrust = 0 }),
      ("clip-norm", { $0.clipNorm = 0 }), ("clip-norm", { $0.clipNorm = .infinity }),
      ("average-decay", { $0.averageDecay = 1 }), ("average-start", { $0.averageStart = -1 }),
      (
        "average-start",
        {
          $0.average = .polyak; $0.averageStart = 100
        }
      ), ("freeze", { $0.freeze = [""] }), ("freeze", { $0.freeze = ["a,b"] }),
      ("trunk-learning-rate-factor", { $0.trunkLearningRateFactor = -1 }),
      ("transform-input", { $0.transformInput = true }),
      (
        "transform-input",
        {
          $0.transformInput = true; $0.initFrom = "x"; $0.normalization = .half
        }
      ),
    ]
    for (key, change) in cases {
      var configuration = Self.plain
      change(&configuration)
      do throws(ConfigurationError) {
        try configuration.validate()
        Issue.record("\(key) was accepted")
      } catch {
        #expect(error.key == key)
        #expect(error.description.hasPrefix("--\(key): "))
      }
    }
  }

  @Test func aGlobalBatchIsSuggested() {
    var configuration = Self.plain
    (configuration.globalBatch, configuration.microbatch) = (30, 8)
    #expect(throws: ConfigurationError.self) { try configuration.validate() }
    do { try configuration.validate() } catch { #expect("\(error)".contains("--global-batch 32")) }
  }

  @Test func plansFollow() {
    #expect(Self.plain.trainingPlan.stepsPerEpoch == 32)
    #expect(Self.plain.validationPlan == nil)
    #expect(Self.full.validationPlan == LeafPlan(sampleCount: 50, microbatch: 8))
  }
}
