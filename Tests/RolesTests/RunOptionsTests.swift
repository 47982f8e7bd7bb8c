import Foundation
import Lockstep
import Testing

@testable import Roles

@Suite struct RunOptionsTests {
  private func options(_ values: [String: String]) -> RunOptions {
    var options = RunOptions()
    for (key, value) in values { options.set(key, value) }
    return options
  }

  @Test func flagsWinOverTheEnvironmentAndTheEnvironmentOverTheFile() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(#"{"seed": 1, "momentum": 0.1, "width": 0.5}"#, to: "c.json")
    let environment = ["TRAINER_SEED": "2", "TRAINER_MOMENTUM": "0.2", "TRAINER_GLOBAL_BATCH": "64", "SEED": "9"]
    let resolved = options(["seed": "3"]).over(.fromEnvironment(environment)).over(try .fromFile(file))
    #expect(resolved.values == ["seed": "3", "momentum": "0.2", "width": "0.5", "global-batch": "64"])
  }

  @Test func anEmptyVariableIsNotGiven() {
    #expect(RunOptions.fromEnvironment(["TRAINER_MODEL": "", "TRAINER_CONFIG": "x"]).values.isEmpty)
  }

  /// A length in steps and one in epochs exclude each other: the stronger source decides which it is.
  @Test func aStrongerLengthHidesTheWeakerOne() {
    #expect(options(["steps": "5"]).over(options(["epochs": "2", "seed": "1"])).values == ["steps": "5", "seed": "1"])
    #expect(options(["epochs": "2"]).over(options(["steps": "5"])).values == ["epochs": "2"])
    #expect(options(["seed": "1"]).over(options(["steps": "5"])).values == ["seed": "1", "steps": "5"])
    #expect(
      options(["warmup-epochs": "1"]).over(options(["warmup-steps": "5", "steps": "9"])).values
        == ["warmup-epochs": "1", "steps": "9"])
  }

  @Test func plainValuesOfAFileBecomeText() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(
      #"{"nesterov": true, "shuffle": false, "seed": 18446744073709551615, "weight-decay": 1e-4, "model": "googlenet"}"#,
      to: "c.json")
    let options = try RunOptions.fromFile(file)
    #expect(try options.flag("nesterov") == true && options.flag("shuffle") == false)
    #expect(try options.number("seed", UInt64.self) == .max)
    #expect(try options.number("weight-decay", Double.self) == 1e-4)
    #expect(options.text("model") == "googlenet")
  }

  /// Every key of a `config.json` is an option or is known to be a result.
  @Test func aResolvedConfigurationIsAConfigurationFile() throws {
    let folder = try TemporaryFolder()
    var configuration = fullConfiguration()
    (configuration.optimizer, configuration.epsilon, configuration.clipNorm) = (.rmsprop, 1e-8, 2)
    (configuration.freeze, configuration.labels) = (["stem", "im1"], "labels.txt")
    let options = try RunOptions.fromFile(try folder.write(configuration.json, to: "config.json"))
    #expect(options.text("model") == "googlenet-seed" && options.text("init-from") == "w.safetensors")
    #expect(try options.number("seed", UInt64.self) == .max)
    #expect(options.list("freeze") == ["stem", "im1"] && options.text("epsilon") == "1e-08")
    #expect(options.text("fingerprint") == nil && options.text("initial-state") == nil)
    for key in RunConfiguration.kinds.keys where RunOptions.keys.contains(key) {
      #expect(options.text(key) != nil, "\(key)")
    }
  }

  @Test func aNumberMayBeTakenBack() throws {
    #expect(try options([:]).numberOrNone("clip-norm") == nil)
    #expect(try options(["clip-norm": "2.5"]).numberOrNone("clip-norm") == .some(2.5))
    #expect(try options(["clip-norm": "none"]).numberOrNone("clip-norm") == .some(nil))
    expectFailure(.usage, saying: "--clip-norm", "two") { () throws(Failure) in
      try options(["clip-norm": "two"]).numberOrNone("clip-norm")
    }
  }

  @Test func listsAreWordsBetweenCommas() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(#"{"freeze": ["conv1", "inception3a.branch1"]}"#, to: "c.json")
    #expect(try RunOptions.fromFile(file).list("freeze") == ["conv1", "inception3a.branch1"])
    #expect(options(["freeze": "a,b"]).list("freeze") == ["a", "b"])
    #expect(options(["freeze": ""]).list("freeze") == [])
    #expect(options([:]).list("freeze") == nil)
  }

  @Test func mistakesInAFileAreNamed() throws {
    let folder = try TemporaryFolder()
    let unknown = try folder.write(#"{"learningrate": 1}"#, to: "unknown.json")
    expectFailure(.usage, saying: "unknown.json", "'learningrate'", "learning-rate") { () throws(Failure) in
      try RunOptions.fromFile(unknown)
    }
    for text in ["", "[]", "{", #"{"seed": [1]}"#, #"{"seed": null}"#, #"{"model": {"name": "x"}}"#] {
      let bad = try folder.write(text, to: "bad.json")
      expectFailure(.usage, saying: "bad.json") { () throws(Failure) in try RunOptions.fromFile(bad) }
    }
    expectFailure(.badData, saying: "nowhere.json") { () throws(Failure) in
      try RunOptions.fromFile(folder("nowhere.json"))
    }
  }

  @Test func mistakesInValuesAreNamed() {
    let options = options(["seed": "x1", "dropout": "perhaps", "schedule": "sometimes", "epochs": "2.5"])
    expectFailure(.usage, saying: "--seed", "x1") { () throws(Failure) in try options.number("seed", UInt64.self) }
    expectFailure(.usage, saying: "--epochs", "2.5") { () throws(Failure) in try options.number("epochs", Int.self) }
    expectFailure(.usage, saying: "--dropout", "perhaps") { () throws(Failure) in try options.flag("dropout") }
    expectFailure(.usage, saying: "--schedule", "sometimes", "cosine", "polynomial") { () throws(Failure) in
      let _: ScheduleKind? = try options.choice("schedule")
    }
  }

  @Test func argumentsHaveTheOrderOfTheKeys() {
    let options = options(["seed": "1", "model": "googlenet", "global-batch": "8"])
    #expect(options.arguments == ["--model", "googlenet", "--global-batch", "8", "--seed", "1"])
  }
}
