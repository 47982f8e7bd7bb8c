import Foundation
import Interchange
import Testing

/// What commands print, for people and for programs.
@Suite("Commands", .serialized, .sandboxed)
struct CommandTests {
  private let files = FileManager.default
  private var box: Sandbox { .current }

  // MARK: - Help and usage

  @Test(arguments: [
    [], ["train"], ["coordinator"], ["worker"], ["evaluate"], ["predict"], ["init"], ["convert"], ["models"],
    ["dataset"],
    ["dataset", "synthesize"], ["dataset", "inspect"], ["bench"], ["bench", "engine"],
  ])
  func everyCommandHasHelp(command: [String]) throws {
    let help = try trainer(command + ["--help"])
    #expect(help.code == 0, "\(help)")
    #expect(help.output.contains("USAGE: trainer" + command.map { " " + $0 }.joined()), "\(help.output)")
    #expect(help.output.hasPrefix("OVERVIEW: "))
    #expect(help.errors.isEmpty)
  }

  @Test func theHelpOfARunHasEveryOptionAndItsDefault() throws {
    let help = try trainer("train", "--help").output
    for option in [
      "--model <", "--classes", "--image-size", "--width", "--data", "--validation", "--epochs", "--steps",
      "--global-batch",
      "--microbatch", "--learning-rate", "--momentum", "--nesterov", "--weight-decay", "--decay", "--schedule",
      "--warmup-steps", "--label-smoothing", "--aux-weight", "--dropout", "--augment", "--shuffle", "--seed",
      "--init-from",
      "--output", "--checkpoint-every", "--keep", "--resume", "--config", "--dry-run", "--workers", "--threads",
      "--normalization",
    ] {
      #expect(help.contains(option))
    }
    for text in ["(default: googlenet-seed)", "(default: 0.05)", "(default: 32)", "(default: 500)", "cifar100, half"] {
      #expect(help.contains(text))
    }
  }

  @Test func aDefaultIsSaidOnce() throws {
    let help = try trainer("worker", "--help").output
    #expect(help.components(separatedBy: "(default: 600)").count == 2, "\(help)")
  }

  @Test(arguments: [
    ["fly"], ["train", "--epochs"], ["train", "--epochs", "many"], ["worker", "--threads", "0"], ["init"],
    ["evaluate", "--data", "synthetic"], ["predict", "--checkpoint", "x"], ["models", "extra"],
    ["worker", "--coordinator", "nonsense"], ["coordinator", "--bind", "udp://x:1"],
    ["coordinator", "--bulk-port", "70000"], ["dataset", "synthesize", "--format", "gif", "--output", "x"],
  ])
  func mistakesOnTheCommandLineEndWith2(arguments: [String]) throws {
    let outcome = try expectFailure(arguments, code: 2, saying: [])
    #expect(!outcome.errors.isEmpty)
    #expect(try files.contentsOfDirectory(atPath: box.folder).isEmpty)
  }

  // MARK: - Configuration

  @Test(arguments: ["train", "coordinator"]) func aDryRunTouchesNothing(command: String) throws {
    let outcome = try trainer(
      [
        command, "--dry-run", "--output", "run", "--data", "synthetic:samples=37,size=32,classes=10,seed=1", "--epochs",
        "2",
      ])
    #expect(outcome.code == 0, "\(outcome)")
    let configuration = try JSONValue(parsing: Array(outcome.output.utf8))
    #expect(configuration["model"]?.stringValue == "googlenet-seed")
    #expect(configuration["global-batch"]?.integerValue == 32 && configuration["microbatch"]?.integerValue == 8)
    #expect(configuration["steps"]?.integerValue == 4 && configuration["samples"]?.integerValue == 37)
    #expect(configuration["learning-rate"]?.doubleValue == 0.05 && configuration["momentum"]?.doubleValue == 0.9)
    #expect(configuration["weight-decay"]?.doubleValue == 1e-4 && configuration["aux-weight"]?.doubleValue == 0.3)
    #expect(configuration["schedule"]?.stringValue == "constant" && configuration["augment"]?.stringValue == "standard")
    #expect(try files.contentsOfDirectory(atPath: box.folder).isEmpty && temporaryFiles().isEmpty)
  }

  @Test func flagsWinOverTheEnvironmentAndTheEnvironmentOverTheFile() throws {
    let file = #"{"seed": 1, "momentum": 0.1, "weight-decay": 0.25, "nesterov": true, "data": "synthetic:samples=40"}"#
    try Data(file.utf8).write(to: URL(fileURLWithPath: box.path("c.json")))
    let outcome = try trainer(
      "train", "--dry-run", "--config", "c.json", "--seed", "3", "--width", "0.1",
      environment: ["TRAINER_SEED": "2", "TRAINER_MOMENTUM": "0.5", "TRAINER_WIDTH": "0.5"])
    #expect(outcome.code == 0, "\(outcome)")
    let configuration = try JSONValue(parsing: Array(outcome.output.utf8))
    #expect(configuration["seed"]?.integerValue == 3 && configuration["width"]?.doubleValue == 0.1)
    #expect(configuration["momentum"]?.doubleValue == 0.5)
    #expect(configuration["weight-decay"]?.doubleValue == 0.25 && configuration["samples"]?.integerValue == 40)
    #expect(configuration["nesterov"] == .boolean(true))
  }

