import Datasets
import Lockstep
import Models
import Testing
import Training

@testable import Roles

/// What a run makes of `--labels` and of weights that want `transform_input`.
@Suite struct PreparedPicturesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func prepare(_ values: [String: String]) throws(Failure) -> PreparedRun {
    var options = RunOptions()
    for (key, value) in values { options.set(key, value) }
    for (key, value) in [
      ("data", "synthetic:samples=8,size=32,classes=3"), ("width", "0.1"), ("output", folder("run")),
      ("global-batch", "8"),
    ] {
      options.set(key, value)
    }
    return try PreparedRun(RunStart(options: options, resume: nil))
  }

  /// Initial weights that do or do not say that they want `transform_input`.
  private func weights(transformsInput: Bool) throws -> String {
    let model = try Model(ModelCatalog.definition(named: "googlenet-seed"), classes: 3, imageSize: 32, width: 0.1)
    var metadata = CheckpointMetadata(initialStateOf: model)
    metadata.transformsInput = transformsInput
    let path = folder("weights-\(transformsInput).safetensors")
    try Checkpoint.writeParameters(
      StateSnapshot(initialStateOf: model, seed: 0), of: model, metadata: metadata, to: path)
    return path
  }

  @Test func labelsNameTheClasses() throws {
    let path = try folder.write("one\ntwo\nthree\n", to: "labels.txt")
    let run = try prepare(["labels": path])
    #expect(run.classNames == ["one", "two", "three"] && run.configuration.labels == path)
    let plain = try prepare([:])
    #expect(plain.classNames == plain.training.classNames && plain.classNames.count == 3)
    try folder.write("one\ntwo\n", to: "labels.txt")
    expectFailure(.mismatch, saying: path, "2 classes") { () throws(Failure) in try prepare(["labels": path]) }
  }

  @Test func transformInputIsInheritedUnlessTheUserSaysOtherwise() throws {
    let (with, without) = (try weights(transformsInput: true), try weights(transformsInput: false))
    for (values, expected) in [
      (["init-from": with], true), (["init-from": with, "transform-input": "off"], false),
      (["init-from": without], false), (["init-from": without, "transform-input": "on"], true), ([:], false),
    ] {
      #expect(try prepare(values).configuration.transformInput == expected, "\(values)")
    }
    #expect(try prepare(["init-from": with]).remarks.contains { $0.contains("transform_input") })
    #expect(try prepare(["init-from": with, "transform-input": "on"]).remarks.isEmpty)
    expectFailure(.usage, saying: "--transform-input", "half") { () throws(Failure) in
      try prepare(["init-from": with, "normalization": "half"])
    }
    expectFailure(.usage, saying: "--transform-input", "--init-from") { () throws(Failure) in
      try prepare(["transform-input": "on"])
    }
  }
}
