import Foundation
import Glibc
import Testing

/// What cannot be written is said, and what was written before stays whole.
@Suite("Disks", .serialized, .sandboxed)
struct DiskTests {
  /// Only root may mount a small disk.
  static let canMount: Bool = {
    guard geteuid() == 0, let sandbox = try? Sandbox() else { return false }
    defer { sandbox.close() }
    return (try? sandbox.mountMemory("disk", bytes: 65_536)) != nil
  }()

  /// The disk fills up while a checkpoint is written: in the run's own folder, or in that of its checkpoints.
  @Test(.enabled(if: canMount), arguments: ["run", "run/checkpoints"])
  func aFullDiskLeavesTheCheckpointBeforeIntact(disk: String) throws {
    let reference = try ReferenceRun.short.get(), run = RunFiles(Sandbox.current.path("run"))
    let options = reference.options(steps: 6)
    let measured = try trainer(["train", "--output", "measured"] + options)
    #expect(measured.code == 0, "\(measured)")
    let other = RunFiles(Sandbox.current.path("measured"))
    let checkpoint = try [other.checkpoint(3), other.optimizer(3)].reduce(0) { sum, path in
      sum + (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0)
    }
    // Room for those of steps 0 and 3, and for half of that of step 6.
    let path = try Sandbox.current.mountMemory(disk, bytes: checkpoint * 5 / 2 + 65_536)

    let outcome = try trainer(["train", "--output", "run"] + options)
    #expect(outcome.code == 73, "\(outcome)")
    #expect(outcome.errors.contains("step-00000006"), "\(outcome)")
    #expect(outcome.errors.contains("No space left on device"), "\(outcome)")
    #expect(try run.checkpoints() == [0, 3])
    let left = try FileManager.default.contentsOfDirectory(atPath: run.path + "/checkpoints")
    #expect(left.allSatisfy { !$0.contains("partial") && !$0.hasSuffix(".new") }, "\(left)")
    #expect(try StateDictionary.hash(ofCheckpoint: run.checkpoint(3)) == reference.hashes[2])
    let evaluated = try trainer(
      "evaluate", "--checkpoint", run.checkpoint(3), "--data", "synthetic:samples=9,size=32,classes=10", "--json")
    #expect(evaluated.code == 0, "\(evaluated)")

    // With more room the run goes on from there.
    try Sandbox.current.remountMemory(path, bytes: 64 << 20)
    let resumed = try trainer("train", "--resume", "run")
    #expect(resumed.code == 0, "\(resumed)")
    try reference.expect(run, steps: 6)
  }

  @Test func aFolderThatCannotBeMadeIsSaid() throws {
    let path = Sandbox.current.path("file")
    #expect(FileManager.default.createFile(atPath: path, contents: Data()))
    let data = ["--data", "synthetic:samples=37"]
    try expectFailure(["train", "--output", "file/run"] + data, code: 73, saying: ["file/run"])
    try expectFailure(["init", "--width", "0.1", "--out", "nowhere/w.safetensors"], code: 73, saying: ["nowhere/w"])
    try expectFailure(
      ["dataset", "synthesize", "--samples", "20", "--output", "file/set"], code: 73, saying: ["file'"])
  }

  @Test func aFolderThatHoldsARunIsNotOverwritten() throws {
    let reference = try ReferenceRun.short.get(), run = RunFiles(Sandbox.current.path("run"))
    let options = reference.options(steps: 2)
    let outcome = try trainer(["train", "--output", "run"] + options)
    #expect(outcome.code == 0, "\(outcome)")
    let before = try run.lines()
    for command in ["train", "coordinator"] {
      try expectFailure(
        [command, "--output", "run"] + options, code: 73, saying: ["already holds a run", "--resume run"])
    }
    #expect(try run.lines() == before)
  }

  @Test func twoCoordinatorsCannotWriteToOneRun() throws {
    let reference = try ReferenceRun.short.get(), cluster = try Cluster()
    let coordinator = try cluster.coordinator(reference.options(steps: 4))
    try coordinator.wait(toSay: "listening on")
    try expectFailure(
      ["coordinator", "--bind", "tcp://127.0.0.1:0", "--resume", cluster.run.path], code: 73,
      saying: ["another coordinator"])
    let worker = try cluster.worker("worker")
    for program in [coordinator, worker] { try expect(program, endsWith: 0) }
    try reference.expect(cluster.run, steps: 4)
  }
}
