import Foundation
import Glibc
import Interchange
import Testing

/// How a trained network is evaluated and asked: crops, names of classes, and weights that want `transform_input`.
@Suite("Evaluation", .serialized, .sandboxed)
struct EvaluationTests {
  private var box: Sandbox { .current }
  private let data = "synthetic:samples=11,size=40,classes=10,seed=2"

  private func initialWeights() throws {
    let outcome = try trainer(
      "init", "--model", "googlenet-seed", "--classes", "10", "--width", "0.1", "--seed", "5", "--out",
      "w.safetensors")
    #expect(outcome.code == 0, "\(outcome)")
  }

  /// The same output for any number of threads and samples at a time; talk goes elsewhere.
  @Test(arguments: ["10", "144"]) func severalCropsGiveTheSameBits(crops: String) throws {
    try initialWeights()
    let data = crops == "10" ? data : "synthetic:samples=3,size=40,classes=10,seed=2"
    var outputs: Set<String> = []
    for (threads, batch) in [("1", "16"), ("2", "7"), ("3", "1")] {
      let outcome = try trainer(
        "evaluate", "--checkpoint", "w.safetensors", "--data", data, "--crops", crops, "--threads", threads, "--batch",
        batch, "--json")
      #expect(outcome.code == 0, "\(outcome)")
      outputs.insert(outcome.output)
      #expect(outcome.errors.contains("evaluating: ") && outcome.errors.contains(" samples"))
      let result = try object(outcome)
      let table = try #require(result["confusion"]?.arrayValue)
      let counts = table.compactMap { row in row.arrayValue?.compactMap(\.integerValue) }
      #expect(counts.count == 10 && counts.allSatisfy { $0.count == 10 })
      #expect(counts.joined().reduce(0, +) == result["samples"]?.integerValue)
      #expect(result["classes"]?.arrayValue?.count == 10)
    }
    #expect(outputs.count == 1)
    let text = try trainer("evaluate", "--checkpoint", "w.safetensors", "--data", data, "--crops", crops).output
    #expect(text.contains("top-1") && text.contains("\(crops) crops") && text.contains("accuracy of each class"))
  }

  @Test func anEvaluationCanBeInterrupted() throws {
    try initialWeights()
    for (signal, code) in [(SIGINT, Int32(130)), (SIGTERM, 143)] {
      let program = try start([
        "evaluate", "--checkpoint", "w.safetensors", "--data", "synthetic:samples=100000,size=32,classes=10", "--crops",
        "144",
      ])
      try program.wait(toSay: "evaluating: ")
      program.signal(signal)
      let outcome = try program.wait()
      #expect(outcome.code == code && outcome.output.isEmpty && outcome.errors.contains("interrupted"), "\(outcome)")
    }
  }

  @Test func labelsTravelWithTheCheckpoint() throws {
    try synthesize("set", samples: 12, classes: 3)
    let picture = try #require(
      FileManager.default.subpathsOfDirectory(atPath: box.path("set/train")).first { $0.hasSuffix(".jpg") })
    func write(_ names: [String], to file: String) throws {
      try Data((names.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: box.path(file)))
    }
    try write(["goldfish", "Ochsenfrosch", "crane, bird"], to: "labels.txt")
    try write(["a", "b", "c"], to: "other.txt")
    try write(["a", "b"], to: "short.txt")
    let run = [
      "train", "--data", "imagefolder:set/train", "--width", "0.1", "--global-batch", "8", "--microbatch", "4",
      "--steps", "2",
    ]
    try expectFailure(run + ["--output", "bad", "--labels", "short.txt"], code: 78, saying: ["short.txt", "2", "3"])
    try expectFailure(run + ["--output", "bad", "--labels", "none.txt"], code: 65, saying: ["none.txt"])
    let trained = try trainer(run + ["--output", "run", "--labels", "labels.txt"])
    #expect(trained.code == 0, "\(trained)")
    func names(_ options: String...) throws -> Set<String> {
      let outcome = try trainer(["predict", "--checkpoint", "run", "--json", "set/train/" + picture] + options)
      #expect(outcome.code == 0, "\(outcome)")
      let classes = try object(outcome)["images"]?.arrayValue?.first?["classes"]?.arrayValue
      return Set(try #require(classes).compactMap { $0["name"]?.stringValue })
    }
    #expect(try names() == ["goldfish", "Ochsenfrosch", "crane, bird"])
    #expect(try names("--labels", "other.txt", "--crops", "10") == ["a", "b", "c"])
    try expectFailure(
      ["predict", "--checkpoint", "run", "--labels", "short.txt", "set/train/" + picture], code: 78,
      saying: ["short.txt"])
    let text = try trainer("evaluate", "--checkpoint", "run", "--data", "imagefolder:set/train").output
    #expect(text.contains("goldfish"))
  }

