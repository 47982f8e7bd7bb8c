import Foundation
import Glibc
import Interchange
import Testing

/// Coordinators and workers that are started by hand find each other.
@Suite("Coordinators and workers by hand", .serialized, .sandboxed)
struct ByHandTests {
  @Test func aWorkerMayComeBeforeItsCoordinator() throws {
    let reference = try ReferenceRun.short.get(), cluster = try Cluster()
    let worker = try cluster.worker("early")
    try worker.wait(toSay: "waiting for the coordinator at \(cluster.endpoint)")
    #expect(!worker.hasEnded)
    let coordinator = try cluster.coordinator(reference.options(steps: 4))
    for program in [coordinator, worker] { try expect(program, endsWith: 0) }
    #expect(worker.errors.contains("joined run"))
    try reference.expect(cluster.run, steps: 4)
  }

  @Test func variablesStandForFlagsOfAWorkerThatAreNotGiven() throws {
    let reference = try ReferenceRun.short.get(), cluster = try Cluster()
    let coordinator = try cluster.coordinator(reference.options(steps: 4))
    let worker = try start(
      ["worker"],
      environment: ["TRAINER_COORDINATOR": cluster.endpoint, "TRAINER_THREADS": "1", "TRAINER_NAME": "by variables"])
    for program in [coordinator, worker] { try expect(program, endsWith: 0) }
    let joined = try cluster.run.lines(kind: "event").filter { $0["event"]?.stringValue == "joined" }
    #expect(joined.compactMap { $0["worker"]?.stringValue } == ["by variables"])
    #expect(worker.errors.contains("with 1 threads"))
  }

  @Test func aWorkerGivesUpAfterItsPatience() throws {
    let cluster = try Cluster()
    let outcome = try expect(try cluster.worker("lonely", ["--patience", "1"]), endsWith: 75)
    #expect(outcome.errors.contains("no coordinator answered"))
  }

  @Test func aCoordinatorAloneMakesNoStep() throws {
    let reference = try ReferenceRun.short.get(), cluster = try Cluster()
    let coordinator = try cluster.coordinator(reference.options(steps: 4))
    try cluster.run.wait(forEvent: "waiting", of: coordinator)
    try coordinator.wait(toSay: "waiting for workers")
    #expect(try cluster.run.steps().isEmpty)
    coordinator.signal(SIGINT)
    try expect(coordinator, endsWith: 130)
    #expect(try cluster.run.steps().isEmpty)
    #expect(try cluster.run.status()["step"]?.integerValue == 0)
    #expect(try cluster.run.checkpoints() == [0])
  }

  @Test func aWorkerThatLeavesIsNotMissed() throws {
    let reference = try ReferenceRun.long.get(), cluster = try Cluster()
    let coordinator = try cluster.coordinator(reference.options(steps: 34))
    let workers = try cluster.workersTogether(["leaving", "staying"], of: coordinator)
    let (leaving, staying) = (workers[0], workers[1])
    try cluster.run.wait(forStep: 3, of: coordinator)
    leaving.signal(SIGTERM)
    try expect(leaving, endsWith: 143)
    for program in [coordinator, staying] { try expect(program, endsWith: 0) }
    #expect(try cluster.run.events().contains("left"))
    try reference.expect(cluster.run, steps: 34)
  }

  /// A worker that hangs cannot keep the coordinator from ending.
  @Test func aCoordinatorIsStoppedAlthoughItsWorkerHangs() throws {
    let reference = try ReferenceRun.long.get(), cluster = try Cluster()
    let coordinator = try cluster.coordinator(reference.options(steps: 34))
    let worker = try cluster.worker("worker")
    try cluster.run.wait(forStep: 2, of: coordinator)
    worker.signal(SIGSTOP)
    coordinator.signal(SIGTERM)
    try expect(coordinator, endsWith: 143)
    let reached = try cluster.run.lastStep()
    #expect(try (2..<34).contains(reached) && cluster.run.checkpoints().last == reached)
  }

