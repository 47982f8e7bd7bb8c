import Glibc
import Interchange
import Testing

/// Whatever is killed, the run goes on and its bits stay the same.
@Suite("Crashes of real processes", .serialized, .sandboxed)
struct CrashTests {
  /// The end of a step is when the next begins; three times a worker is killed just then.
  @Test func aWorkerKilledInMidStepChangesNothing() throws {
    let reference = try ReferenceRun.long.get()
    let train = try start(
      ["train", "--workers", "2", "--threads", "1", "--output", "run"] + reference.options(steps: 34))
    let run = RunFiles(Sandbox.current.path("run"))
    for kill in 1...3 {
      try run.wait(forStep: 4 * kill, of: train)
      try run.wait(forEvent: "joined", count: 1 + kill, of: train)
      let worker = try child("worker", of: train, index: kill)
      worker.send(SIGKILL)
      try run.wait(forEvent: "lost", count: kill, of: train)
      try run.wait(forEvent: "joined", count: 2 + kill, of: train)
    }
    let outcome = try expect(train, endsWith: 0)
    #expect(outcome.errors.contains("was ended by signal 9; starting it again"))
    try reference.expect(run, steps: 34)
  }

  /// Every model of the catalog, at a narrow width and the smallest images that it trains on, and three workers.
  @Test(arguments: [
    ("googlenet-seed", "32"), ("googlenet", "64"), ("googlenet-paper", "79"), ("inception-v3", "299"),
  ])
  func aKilledWorkerChangesNoModel(name: String, size: String) throws {
    let options = [
      "train", "--model", name, "--image-size", size, "--width", "0.1", "--data",
      "synthetic:samples=50,size=\(size),classes=10,seed=1", "--global-batch", "12", "--microbatch", "2", "--seed", "7",
      "--steps", "10",
    ]
    let calm = RunFiles(Sandbox.current.path("calm")), disturbed = RunFiles(Sandbox.current.path("disturbed"))
    let outcome = try trainer(options + ["--workers", "1", "--threads", "2", "--output", calm.path])
    #expect(outcome.code == 0, "\(outcome)")
    let train = try start(options + ["--workers", "3", "--threads", "1", "--output", disturbed.path])
    try disturbed.wait(forStep: 2, of: train)
    try child("worker", of: train, named: try disturbed.lastJoined()).send(SIGKILL)
    try expect(train, endsWith: 0)
    #expect(try disturbed.events().contains("lost"))
    #expect(try calm.hashes() == disturbed.hashes() && Set(calm.hashes()).count == 10)
    #expect(try tensorBytes(calm.checkpoint(10)) == tensorBytes(disturbed.checkpoint(10)))
    #expect(try tensorBytes(calm.optimizer(10)) == tensorBytes(disturbed.optimizer(10)))
  }