  /// `config.json` is a configuration file: a run from it is the same run.
  @Test func aRunFromTheConfigurationOfAnotherIsTheSameRun() throws {
    let reference = try ReferenceRun.short.get()
    let first = try trainer(["train", "--output", "first"] + reference.options(steps: 2))
    #expect(first.code == 0, "\(first)")
    let second = try trainer("train", "--config", "first/config.json", "--output", "second")
    #expect(second.code == 0, "\(second)")
    try reference.expect(RunFiles(box.path("second")), steps: 2)
  }

  /// Workers without work are allowed, but not in silence.
  @Test func moreWorkersThanMicrobatchesIsSaid() throws {
    let reference = try ReferenceRun.short.get()
    for (workers, isSaid) in [(5, true), (4, false)] {
      let outcome = try trainer(
        ["train", "--workers", "\(workers)", "--threads", "1", "--output", "\(workers)"] + reference.options(steps: 1))
      #expect(outcome.code == 0, "\(outcome)")
      #expect(outcome.errors.contains("microbatches") == isSaid, "\(outcome)")
    }
  }

  @Test func runsAreNumberedWithoutAnOutput() throws {
    let reference = try ReferenceRun.short.get()
    for number in 1...2 {
      let outcome = try trainer(["train"] + reference.options(steps: 1))
      #expect(outcome.code == 0, "\(outcome)")
      try reference.expect(RunFiles(box.path("runs/googlenet-seed-\(number)")), steps: 1)
    }
  }

  // MARK: - Data for programs

  @Test func models() throws {
    let outcome = try trainer("models", "--json")
    #expect(outcome.code == 0, "\(outcome)")
    let models = try object(outcome)["models"]?.arrayValue ?? []
    // Parameters of torchvision's googlenet, and of the tutorial's network counted by hand.
    for (name, parameters, withAux, size) in [
      ("googlenet", 6_624_904, 13_004_888, 224), ("googlenet-seed", 10_253_000, 16_633_240, 32),
    ] {
      let model = try #require(models.first { $0["name"]?.stringValue == name })
      #expect(model["parameters"]?.integerValue == parameters)
      #expect(model["parameters_with_aux"]?.integerValue == withAux)
      #expect(model["image_size"]?.integerValue == size)
      #expect((model["multiply_accumulates"]?.integerValue ?? 0) > 0)
    }
    let text = try trainer("models")
    #expect(text.output.contains("6,624,904") && text.output.contains("googlenet-seed"))
  }

