import Datasets
import Foundation
import Lockstep
import Models
import Testing
import Training

@testable import Roles

/// What a continued run makes of the options it is continued with.
@Suite struct ResumedRunTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func options(initFrom path: String) -> RunOptions {
    var options = RunOptions()
    for (key, value) in [
      ("data", "synthetic:samples=8,size=32,classes=3"), ("width", "0.1"), ("output", folder("run")),
      ("global-batch", "8"), ("init-from", path),
    ] {
      options.set(key, value)
    }
    return options
  }

  private func writeWeights(_ name: String, seed: UInt64) throws -> String {
    let model = try Model(ModelCatalog.definition(named: "googlenet-seed"), classes: 3, imageSize: 32, width: 0.1)
    let path = folder(name)
    try Checkpoint.writeParameters(
      StateSnapshot(initialStateOf: model, seed: seed), of: model, metadata: CheckpointMetadata(initialStateOf: model),
      to: path)
    return path
  }

  /// A path that is spelled otherwise is no reason to begin anew; other weights are one to refuse.
  @Test func itsCheckpointsCountHoweverItsWeightsAreSpelled() throws {
    let path = try writeWeights("weights.safetensors", seed: 1)
    let run = try PreparedRun(RunStart(options: options(initFrom: path), resume: nil))
    #expect(run.initial != nil)
    try RunDirectory(path: folder("run"), resuming: false).begin()
    try folder.write(run.configuration.json, to: "run/config.json")

    for spelling in [path, folder("./weights.safetensors")] {
      let resumed = try PreparedRun(RunStart(options: options(initFrom: spelling), resume: "auto"))
      #expect(resumed.initial == nil, "\(spelling)")
      #expect(resumed.configuration.initialState == run.configuration.initialState)
      #expect(resumed.configuration.isSameWork(as: run.configuration), "its workers go on with what they have")
    }
    var longer = run.configuration
    longer.steps += 1
    #expect(!longer.isSameWork(as: run.configuration))

    let other = try writeWeights("other.safetensors", seed: 2)
    expectFailure(.mismatch, saying: "--init-from") { () throws(Failure) in
      try PreparedRun(RunStart(options: options(initFrom: other), resume: "auto"))
    }
  }
}
