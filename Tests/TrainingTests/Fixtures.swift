import Compute
import Foundation
import Lockstep
import Models

@testable import Training

/// A narrow network and a run of it, small enough for every test.
struct Fixture {
  let model: Model
  var configuration: RunConfiguration
  let runID = Digest(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
  let classNames: [String]

  init(classes: Int = 10, samples: Int = 64, microbatch: Int = 4, globalBatch: Int = 8) throws {
    model = try Model(
      ModelCatalog.definition(named: "googlenet-seed"), classes: classes, imageSize: 32, width: 0.1)
    var configuration = RunConfiguration(
      model: "googlenet-seed", classes: classes, imageSize: 32, data: "synthetic", samples: samples,
      fingerprint: Digest(high: 1, low: 2), normalization: .imagenet, steps: 100, initialState: Digest(high: 3, low: 4),
      labelSmoothing: 0.1, auxWeight: 0.3, output: "runs/a \"quoted\" name")
    (configuration.microbatch, configuration.globalBatch, configuration.width) = (microbatch, globalBatch, 0.1)
    self.configuration = configuration
    classNames = (0..<classes).map { "class \($0) ü" }
  }

  /// A state whose every value is a different number.
  func state(step: Int, seed: UInt64 = 5) -> StateSnapshot {
    var random = AddressedRandom(seed: seed, purpose: .initialization, index: step)
    func storage(_ count: Int) -> FloatStorage {
      FloatStorage(copying: (0..<count).map { _ in 2 * random.uniformFloat() - 1 })
    }
    return StateSnapshot(
      step: step, parameters: storage(model.flat.count), buffers: storage(model.bufferCount),
      batchCounts: model.batchNorms.indices.map { Int64($0 + step) }, optimizerState: [storage(model.flat.count)])
  }

  /// Random pictures as NCHW floats, and labels.
  func pictures(_ count: Int, index: Int = 0) -> (images: [Float], labels: [Int32]) {
    var random = AddressedRandom(seed: 9, purpose: .synthesis, index: index)
    let images = (0..<count * 3 * 32 * 32).map { _ in 2 * random.uniformFloat() - 1 }
    return (images, (0..<count).map { _ in Int32(random.integer(below: model.classes)) })
  }
}

/// A directory that is removed with the value.
final class TemporaryDirectory {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "training-tests-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

func readBytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

func writeBytes(_ bytes: [UInt8], to path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

/// The files of one folder of this room's sources, without their extension.
func sourceFiles(in folder: String) throws -> [String] {
  let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  let root = tests.deletingLastPathComponent().deletingLastPathComponent()
  let names = try FileManager.default.contentsOfDirectory(
    atPath: root.appendingPathComponent("Sources/Training/\(folder)").path)
  return names.filter { $0.hasSuffix(".swift") }.map { String($0.dropLast(6)) }
}
