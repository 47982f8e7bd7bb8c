import Foundation
import Interchange
import Testing

/// Whatever is wrong with what a user gives is said, with the file or value, and ends with the right code.
@Suite("Bad input", .serialized, .sandboxed)
struct BadInputTests {
  private let files = FileManager.default
  private var box: Sandbox { .current }
  /// Options that make whatever may be trained quick.
  private let quick = ["--width", "0.1", "--global-batch", "16", "--microbatch", "4", "--epochs", "1"]

  private func train(_ options: [String], code: Int32, saying texts: [String]) throws {
    try expectFailure(["train", "--output", "run"] + quick + options, code: code, saying: texts)
    #expect(!files.fileExists(atPath: box.path("run/run.json")), "what never began leaves its folder free")
  }

  private func makeFolder(_ name: String) throws {
    try files.createDirectory(atPath: box.path(name), withIntermediateDirectories: true)
  }

  // MARK: - Data

  @Test func aMissingFolder() throws {
    try train(["--data", "imagefolder:nowhere"], code: 65, saying: ["nowhere"])
  }

  @Test func anEmptyFolder() throws {
    try makeFolder("empty")
    try train(["--data", "imagefolder:empty"], code: 65, saying: ["empty"])
  }

  @Test func aClassWithoutPictures() throws {
    try synthesize("set", samples: 20, classes: 2)
    try makeFolder("set/train/zebra")
    try train(["--data", "imagefolder:set/train"], code: 65, saying: ["zebra"])
  }

  @Test func aFolderOfOneClass() throws {
    try synthesize("set", samples: 20, classes: 2)
    let class2 = try #require(try files.contentsOfDirectory(atPath: box.path("set/train")).max())
    try files.removeItem(atPath: box.path("set/train/" + class2))
    try train(["--data", "imagefolder:set/train"], code: 65, saying: ["one class"])
  }

  @Test func aTextFileNamedJPG() throws {
    try synthesize("set", samples: 20, classes: 2)
    let picture = try somePicture(of: "set/train")
    try Data("This is no picture.".utf8).write(to: URL(fileURLWithPath: box.path(picture)))
    let name = (picture as NSString).lastPathComponent
    try train(["--data", "imagefolder:set/train"], code: 65, saying: [name])
    let inspected = try trainer("dataset", "inspect", "imagefolder:set/train", "--json")
    #expect(inspected.code == 65, "\(inspected)")
    #expect(try object(inspected)["bad"]?.arrayValue?.count == 1)
    try trainSmallModel()
    try expectFailure(["predict", "--checkpoint", "model", picture], code: 65, saying: [name])
  }

