import Glibc
import Interchange
import Testing

/// `trainer bench`, as scripts use it.
@Suite("Bench", .serialized, .sandboxed)
struct BenchCommandTests {
  private let small = ["bench", "engine", "--model", "googlenet-seed", "--width", "0.25", "--batch", "4"]

  @Test(arguments: ["train", "evaluate"]) func figuresForPrograms(mode: String) throws {
    let outcome = try trainer(small + ["--steps", "2", "--mode", mode, "--threads", "2", "--json"])
    #expect(outcome.code == 0, "\(outcome)")
    let report = try object(outcome)
    var names: Set = [
      "model", "mode", "batch", "threads", "size", "width", "classes", "steps", "images_per_second",
      "best_images_per_second", "gflops", "share_of_peak", "peak_gflops", "copy_gb_per_second", "peak_rss_mib", "loss",
      "layers", "totals",
    ]
    if mode == "train" { names.insert("state_hash") }
    #expect(report.names == names)
    #expect(report["model"]?.stringValue == "googlenet-seed" && report["mode"]?.stringValue == mode)
    #expect(report["batch"]?.integerValue == 4 && report["threads"]?.integerValue == 2)
    #expect(report["size"]?.integerValue == 32 && report["steps"]?.integerValue == 2)
    let median = try #require(report["images_per_second"]?.doubleValue)
    let best = try #require(report["best_images_per_second"]?.doubleValue)
    #expect(median > 0 && best >= median && (report["peak_rss_mib"]?.doubleValue ?? 0) > 1)
    let layers = try #require(report["layers"]?.arrayValue)
    #expect(
      layers.allSatisfy {
        $0.names.isSuperset(of: ["name", "operation", "method", "milliseconds", "gflops", "share_of_peak"])
      })
    #expect(layers.contains { $0["operation"]?.stringValue == "convolution" && ($0["gflops"]?.doubleValue ?? 0) > 0 })
  }

  @Test func threadsDoNotChangeTheStateHash() throws {
    let hashes = try ["1", "2", "3"].map { threads in
      let outcome = try trainer(small + ["--steps", "1", "--threads", threads, "--json"])
      #expect(outcome.code == 0, "\(outcome)")
      return try object(outcome)["state_hash"]?.stringValue
    }
    #expect(hashes[0]?.count == 32 && Set(hashes).count == 1)
  }

  @Test func figuresForPeopleAndThePlan() throws {
    let outcome = try trainer(small + ["--steps", "1"])
    #expect(outcome.code == 0 && outcome.output.hasPrefix("googlenet-seed 32×32, training, batch 4"), "\(outcome)")
    #expect(outcome.output.contains("images/s in the median step") && outcome.output.contains("peak resident memory"))
    #expect(outcome.errors.contains("step 1 of 1"))
    let plan = try trainer(small + ["--plan"])
    #expect(plan.code == 0 && plan.output.hasPrefix("googlenet-seed, training, batches up to 4"), "\(plan)")
    #expect(plan.errors.isEmpty)
  }

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func aSignalEndsIt(signal: Int32, code: Int32) throws {
    let program = try start(small + ["--steps", "100000"])
    try program.wait(toSay: "preparing")
    program.signal(signal)
    let outcome = try program.wait()
    #expect(outcome.code == code && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains("interrupted"))
  }

  @Test(
    arguments: [
      (["--batch", "0"], 2), (["--steps", "0"], 2), (["--mode", "sleep"], 2), (["--model", "alexnet"], 2),
      (["--plan", "--json"], 2), (["--threads", "0"], 2), (["--size", "8"], 78), (["--width", "0"], 78),
    ] as [([String], Int32)])
  func mistakesAreNamed(arguments: [String], code: Int32) throws {
    try expectFailure(["bench", "engine"] + arguments, code: code, saying: [])
  }
}