  /// Port 0: the system chooses, and the coordinator says what.
  @Test func freePortsAreChosenAndPrinted() throws {
    let reference = try ReferenceRun.short.get(), run = RunFiles(Sandbox.current.path("run"))
    let coordinator = try start(
      ["coordinator", "--bind", "tcp://127.0.0.1:0", "--output", run.path] + reference.options(steps: 4))
    try coordinator.wait(toSay: "listening on")
    let line = try #require(coordinator.errors.split(separator: "\n").first { $0.contains("listening on") })
    let endpoints = line.matches(of: /tcp:\/\/127\.0\.0\.1:(\d+)/)
    let ports = endpoints.compactMap { Int($0.output.1) }
    #expect(ports.count == 3 && Set(ports).count == 3 && !ports.contains(0), "\(line)")
    let endpoint = try #require(endpoints.first).output.0
    try expect(try start(["worker", "--coordinator", String(endpoint), "--threads", "1"]), endsWith: 0)
    try expect(coordinator, endsWith: 0)
    try reference.expect(run, steps: 4)
  }

  /// The port of control, of bulk and of samples.
  @Test(arguments: 0..<3) func aPortInUseIsSaid(offset: Int) throws {
    let cluster = try Cluster()
    let taken = try ListeningPort(cluster.firstPort + offset)
    try expectFailure(
      ["coordinator", "--bind", cluster.endpoint, "--output", "run", "--data", "synthetic:samples=37"], code: 69,
      saying: [String(taken.number)])
    // What never began leaves its folder free.
    #expect(!FileManager.default.fileExists(atPath: cluster.run.path))
  }

  @Test func anAddressOfAnotherHostIsSaid() throws {
    // Reserved for documentation (RFC 5737): nobody has it.
    try expectFailure(
      ["coordinator", "--bind", "tcp://192.0.2.1:5555", "--output", "run", "--data", "synthetic:samples=37"], code: 69,
      saying: ["192.0.2.1"])
  }

  /// One worker is sent its samples, one reads its own copy, and one whose copy differs is refused.
  @Test func samplesComeFromTheCoordinatorOrFromAnEqualCopy() throws {
    try synthesize("pictures", samples: 41, validationSamples: 11, classes: 5)
    let files = FileManager.default, box = Sandbox.current
    for copy in ["copy", "other"] { try files.copyItem(atPath: box.path("pictures"), toPath: box.path(copy)) }
    let folder = box.path("other/train")
    let relative = try #require(try files.subpathsOfDirectory(atPath: folder).filter { $0.hasSuffix(".jpg") }.min())
    try files.removeItem(atPath: folder + "/" + relative)
    let options = [
      "--data", "imagefolder:pictures/train", "--validation", "imagefolder:pictures/validation", "--width", "0.1",
      "--global-batch", "16", "--microbatch", "4", "--epochs", "2",
    ]

    let cluster = try Cluster(), coordinator = try cluster.coordinator(options)
    let other = try expect(try cluster.worker("other", ["--data", "imagefolder:other/train"]), endsWith: 78)
    #expect(other.errors.contains("fingerprint"))
    try cluster.run.wait(forEvent: "refused", of: coordinator)
    let workers = try cluster.workersTogether(
      [("copying", ["--data", "imagefolder:copy/train"]), ("receiving", [])], of: coordinator)
    for program in [coordinator] + workers { try expect(program, endsWith: 0) }

    // Each of the two alone gives the same.
    for (name, data) in [("copying", ["--data", "imagefolder:copy/train"]), ("receiving", [])] {
      let alone = try Cluster(output: name), coordinator = try alone.coordinator(options)
      let worker = try alone.worker(name, data)
      for program in [coordinator, worker] { try expect(program, endsWith: 0) }
      #expect(try alone.run.hashes() == cluster.run.hashes())
      #expect(try alone.run.validations() == cluster.run.validations())
    }
    #expect(try cluster.run.hashes().count == 6)
    #expect(try cluster.run.validations().count == 2)
  }
}

extension RunFiles {
  /// Loss, top-1 and top-5 of each epoch.
  fileprivate func validations() throws -> [[Double?]] {
    try lines(kind: "epoch").map { line in
      ["loss", "top1", "top5"].map { line["validation"]?[$0]?.doubleValue }
    }
  }
}

/// Writes an image folder into the sandbox.
func synthesize(
  _ output: String, format: String = "imagefolder", samples: Int, validationSamples: Int = 0, classes: Int
) throws {
  let outcome = try trainer(
    "dataset", "synthesize", "--format", format, "--samples", "\(samples)", "--validation-samples",
    "\(validationSamples)", "--size", "32", "--classes", "\(classes)", "--seed", "3", "--output", output)
  #expect(outcome.code == 0, "\(outcome)")
}