  /// Its first bytes are right, so it is found when it is decoded: by a worker, which tells the coordinator.
  @Test func aTruncatedJPEG() throws {
    try synthesize("set", samples: 20, classes: 10)
    let picture = try somePicture(of: "set/train")
    let whole = try #require(files.contents(atPath: box.path(picture)))
    try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: box.path(picture)))
    let name = (picture as NSString).lastPathComponent
    try expectFailure(
      ["train", "--output", "run", "--data", "imagefolder:set/train"] + quick, code: 65, saying: [name])
    let status = try RunFiles(box.path("run")).status()
    #expect(status["state"]?.stringValue == "failed" && status["exit_code"]?.integerValue == 65)
    #expect(status["reason"]?.stringValue?.contains(name) == true)

    // A worker that is sent its samples, and one that reads its own copy.
    for (output, data) in [("sent", []), ("read", ["--data", "imagefolder:set/train"])] {
      let cluster = try Cluster(output: output)
      let coordinator = try cluster.coordinator(["--data", "imagefolder:set/train"] + quick)
      let worker = try cluster.worker("worker", data)
      let outcome = try expect(coordinator, endsWith: 65)
      #expect(outcome.errors.contains(name), "\(outcome)")
      try expect(worker, endsWith: 65)
    }

    try trainSmallModel()
    try expectFailure(["predict", "--checkpoint", "model", picture], code: 65, saying: [name])
    try expectFailure(
      ["evaluate", "--checkpoint", "model", "--data", "imagefolder:set/train"], code: 65, saying: [name])
  }

  @Test(arguments: [-1, 1, -3073 * 8 + 100]) func aCIFARFileOfTheWrongLength(bytes: Int) throws {
    try synthesize("set", format: "cifar10", samples: 20, classes: 10)
    let names = try files.contentsOfDirectory(atPath: box.path("set/train")).filter { $0.hasPrefix("data_batch") }
    let name = try #require(names.min()), path = box.path("set/train/" + name)
    let whole = try #require(files.contents(atPath: path))
    let wrong = bytes < 0 ? whole.dropLast(-bytes) : whole + Data(repeating: 0, count: bytes)
    try wrong.write(to: URL(fileURLWithPath: path))
    try train(["--data", "cifar10:set/train"], code: 65, saying: [name])
  }

  // MARK: - Values

  @Test(arguments: [
    (["--global-batch", "30", "--microbatch", "8"], ["30", "8", "--microbatch"]),
    (["--global-batch", "0"], ["--global-batch"]),
    (["--epochs", "1", "--steps", "3"], ["--epochs", "--steps"]),
    (["--data", "synthetic:samples=zero"], ["zero"]),
    (["--data", "no-such-format:x"], ["no-such-format", "cifar10", "imagefolder"]),
    (["--learning-rate", "fast"], ["fast"]),
    (["--schedule", "sometimes"], ["sometimes", "cosine"]),
    (["--workers", "0"], ["--workers"]),
    (["--seed", "-1"], ["--seed"]),
    (["--keep", "0"], ["--keep"]),
    (["--average", "ema", "--average-start", "3"], ["--average-start", "--average polyak"]),
    (["--image-size", "0"], ["--image-size"]),
    (["--resume", "auto", "--no-such-option"], ["--no-such-option"]),
  ])
  func aValueThatMakesNoSense(options: [String], texts: [String]) throws {
    try expectFailure(["train"] + options, code: 2, saying: texts)
    #expect(try files.contentsOfDirectory(atPath: box.folder).isEmpty)
  }

  @Test func anUnknownModelIsAnsweredWithTheCatalog() throws {
    let models = try catalog()
    #expect(models.contains("googlenet-seed") && models.contains("googlenet"))
    for command in [["train", "--output", "run"], ["init", "--out", "w.safetensors"]] {
      try expectFailure(command + ["--model", "alexnet"], code: 2, saying: ["alexnet"] + models)
    }
  }

  @Test func aConfigurationFileWithAnUnknownKey() throws {
    try Data(#"{"model": "googlenet-seed", "learningrate": 0.1}"#.utf8).write(
      to: URL(fileURLWithPath: box.path("c.json")))
    try expectFailure(["train", "--config", "c.json"], code: 2, saying: ["c.json", "learningrate", "learning-rate"])
    try Data("{".utf8).write(to: URL(fileURLWithPath: box.path("c.json")))
    try expectFailure(["train", "--config", "c.json"], code: 2, saying: ["c.json"])
    try expectFailure(["train", "--config", "missing.json"], code: 65, saying: ["missing.json"])
  }

  // MARK: - Checkpoints

  private enum Damage: CaseIterable, Sendable {
    case empty, truncatedHeader, truncatedByOneByte, flippedInHeader, flippedInTensors, flippedAtEnd, missing
  }

  private func damage(_ path: String, _ damage: Damage) throws {
    var bytes = try #require(files.contents(atPath: path))
    switch damage {
    case .empty: bytes = Data()
    case .truncatedHeader: bytes = bytes.prefix(100)
    case .truncatedByOneByte: bytes.removeLast()
    case .flippedInHeader: bytes[bytes.startIndex + 60] ^= 0x04
    case .flippedInTensors: bytes[bytes.startIndex + bytes.count / 2] ^= 0x01
    case .flippedAtEnd: bytes[bytes.endIndex - 1] ^= 0x80
    case .missing: return try files.removeItem(atPath: path)
    }
    try bytes.write(to: URL(fileURLWithPath: path))
  }

  @Test(arguments: Damage.allCases) private func aDamagedCheckpointIsNotUsed(damage: Damage) throws {
    try trainSmallModel()
    let model = RunFiles(box.path("model")).checkpoint(1)
    try synthesize("set", samples: 4, classes: 2)
    let picture = try somePicture(of: "set/train")
    try self.damage(model, damage)
    let name = "step-00000001.safetensors"
    try expectFailure(
      ["evaluate", "--checkpoint", model, "--data", "synthetic:samples=8,classes=10"], code: 65, saying: [name])
    try expectFailure(["predict", "--checkpoint", model, picture], code: 65, saying: [name])
    try train(["--data", "synthetic:samples=16", "--init-from", model], code: 65, saying: [name])
  }

  /// `--resume` takes the checkpoint before a damaged one, and says so.
  @Test(arguments: [true, false]) func resumingPassesOverADamagedCheckpoint(isOptimizer: Bool) throws {
    let reference = try ReferenceRun.short.get(), run = RunFiles(box.path("run"))
    let trained = try trainer(["train", "--output", "run"] + reference.options(steps: 6))
    #expect(trained.code == 0, "\(trained)")
    try damage(isOptimizer ? run.optimizer(6) : run.checkpoint(6), .flippedInTensors)
    let resumed = try trainer("train", "--resume", "run", "--steps", "8")
    #expect(resumed.code == 0, "\(resumed)")
    #expect(resumed.errors.contains("checkpoint of step 6 is not used"), "\(resumed)")
    #expect(resumed.errors.contains("continuing from step 3"), "\(resumed)")
    try reference.expect(run, steps: 8)
    #expect(try run.steps("metrics.superseded.jsonl").map(\.step) == [4, 5, 6])

    for step in try run.checkpoints() { try damage(run.checkpoint(step), .truncatedByOneByte) }
    try expectFailure(["train", "--resume", "run", "--steps", "9"], code: 65, saying: ["checkpoint", "run"])
  }

  // MARK: - What does not fit

  @Test(arguments: [5, 12]) func evaluatingOnAnotherNumberOfClasses(classes: Int) throws {
    try trainSmallModel()
    try expectFailure(
      ["evaluate", "--checkpoint", "model", "--data", "synthetic:samples=24,classes=\(classes)"], code: 78,
      saying: ["\(classes)", "10"])
  }

  @Test(arguments: [
    ["--model", "googlenet"], ["--classes", "11"], ["--seed", "1"], ["--learning-rate", "0.1"], ["--width", "0.2"],
    ["--microbatch", "8"], ["--data", "synthetic:samples=38"], ["--dropout", "off"], ["--schedule", "cosine"],
  ])
  func resumingWithFlagsThatChangeTheBits(flag: [String]) throws {
    try trainSmallModel()
    let before = try RunFiles(box.path("model")).lines()
    try expectFailure(["train", "--resume", "model", "--steps", "2"] + flag, code: 78, saying: [flag[0]])
    #expect(try RunFiles(box.path("model")).lines() == before)
  }

  /// Whoever edits `config.json` changes the bits as well, and flags cannot tell.
  @Test func resumingWithAnEditedConfiguration() throws {
    try trainSmallModel()
    let path = box.path("model/config.json")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let edited = text.replacingOccurrences(of: #""learning-rate" : 0.05"#, with: #""learning-rate" : 0.07"#)
    #expect(edited != text)
    try Data(edited.utf8).write(to: URL(fileURLWithPath: path))
    try expectFailure(
      ["train", "--resume", "model", "--steps", "2"], code: 78, saying: ["learning-rate", "config.json"])
  }

  /// A head for other classes is started anew, and that is said.
  @Test func initialWeightsOfAnotherNumberOfClasses() throws {
    let written = try trainer("init", "--classes", "7", "--width", "0.1", "--out", "w.safetensors")
    #expect(written.code == 0, "\(written)")
    let outcome = try trainer(
      ["train", "--output", "run", "--data", "synthetic:samples=16", "--init-from", "w.safetensors"] + quick)
    #expect(outcome.code == 0, "\(outcome)")
    #expect(
      outcome.errors.contains("has fc, aux1.fc2 and aux2.fc2 for 7 classes, not 10: these are started anew"),
      "\(outcome)")
    try expectFailure(
      [
        "train", "--output", "wide", "--width", "0.3", "--data", "synthetic:samples=16", "--init-from", "w.safetensors",
      ],
      code: 78, saying: ["w.safetensors", "--width"])
  }

  /// Steps that are not finite are left out, and when there is nothing else the run ends.
  @Test func aRunThatDiverges() throws {
    let data = ["--data", "synthetic:samples=64,size=32,classes=10,seed=1"]
    try expectFailure(
      ["train", "--output", "run", "--width", "0.1", "--epochs", "20", "--learning-rate", "1e30"] + data, code: 70,
      saying: ["diverged", "--learning-rate"])
    let run = RunFiles(box.path("run"))
    #expect(try run.status()["state"]?.stringValue == "failed" && run.status()["exit_code"]?.integerValue == 70)
    let skipped = try run.steps().filter { $0.json["skipped"] == .boolean(true) }
    #expect(skipped.count >= 10 && Set(skipped.map(\.hash)).count == 1)
    #expect(try run.events().contains("skipped"))
  }

  @Test func aBatchNormOfOneValue() throws {
    // 33 samples in steps of 16 leave one sample, whose last feature maps are one pixel.
    try train(
      ["--model", "googlenet", "--image-size", "32", "--data", "synthetic:samples=33,size=32"], code: 78,
      saying: ["batch norm", "--microbatch"])
  }

  @Test func resumingWhatIsNoRun() throws {
    try makeFolder("empty")
    for folder in ["empty", "nowhere"] {
      try expectFailure(["train", "--resume", folder], code: 65, saying: [folder])
    }
  }

  // MARK: - Support

  /// Puts a run of one step, made once, into `model`.
  private func trainSmallModel() throws {
    try Self.smallRun.get().write(to: box.path("model"))
  }

  private static let smallRun = Result {
    try FolderCopy { sandbox in
      let options = ["--data", "synthetic:samples=16,size=32,classes=10,seed=1", "--steps", "1", "--output", "model"]
      let arguments = ["train", "--width", "0.1", "--global-batch", "16", "--microbatch", "4"] + options
      let outcome = try RunningProgram(arguments, in: sandbox).wait()
      guard outcome.code == 0 else { throw Overdue(description: "\(outcome)") }
      return sandbox.path("model")
    }
  }

  private func somePicture(of folder: String) throws -> String {
    let pictures = try files.subpathsOfDirectory(atPath: box.path(folder)).filter { $0.hasSuffix(".jpg") }
    return folder + "/" + (try #require(pictures.max()))
  }
}

/// The names of all models.
func catalog() throws -> [String] {
  try object(try trainer("models", "--json"))["models"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
}
