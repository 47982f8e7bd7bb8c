import Glibc
import Interchange
import Testing

/// The parameters after a step depend on the configuration, the data and the seed alone.
@Suite("Lockstep of real processes", .serialized, .sandboxed)
struct LockstepRunTests {
  let reference: ReferenceRun
  let run = RunFiles(Sandbox.current.path("run"))

  init() throws { reference = try ReferenceRun.short.get() }

  /// Two epochs, so that the short last step of an epoch is followed by another epoch; and once the whole length.
  @Test(arguments: [(1, 1, 6), (2, 1, 12), (2, 2, 6), (3, 1, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6)])
  func theNumberOfWorkersAndThreadsChangesNothing(workers: Int, threads: Int, steps: Int) throws {
    let outcome = try trainer(
      ["train", "--workers", "\(workers)", "--threads", "\(threads)", "--output", "run"]
        + reference.options(steps: steps))
    #expect(outcome.code == 0, "\(outcome)")
    try reference.expect(run, steps: steps)
    #expect(try run.status()["state"]?.stringValue == "done")
    #expect(try run.steps().allSatisfy { (1...workers).contains($0.workers) })
    #expect(try run.steps().map { $0.json["samples"]?.integerValue } == (0..<steps).map { $0 % 3 == 2 ? 5 : 16 })
  }

  /// Five steps of networks with convolutions by every method, shared by threads and by workers.
  @Test(arguments: [("googlenet-seed", "32", "0.1"), ("googlenet", "64", "0.25")])
  func fiveStepsGiveOneStateOnAnyHosts(model: String, size: String, width: String) throws {
    let hosts = [(workers: 1, threads: 1), (1, 2), (1, 3), (1, 7), (3, 1)]
    let hashes = try hosts.map { workers, threads in
      let run = RunFiles(Sandbox.current.path("\(workers)-\(threads)"))
      let outcome = try trainer([
        "train", "--model", model, "--image-size", size, "--width", width, "--data",
        "synthetic:samples=37,size=\(size),classes=10,seed=1", "--global-batch", "16", "--microbatch", "4", "--seed",
        "7", "--steps", "5", "--workers", "\(workers)", "--threads", "\(threads)", "--output", run.path,
      ])
      #expect(outcome.code == 0, "\(outcome)")
      return try run.hashes()
    }
    #expect(hashes[0].count == 5 && Set(hashes).count == 1, "\(hashes)")
  }

  @Test(arguments: [["--seed", "8"], ["--dropout", "off"], ["--augment", "none"], ["--microbatch", "8"]])
  func whatShouldChangeTheBitsDoes(option: [String]) throws {
    let outcome = try trainer(["train", "--output", "run"] + reference.options(steps: 4) + option)
    #expect(outcome.code == 0, "\(outcome)")
    let hashes = try run.hashes()
    #expect(hashes.count == 4)
    #expect(zip(hashes, reference.hashes).allSatisfy { $0 != $1 })
  }

  @Test func theSameRunTwiceLeavesTheSameFiles() throws {
    let runs = ["one", "two"].map { RunFiles(Sandbox.current.path($0)) }
    for run in runs {
      let outcome = try trainer(
        [
          "train", "--workers", "2", "--output", run.path, "--validation",
          "synthetic:samples=9,size=32,classes=10,seed=2",
        ]
          + reference.options(steps: 4))
      #expect(outcome.code == 0, "\(outcome)")
    }
    #expect(try runs[0].checkpoints() == [0, 3, 4] && runs[1].checkpoints() == [0, 3, 4])
    for step in [0, 3, 4] {
      for paths in [runs.map { $0.checkpoint(step) }, runs.map { $0.optimizer(step) }] {
        let files = try paths.map { try TensorFile(path: $0) }
        #expect(files[0].tensors == files[1].tensors)
        #expect(try tensorBytes(files[0].path) == tensorBytes(files[1].path))
        // Each run has its own id and its own folder; everything else that the files say is the same.
        let ownKeys = ["run_id", "configuration", "content_digest"]
        let said = files.map { $0.metadata.filter { !ownKeys.contains($0.key) } }
        #expect(said[0] == said[1])
      }
    }
    // All that was measured of the network, not of the host.
    let hostly: Set = ["seconds", "images_per_second", "workers"]
    let logs = try runs.map { run in
      try run.lines().filter { $0["kind"]?.stringValue != "event" }.map { line -> [JSONValue.Member] in
        guard case .object(let members) = line else { return [] }
        return members.filter { !hostly.contains($0.name) }
      }
    }
    #expect(logs[0] == logs[1] && logs[0].count == 6)
  }

  /// Anybody can recompute `state_hash`: this does, with a list of keys and XXH3 alone.
  @Test func theStateHashIsThatOfItsDefinition() throws {
    let outcome = try trainer(["train", "--output", "run", "--keep", "9"] + reference.options(steps: 6))
    #expect(outcome.code == 0, "\(outcome)")
    #expect(try run.checkpoints() == [0, 3, 6])
    for step in [0, 3, 6] {
      let file = try TensorFile(path: run.checkpoint(step))
      #expect(Set(file.tensors.map(\.name)) == Set(StateDictionary.keys))
      let hash = try StateDictionary.hash(ofCheckpoint: run.checkpoint(step))
      #expect(file.metadata["state_hash"] == hash)
      if step > 0 { #expect(try run.hashes()[step - 1] == hash) }
    }
    #expect(try run.status()["state_hash"]?.stringValue == reference.hashes[5])
  }

  /// Initial weights written by `init` are those that a run of the same seed starts from.
  @Test func aRunFromWrittenInitialWeightsIsTheSameRun() throws {
    let written = try trainer(
      "init", "--model", "googlenet-seed", "--classes", "10", "--width", "0.1", "--seed", "7", "--out", "w.safetensors")
    #expect(written.code == 0, "\(written)")
    let outcome = try trainer(
      ["train", "--output", "run", "--init-from", "w.safetensors"] + reference.options(steps: 4))
    #expect(outcome.code == 0, "\(outcome)")
    try reference.expect(run, steps: 4)
  }
}
