import Compute
import Foundation
import Interchange
import Lockstep
import Models
import Testing

@testable import Training

/// What other programs make of these files, `scripts/check-exchange` checks.
@Suite struct ExportTests {
  private let fixture: Fixture
  private let directory: TemporaryDirectory

  init() throws {
    fixture = try Fixture()
    directory = try TemporaryDirectory()
  }

  /// A checkpoint of a run, read.
  private func trained(configure: (inout RunConfiguration) -> Void = { _ in }) throws -> TrainedModel {
    var configuration = fixture.configuration
    configure(&configuration)
    let path = directory.file("checkpoint.safetensors")
    let metadata = CheckpointMetadata(
      configuration: configuration, classNames: fixture.classNames, runID: fixture.runID, step: 7)
    try Checkpoint.writeParameters(
      fixture.state(step: 7), of: fixture.model, metadata: metadata, notes: ["average": "ema"], to: path)
    return try TrainedModel(path: path)
  }

  @Test func aCheckpointConvertedIsTheSameCheckpoint() throws {
    let trained = try trained { ($0.transformInput, $0.initFrom) = (true, "x.pth") }
    let path = directory.file("out.safetensors")
    #expect(try trained.writeSafetensors(withoutAuxiliaryHeads: false, to: path).isEmpty)
    #expect(try readBytes(path) == readBytes(directory.file("checkpoint.safetensors")))
  }

  @Test func auxiliaryHeadsMayBeLeftOut() throws {
    let original = try trained(), path = directory.file("out.safetensors")
    #expect(try original.writeSafetensors(withoutAuxiliaryHeads: true, to: path) == ["aux1", "aux2"])
    let file = try TensorFile(path: path)
    #expect(Set(file.tensors.map(\.name)) == Set(fixture.model.entries.filter { $0.group == "main" }.map(\.key)))
    // The hash is one of all tensors.
    #expect(file.metadata["state_hash"] == nil && file.metadata["format"] == "pt")
    let trained = try TrainedModel(path: path)
    var expected = original.metadata
    expected.stateHash = nil
    #expect(trained.metadata == expected && trained.startedAnew.allSatisfy { $0.hasPrefix("aux") })
    // What was not there is not made up when it is written again.
    let again = directory.file("again.safetensors")
    try trained.writeSafetensors(withoutAuxiliaryHeads: false, to: again)
    #expect(try readBytes(again) == readBytes(path))
  }

  @Test func namesAndImageSizeMayBeOthers() throws {
    var trained = try trained()
    trained.metadata.classNames = (0..<10).map { "name \($0)" }
    let path = directory.file("out.safetensors")
    try trained.writeSafetensors(withoutAuxiliaryHeads: false, to: path)
    #expect(try TrainedModel(path: path).metadata.classNames == trained.metadata.classNames)
  }

  /// Every operation of every network can be written, at its own image size and at an odd one, with batch norms and
  /// without.
  @Test(arguments: ModelCatalog.all.map(\.name)) func everyModelBecomesANetwork(name: String) throws {
    let definition = try ModelCatalog.definition(named: name)
    for size in [definition.defaultImageSize, definition.defaultImageSize + 15] {
      let model = try Model(definition, classes: 3, imageSize: size, width: 0.1)
      let path = directory.file("weights.safetensors")
      try Checkpoint.writeParameters(
        StateSnapshot(initialStateOf: model, seed: 1), of: model, metadata: CheckpointMetadata(initialStateOf: model),
        to: path)
      let trained = try TrainedModel(path: path)
      var sizes: [Int] = []
      for folds in [false, true] {
        let file = directory.file("\(folds).onnx")
        try trained.writeONNX(foldsBatchNorms: folds, to: file)
        sizes.append(try readBytes(file).count)
      }
      let parameters = 4 * model.parameterCount(withAuxiliaryHeads: false)
      #expect(sizes[0] > parameters && sizes[0] < parameters + 200_000)
      // Without batch norms there is nothing to fold.
      #expect(model.batchNorms.isEmpty ? sizes[0] == sizes[1] : sizes[0] > sizes[1])
    }
  }

  @Test func aNetworkSaysHowPicturesBecomeInputs() throws {
    let path = directory.file("x.onnx")
    try trained { $0.transformInput = true }.writeONNX(foldsBatchNorms: true, to: path)
    let text = String(decoding: try readBytes(path), as: UTF8.self)
    for part in [
      "transform_input.scale", "class 9 ü", "[0.485,0.456,0.406]", "normalization", "state_hash", "BatchNormalization",
    ] {
      #expect(text.contains(part) == (part != "BatchNormalization"), "\(part)")
    }
    #expect(!text.contains("aux1") && !text.contains("quoted"), "neither heads nor names of files")
  }
}