  @Test func initialWeights() throws {
    let arguments = ["init", "--model", "googlenet-seed", "--classes", "7", "--width", "0.1", "--seed", "5", "--out"]
    for name in ["a.safetensors", "b.safetensors"] {
      let outcome = try trainer(arguments + [name])
      #expect(outcome.code == 0, "\(outcome)")
    }
    #expect(files.contents(atPath: box.path("a.safetensors")) == files.contents(atPath: box.path("b.safetensors")))
    let file = try TensorFile(path: box.path("a.safetensors"))
    #expect(file.tensors.count == 472 && Set(file.tensors.map(\.name)) == Set(StateDictionary.keys))
    for tensor in file.tensors {
      let isCount = tensor.name.hasSuffix("num_batches_tracked")
      #expect(tensor.element == (isCount ? .int64 : .float32))
      if isCount { #expect(try tensor.shape == [] && file.integers(tensor.name) == [0]) }
    }
    // 192 · 0.1 = 19.2, to a multiple of 16; 1024 · 0.1 = 102.4, likewise.
    #expect(file["stem.0.weight"]?.shape == [16, 3, 3, 3])
    #expect(file["fc.weight"]?.shape.first == 7 && file["aux2.fc2.weight"]?.shape == [7, 96])
    #expect(try file.metadata["state_hash"] == StateDictionary.hash(ofCheckpoint: file.path))
    let other = try trainer(arguments + ["c.safetensors", "--seed", "6"])
    #expect(other.code == 0, "\(other)")
    #expect(try tensorBytes(box.path("c.safetensors")) != tensorBytes(file.path))
  }

  /// The files of a run, its evaluation afterwards, and its predictions.
  @Test func aRunsFilesAndItsEvaluation() throws {
    let reference = try ReferenceRun.short.get(), run = RunFiles(box.path("run"))
    let validation = "synthetic:samples=22,size=32,classes=10,seed=2"
    let trained = try trainer(
      ["train", "--workers", "2", "--output", "run", "--validation", validation] + reference.options(steps: 7))
    #expect(trained.code == 0, "\(trained)")
    #expect(trained.output.isEmpty)
    #expect(try temporaryFiles().isEmpty)
    // Validation does not touch the trajectory.
    try reference.expect(run, steps: 7)

    for step in try run.steps() {
      #expect(
        step.json.names.isSuperset(of: [
          "kind", "step", "epoch", "loss", "main_loss", "aux_losses", "top1", "learning_rate", "samples", "seconds",
          "images_per_second", "state_hash", "workers",
        ]))
      #expect(step.json["epoch"]?.integerValue == (step.step - 1) / 3)
      let main = try #require(step.json["main_loss"]?.doubleValue), loss = try #require(step.json["loss"]?.doubleValue)
      let aux = try #require(step.json["aux_losses"]?.arrayValue).compactMap(\.doubleValue)
      #expect(aux.count == 2 && abs(loss - (main + 0.3 * (aux[0] + aux[1]))) < 1e-9 * loss)
      #expect((0...1).contains(step.json["top1"]?.doubleValue ?? -1))
      #expect(step.json["learning_rate"]?.doubleValue.map(Float.init) == 0.05)
    }
    let epochs = try run.lines(kind: "epoch")
    #expect(epochs.map { $0["epoch"]?.integerValue } == [0, 1, 2])
    #expect(epochs.map { $0["step"]?.integerValue } == [3, 6, 7])
    #expect(epochs.map { $0["samples_seen"]?.integerValue } == [37, 74, 90])
    #expect(try run.checkpoints() == [3, 6, 7])
    let latest = try #require(files.contents(atPath: run.path + "/checkpoints/latest"))
    #expect(String(decoding: latest, as: UTF8.self).contains("step-00000007"))
    #expect(try run.json("config.json")["steps"]?.integerValue == 7)
    #expect(try run.status()["state"]?.stringValue == "done" && run.status()["exit_code"]?.integerValue == 0)

    // The same leaves give the same sums; other batches give the same but for rounding.
    let expected = try #require(epochs.last?["validation"])
    #expect(expected.names == ["loss", "top1", "top5"])
    for (batch, tolerance) in [(4, 0.0), (16, 1e-5)] {
      for checkpoint in [run.checkpoint(7), "run"] {
        let outcome = try trainer(
          "evaluate", "--checkpoint", checkpoint, "--data", validation, "--batch", "\(batch)", "--json")
        #expect(outcome.code == 0, "\(outcome)")
        let result = try object(outcome)
        #expect(result.names.isSuperset(of: ["top1", "top5", "loss", "samples", "classes", "confusion"]))
        #expect(result["samples"]?.integerValue == 22)
        for name in ["loss", "top1", "top5"] {
          let difference = (result[name]?.doubleValue ?? .nan) - (expected[name]?.doubleValue ?? .nan)
          #expect(abs(difference) <= tolerance, "\(name) with batches of \(batch)")
        }
      }
    }
  }

  @Test func predictions() throws {
    try synthesize("set", samples: 12, classes: 3)
    let trained = try trainer(
      "train", "--output", "run", "--data", "imagefolder:set/train", "--width", "0.1", "--global-batch", "8",
      "--microbatch", "4", "--steps", "2")
    #expect(trained.code == 0, "\(trained)")
    let classNames = try files.contentsOfDirectory(atPath: box.path("set/train")).sorted()
    let pictures = try files.subpathsOfDirectory(atPath: box.path("set/train")).filter { $0.hasSuffix(".jpg") }.sorted()
      .map { "set/train/" + $0 }
    let outcome = try trainer(["predict", "--checkpoint", "run", "--top", "3", "--json"] + pictures)
    #expect(outcome.code == 0, "\(outcome)")
    let images = try #require(try object(outcome)["images"]?.arrayValue)
    #expect(images.compactMap { $0["file"]?.stringValue } == pictures)
    for image in images {
      let classes = try #require(image["classes"]?.arrayValue)
      let probabilities = classes.compactMap { $0["probability"]?.doubleValue }
      #expect(probabilities.count == 3 && probabilities == probabilities.sorted(by: >))
      #expect(abs(probabilities.reduce(0, +) - 1) < 1e-6)
      #expect(Set(classes.compactMap { $0["name"]?.stringValue }) == Set(classNames))
    }
    let one = try trainer("predict", "--checkpoint", "run", "--top", "1", "--json", pictures[0])
    #expect(try object(one)["images"]?.arrayValue?.first?["classes"]?.arrayValue?.count == 1)
    let text = try trainer("predict", "--checkpoint", "run", pictures[0])
    #expect(text.output.hasPrefix(pictures[0] + ": ") && text.output.contains(" %"))
  }

  @Test func datasetsAreInspected() throws {
    try synthesize("set", samples: 12, validationSamples: 6, classes: 3)
    let outcome = try trainer("dataset", "inspect", "imagefolder:set/train", "--json")
    #expect(outcome.code == 0, "\(outcome)")
    let report = try object(outcome)
    #expect(report["samples"]?.integerValue == 12 && report["classes"]?.arrayValue?.count == 3)
    #expect(report["bad"]?.arrayValue?.isEmpty == true)
    #expect(report["fingerprint"]?.stringValue?.count == 32)
    try expectFailure(
      ["dataset", "synthesize", "--samples", "12", "--classes", "3", "--output", "set"], code: 73, saying: ["set"])
  }
}