  /// Every optimizer that is not the reference's, clipping, both averages, frozen parameters and inherited weights;
  /// validation reads the average.
  @Test(arguments: [
    ["--optimizer", "rmsprop", "--learning-rate", "0.001", "--clip-norm", "2"],
    [
      "--optimizer", "rmsprop-tf", "--average", "ema", "--clip-norm", "0.5", "--decay", "no-bn-bias", "--freeze",
      "stem,im1.,aux1",
    ],
    ["--optimizer", "lars", "--learning-rate", "2", "--average", "polyak", "--average-start", "4", "--decay", "caffe"],
    ["--init-from", "other.safetensors", "--freeze", "stem", "--trunk-learning-rate-factor", "0.1"],
  ])
  func aKilledWorkerChangesNoOtherUpdateEither(way: [String]) throws {
    let options =
      [
        "--model", "googlenet-seed", "--width", "0.1", "--data", "synthetic:samples=90,size=32,classes=10,seed=1",
        "--validation", "synthetic:samples=9,size=32,classes=10,seed=2", "--global-batch", "12", "--microbatch", "4",
        "--seed", "7", "--threads", "1", "--keep", "9",
      ] + way
    let length = ["--steps", "24"]
    if way.contains("--init-from") {
      let written = try trainer("init", "--classes", "7", "--width", "0.1", "--out", "other.safetensors")
      #expect(written.code == 0, "\(written)")
    }
    let calm = RunFiles(Sandbox.current.path("calm")), disturbed = RunFiles(Sandbox.current.path("disturbed"))
    let outcome = try trainer(["train", "--workers", "1", "--output", calm.path] + options + length)
    #expect(outcome.code == 0, "\(outcome)")

    // The other one ends after six steps, is made longer, and loses a worker, and after the checkpoint of its first epoch
    // the coordinator.
    let half = try trainer(["train", "--workers", "1", "--output", disturbed.path] + options + ["--steps", "6"])
    #expect(half.code == 0, "\(half)")
    let train = try start(["train", "--workers", "3", "--resume", disturbed.path] + length)
    try disturbed.wait(forStep: 7, of: train)
    try child("worker", of: train, named: try disturbed.lastJoined()).send(SIGKILL)
    try disturbed.wait(forEvent: "lost", of: train)
    try disturbed.wait(forStep: 9, of: train)
    try child("coordinator", of: train).send(SIGKILL)
    try expect(train, endsWith: 0)
    #expect(try !disturbed.steps("metrics.superseded.jsonl").isEmpty)
    #expect(try calm.hashes() == disturbed.hashes() && Set(calm.hashes()).count == 24)
    // What was the end of the run, in between, was evaluated too.
    let epochs = try disturbed.lines(kind: "epoch").filter { $0["step"]?.integerValue != 6 }
    #expect(try calm.lines(kind: "epoch") == epochs && epochs.count == 3)
    #expect(try calm.steps().map { $0.json["gradient_norm"] } == disturbed.steps().map { $0.json["gradient_norm"] })
    #expect(try calm.steps().allSatisfy { ($0.json["gradient_norm"] != nil) == way.contains("--clip-norm") })
    for kind in ["", ".optimizer", ".averaged"] where kind != ".averaged" || way.contains("--average") {
      let name = "/checkpoints/step-00000024\(kind).safetensors"
      #expect(try tensorBytes(calm.path + name) == tensorBytes(disturbed.path + name), "\(name)")
    }

    let first = try tensorBytes(calm.checkpoint(0)), last = try tensorBytes(calm.checkpoint(24))
    let freeze = way.firstIndex(of: "--freeze").map { way[$0 + 1].split(separator: ",") } ?? []
    for (name, bytes) in first where !name.hasSuffix(".bias") {
      #expect((last[name] == bytes) == freeze.contains { name.hasPrefix($0) }, "\(name)")
    }

    // What a run validates with is what its folder stands for.
    let evaluated = try object(
      try trainer(
        "evaluate", "--checkpoint", calm.path, "--data", "synthetic:samples=9,size=32,classes=10,seed=2",
        "--batch", "4", "--json"))
    let validation = try #require(try calm.lines(kind: "epoch").last?["validation"])
    for key in ["loss", "top1", "top5"] { #expect(evaluated[key] == validation[key], "\(key)") }
  }

  @Test func allWorkersKilledAtOnceChangeNothing() throws {
    let reference = try ReferenceRun.long.get(), cluster = try Cluster(), run = cluster.run
    let coordinator = try cluster.coordinator(reference.options(steps: 34))
    let workers = try cluster.workersTogether(["a", "b"], of: coordinator)
    try run.wait(forStep: 5, of: coordinator)
    for worker in workers { worker.signal(SIGKILL) }
    for worker in workers { try expect(worker, endsWith: -SIGKILL) }
    try run.wait(forEvent: "lost", count: 2, of: coordinator)
    try eventually("that it waits", from: coordinator) { () -> Bool? in
      let events = try run.events()
      guard let waiting = events.lastIndex(of: "waiting"), let lost = events.lastIndex(of: "lost") else { return nil }
      return waiting > lost ? true : nil
    }
    let reached = try run.lastStep()
    #expect(reached < 34)

    let last = try cluster.worker("c")
    try expect(coordinator, endsWith: 0)
    try expect(last, endsWith: 0)
    try reference.expect(run, steps: 34)
  }

  /// The coordinator dies between two checkpoints: what it had done since is done again and gives the same bits.
  @Test func aCoordinatorKilledAndResumedChangesNothing() throws {
    let reference = try ReferenceRun.long.get(), cluster = try Cluster(), run = cluster.run
    let first = try cluster.coordinator(reference.options(steps: 34))
    let workers = try cluster.workersTogether(["a", "b"], of: first)
    try run.wait(forStep: 4, of: first)
    first.signal(SIGKILL)
    try expect(first, endsWith: -SIGKILL)
    let reached = try run.steps()
    let saved = try #require(try run.checkpoints().last)
    #expect(saved < reached.count, "the test was too slow to see a step without a checkpoint")
    // The workers miss it, say so, and wait.
    for worker in workers { try worker.wait(toSay: "no word from the coordinator") }

    let second = try cluster.resumingCoordinator()
    try expect(second, endsWith: 0)
    for worker in workers { try expect(worker, endsWith: 0) }
    #expect(second.errors.contains("continuing from step \(saved)"))
    try reference.expect(run, steps: 34)
    #expect(try run.steps("metrics.superseded.jsonl") == Array(reached.dropFirst(saved)))
  }

  /// The run is made longer while a worker computes a leaf of many samples, which nobody wants any more.
  @Test func aWorkerInMidLeafIsGivenAnotherConfiguration() throws {
    let cluster = try Cluster()
    let first = try cluster.coordinator([
      "--model", "googlenet-seed", "--width", "0.5", "--data", "synthetic:samples=256,size=32,classes=10,seed=1",
      "--global-batch", "128", "--microbatch", "128", "--steps", "1",
    ])
    let worker = try cluster.worker("a")
    try cluster.run.wait(forEvent: "joined", of: first)
    let joined = try #require(HostProcess(pid: worker.pid)).ticks
    try eventually("half a second of computing", from: worker) {
      HostProcess(pid: worker.pid).map { $0.ticks > joined + 50 } == true ? true : nil
    }
    first.signal(SIGKILL)
    try expect(first, endsWith: -SIGKILL)
    try expect(try cluster.resumingCoordinator(["--steps", "2"]), endsWith: 0)
    try expect(worker, endsWith: 0)
    #expect(try cluster.run.hashes().count == 2)
  }

  /// Killed at once, and when it has begun to write: either way there is a run in the end.
  @Test func aCoordinatorKilledBeforeItsRunBeganBeginsItAgain() throws {
    let reference = try ReferenceRun.short.get()
    let train = try start(
      ["train", "--workers", "1", "--threads", "1", "--output", "run"] + reference.options(steps: 4))
    let run = RunFiles(Sandbox.current.path("run"))
    let first = try child("coordinator", of: train)
    first.send(SIGKILL)
    try train.wait(toSay: "the coordinator was ended by signal 9; starting it again")
    try eventually("a configuration", from: train) { access(run.path + "/config.json", F_OK) == 0 ? true : nil }
    try child("coordinator", of: train).send(SIGKILL)
    try expect(train, endsWith: 0)
    try reference.expect(run, steps: 4)
  }

  @Test func theSupervisorStartsAKilledCoordinatorAgain() throws {
    let reference = try ReferenceRun.long.get()
    let train = try start(
      ["train", "--workers", "2", "--threads", "1", "--output", "run"] + reference.options(steps: 34))
    let run = RunFiles(Sandbox.current.path("run"))
    try run.wait(forStep: 4, of: train)
    try child("coordinator", of: train).send(SIGKILL)
    let outcome = try expect(train, endsWith: 0)
    #expect(outcome.errors.contains("the coordinator was ended by signal 9; starting it again"))
    try reference.expect(run, steps: 34)
    let superseded = try run.steps("metrics.superseded.jsonl")
    #expect(!superseded.isEmpty)
    #expect(superseded.allSatisfy { $0.hash == reference.hashes[$0.step - 1] })
  }

  @Test func childrenEndWithTheirSupervisor() throws {
    let reference = try ReferenceRun.short.get()
    let train = try start(
      ["train", "--workers", "2", "--threads", "1", "--output", "run"] + reference.options(steps: 5000))
    let run = RunFiles(Sandbox.current.path("run"))
    try run.wait(forStep: 1, of: train)
    let children = Processes.children(of: train.pid)
    #expect(children.count == 3)
    train.signal(SIGKILL)
    try expect(train, endsWith: -SIGKILL)
    let deadline = ContinuousClock.now + generous
    while children.contains(where: { Processes.isRunning($0.pid) }), ContinuousClock.now < deadline {
      _ = poll(nil, 0, 10)
    }
    #expect(children.allSatisfy { !Processes.isRunning($0.pid) })
    // The coordinator was told to stop, not killed: the run can be continued.
    #expect(try run.status()["state"]?.stringValue == "interrupted")
    #expect(try run.checkpoints().last == run.lastStep())
  }

  @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
  func aSignalSavesACheckpointFromWhichTheRunGoesOn(signal: Int32, code: Int32) throws {
    let reference = try ReferenceRun.long.get()
    let train = try start(
      ["train", "--workers", "2", "--threads", "1", "--output", "run"] + reference.options(steps: 34))
    let run = RunFiles(Sandbox.current.path("run"))
    try run.wait(forStep: 4, of: train)
    train.signal(signal)
    let outcome = try expect(train, endsWith: code)
    let reached = try run.lastStep()
    #expect(reached < 34)
    #expect(outcome.errors.contains("--resume"))
    let status = try run.status()
    #expect(status["state"]?.stringValue == "interrupted")
    #expect(status["exit_code"]?.integerValue == Int(code))
    #expect(status["step"]?.integerValue == reached && status["checkpoint"]?.integerValue == reached)
    #expect(try run.checkpoints().last == reached)
    #expect(try temporaryFiles().isEmpty)

    let resumed = try trainer("train", "--resume", run.path, "--workers", "3", "--threads", "1")
    #expect(resumed.code == 0, "\(resumed)")
    #expect(resumed.errors.contains("continuing from step \(reached)"))
    try reference.expect(run, steps: 34)
    #expect(try run.steps("metrics.superseded.jsonl").isEmpty)
    #expect(try run.status()["state"]?.stringValue == "done")
  }

  /// A run may be made longer when it is resumed; the steps before are not computed again.
  @Test func aFinishedRunCanBeMadeLonger() throws {
    let reference = try ReferenceRun.short.get()
    let run = RunFiles(Sandbox.current.path("run"))
    for steps in [4, 8] {
      let outcome = try trainer(
        ["train", "--output", "run", "--resume", "auto"] + reference.options(steps: steps))
      #expect(outcome.code == 0, "\(outcome)")
      try reference.expect(run, steps: steps)
    }
    let again = try trainer("train", "--resume", "run")
    #expect(again.code == 0, "\(again)")
    #expect(try run.hashes().count == 8)
  }
}

extension RunFiles {
  /// The worker that joined last: of several that are started, some may not be there yet.
  fileprivate func lastJoined() throws -> String {
    let joined = try lines(kind: "event").last { $0["event"]?.stringValue == "joined" }
    return try #require(joined?["worker"]?.stringValue)
  }
}

/// A child of `trainer train`, by its command and, of a worker, what it is called.
private func child(
  _ command: String, of train: RunningProgram, index: Int = 0, named name: String? = nil
) throws -> HostProcess {
  try eventually("a \(command) process", from: train) {
    let found = Processes.children(of: train.pid)
      .filter { $0.arguments.dropFirst().first == command && (name.map($0.arguments.contains) ?? true) }
      .sorted { $0.pid < $1.pid }
    return found.isEmpty ? nil : found[index % found.count]
  }
}
