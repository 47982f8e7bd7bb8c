import Foundation
import Lockstep
import Testing

@testable import Roles

/// A new folder that is removed with the last reference to it.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "roles-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A path in it.
  func callAsFunction(_ name: String) -> String { path + "/" + name }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: self(name)))
    return self(name)
  }

  func read(_ name: String) throws -> String { try String(contentsOfFile: self(name), encoding: .utf8) }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: self(name)) }
}

/// Expects that something fails with a code and says certain things.
func expectFailure<Result>(
  _ code: Roles.ExitCode, saying texts: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws(Failure) -> Result
) {
  do throws(Failure) {
    _ = try body()
    Issue.record("it did not fail", sourceLocation: sourceLocation)
  } catch {
    #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
    for text in texts { #expect(error.description.contains(text), "\(error)", sourceLocation: sourceLocation) }
  }
}

/// A configuration with a value for every key.
func fullConfiguration(output: String = "runs/x") -> RunConfiguration {
  var configuration = RunConfiguration(
    model: "googlenet-seed", classes: 10, imageSize: 32, data: "synthetic:samples=37", samples: 37,
    fingerprint: Digest(high: 1, low: 2), normalization: .imagenet, steps: 9, initialState: Digest(high: 3, low: 4),
    labelSmoothing: 0.1, auxWeight: 0.3, output: output)
  configuration.validation = "synthetic:samples=9"
  configuration.validationSamples = 9
  configuration.validationFingerprint = Digest(high: 5, low: 6)
  configuration.initFrom = "w.safetensors"
  configuration.seed = .max
  return configuration
}