  /// Weights that want `transform_input` are trained, validated and evaluated with it, and their files say so.
  @Test func transformInputIsHonouredEverywhere() throws {
    try initialWeights()
    let options = [
      "--init-from", "w.safetensors", "--width", "0.1", "--data", "synthetic:samples=16,size=32,classes=10,seed=1",
      "--validation", data, "--global-batch", "8", "--microbatch", "4", "--steps", "2", "--seed", "5",
    ]
    var hashes: [String] = []
    for (name, flags) in [("with", ["--transform-input", "on"]), ("without", [])] {
      let trained = try trainer(["train", "--output", name] + options + flags)
      #expect(trained.code == 0, "\(trained)")
      let run = RunFiles(box.path(name))
      hashes.append(try #require(run.hashes().last))
      let metadata = try TensorFile(path: run.checkpoint(2)).metadata
      #expect(metadata["transform_input"] == (name == "with" ? "true" : nil))
      // The run's validation and an evaluation with the same leaves see the same pictures.
      let validation = try #require(try run.lines(kind: "epoch").last?["validation"])
      let evaluated = try trainer("evaluate", "--checkpoint", name, "--data", data, "--batch", "4", "--json")
      #expect(evaluated.code == 0, "\(evaluated)")
      for key in ["loss", "top1", "top5"] {
        #expect(try object(evaluated)[key]?.doubleValue == validation[key]?.doubleValue, "\(name): \(key)")
      }
      // Said otherwise, the result is another.
      let other = try trainer(
        "evaluate", "--checkpoint", name, "--data", data, "--batch", "4", "--json", "--transform-input",
        name == "with" ? "off" : "on")
      #expect(try object(other)["loss"]?.doubleValue != validation["loss"]?.doubleValue)
    }
    #expect(hashes[0] != hashes[1])
    // A run that starts from such weights goes on with it.
    let next = try trainer(
      ["train", "--dry-run", "--init-from", RunFiles(box.path("with")).checkpoint(2), "--width", "0.1", "--data", data])
    let configuration = try JSONValue(parsing: Array(next.output.utf8))
    #expect(configuration["transform-input"] == .boolean(true), "\(next)")
    try expectFailure(
      ["train", "--output", "half", "--normalization", "half", "--transform-input", "on"] + options, code: 2,
      saying: ["--transform-input", "imagenet", "half"])
  }

  @Test func picturesThatDoNotFitAreRefused() throws {
    try initialWeights()
    let evaluate = ["evaluate", "--checkpoint", "w.safetensors", "--data", data]
    for (flags, code, texts) in [
      (["--crops", "11"], Int32(2), ["--crops", "144"]), (["--resize", "20"], 2, ["--resize", "32×32"]),
      (["--resize", "40", "--crops", "144"], 2, ["--resize"]), (["--image-size", "-1"], 2, ["--image-size"]),
      (["--normalization", "half", "--transform-input", "on"], 2, ["transform_input"]),
      (["--image-size", "48"], 78, ["fc.weight", "--image-size"]),
    ] {
      try expectFailure(evaluate + flags, code: code, saying: texts)
    }
  }
}
