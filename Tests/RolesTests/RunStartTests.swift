import Foundation
import Lockstep
import Testing

@testable import Roles

@Suite struct RunStartTests {
  private let folder: TemporaryFolder
  /// A folder that holds a run, and one that does not exist.
  private let run: String, new: String

  init() throws {
    folder = try TemporaryFolder()
    (run, new) = (folder("run"), folder("new"))
    try RunDirectory(path: run, resuming: false).begin()
    try folder.write(fullConfiguration(output: run).json, to: "run/config.json")
  }

  private func options(_ values: [String: String] = [:]) -> RunOptions {
    var options = RunOptions()
    for (key, value) in values { options.set(key, value) }
    return options
  }

  @Test func aNewRun() throws {
    let start = try RunStart(options: options(["output": new, "seed": "3"]), resume: nil)
    #expect(start.output == new && !start.isResuming && start.stored == nil)
    #expect(start.options.text("seed") == "3")
    #expect(!folder.exists("new"))
  }

  @Test func aNewRunDoesNotTakeAnOldOnesFolder() {
    expectFailure(.cannotWrite, saying: run, "already holds a run", "--resume") { () throws(Failure) in
      try RunStart(options: options(["output": run]), resume: nil)
    }
  }

  @Test func aRunIsContinuedWithItsConfiguration() throws {
    let start = try RunStart(options: options(["steps": "20"]), resume: run)
    #expect(start.output == run && start.isResuming)
    #expect(start.stored == fullConfiguration(output: run))
    #expect(start.options.text("steps") == "20" && start.options.text("model") == "googlenet-seed")
    #expect(start.options.text("epochs") == nil)
  }

  @Test func autoContinuesWhatIsThere() throws {
    #expect(try RunStart(options: options(["output": run]), resume: "auto").isResuming)
    #expect(try !RunStart(options: options(["output": new]), resume: "auto").isResuming)
    expectFailure(.usage, saying: "--output") { () throws(Failure) in try RunStart(options: options(), resume: "auto") }
  }

  @Test func onlyARunIsContinued() throws {
    expectFailure(.badData, saying: new) { () throws(Failure) in try RunStart(options: options(), resume: new) }
    expectFailure(.usage, saying: new, "--output") { () throws(Failure) in
      try RunStart(options: options(["output": new]), resume: run)
    }
    #expect(try RunStart(options: options(["output": run]), resume: run).isResuming)
  }

  @Test(arguments: [
    ("average-start", "average", "polyak", "ema"), ("average-decay", "average", "ema", "polyak"),
    ("schedule-step-size", "schedule", "step", "cosine"), ("schedule-step-epochs", "schedule", "step", "cosine"),
    ("schedule-gamma", "schedule", "step", "polynomial"), ("schedule-power", "schedule", "polynomial", "step"),
    ("lars-trust", "optimizer", "lars", "rmsprop"), ("rmsprop-decay", "optimizer", "rmsprop", "lars"),
    ("epsilon", "optimizer", "rmsprop", "sgd"),
  ])
  func aFlagThatNothingReadsIsRefused(key: String, decider: String, reader: String, other: String) throws {
    let flag = options([key: "1"])
    _ = try RunStart(options: options([key: "1", decider: reader, "output": new]), resume: nil, flags: flag)
    // In a file or a variable it may stand.
    _ = try RunStart(options: options([key: "1", decider: other, "output": new]), resume: nil)
    for values in [[key: "1", decider: other, "output": new], [key: "1", "output": new]] {
      expectFailure(.usage, saying: "--\(key): --\(decider)", "--\(decider) \(reader)") { () throws(Failure) in
        try RunStart(options: options(values), resume: nil, flags: flag)
      }
    }
    // The run to continue has none of them.
    expectFailure(.usage, saying: "--\(key)") { () throws(Failure) in
      try RunStart(options: flag, resume: run, flags: flag)
    }
  }

  @Test func aDamagedConfigurationIsNamed() throws {
    try folder.write("{", to: "run/config.json")
    expectFailure(.badData, saying: "config.json") { () throws(Failure) in try RunStart(options: options(), resume: run)
    }
    try FileManager.default.removeItem(atPath: folder("run/config.json"))
    expectFailure(.badData, saying: "config.json") { () throws(Failure) in try RunStart(options: options(), resume: run)
    }
  }
}
