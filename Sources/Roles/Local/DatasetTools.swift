import Datasets
import Foundation
import Lockstep

/// `trainer dataset synthesize`: writes drawn pictures as real files.
public func synthesizeDataset(
  format: String, samples: Int, validationSamples: Int, size: Int, classes: Int, seed: UInt64, output: String
) throws(Failure) {
  guard let kind = SynthesisFormat(rawValue: format) else {
    let choices = SynthesisFormat.allCases.map(\.rawValue).joined(separator: ", ")
    throw Failure(.usage, "--format: '\(format)' is not one of \(choices)")
  }
  let line = StatusLine(), total = samples + max(0, validationSamples)
  try failing {
    try synthesize(
      format: kind, samples: samples, validationSamples: validationSamples, size: size, classes: classes, seed: seed,
      output: output
    ) { done in
      if done % 64 == 0 || done == total {
        line.progress("\(done) of \(total) pictures written to \(output)", isLast: done == total)
      }
    }
  }
}

/// What `trainer dataset inspect` prints.
public struct DatasetReport {
  private let inspection: DatasetInspection

  /// Decodes every sample of a dataset.
  public init(data spec: String, validation: Bool, imageSize: Int) throws(Failure) {
    let line = StatusLine()
    inspection = try failing {
      try DatasetCatalog.inspect(spec, role: validation ? .validation : .training, imageSize: imageSize) { done in
        if done % 256 == 0 { line.progress("\(done) samples decoded") }
      }
    }
    line.progress("\(inspection.count) samples decoded", isLast: true)
  }

  /// 65 where a sample is bad.
  public var exitCode: Int32 { inspection.bad.isEmpty ? ExitCode.done.rawValue : ExitCode.badData.rawValue }

  /// For people.
  public var text: String {
    var lines = [
      "\(inspection.spec): \(inspection.count) samples, \(inspection.classes.count) classes, \(inspection.byteCount) bytes"
    ]
    lines.append("fingerprint \(inspection.fingerprint?.hex ?? "unknown: a sample that it needs cannot be read")")
    lines += inspection.classes.map { "  \($0.name): \($0.count)" }
    lines += inspection.sizes.prefix(10).map { "  \($0.width)×\($0.height): \($0.count)" }
    if inspection.sizes.count > 10 { lines.append("  and \(inspection.sizes.count - 10) other sizes") }
    lines += inspection.bad.map { "bad: \($0.name): \($0.reason)" }
    return lines.joined(separator: "\n")
  }

  /// One JSON object.
  public var json: String {
    struct Class: Encodable {
      let name: String, samples: Int
    }
    struct Size: Encodable {
      let width: Int, height: Int, samples: Int
    }
    struct Bad: Encodable {
      let file: String, reason: String
    }
    struct Fields: Encodable {
      let data: String, samples: Int, bytes: Int, fingerprint: Digest?, classes: [Class], sizes: [Size], bad: [Bad]
    }
    return jsonLine(
      Fields(
        data: inspection.spec, samples: inspection.count, bytes: inspection.byteCount,
        fingerprint: inspection.fingerprint,
        classes: inspection.classes.map { Class(name: $0.name, samples: $0.count) },
        sizes: inspection.sizes.map { Size(width: $0.width, height: $0.height, samples: $0.count) },
        bad: inspection.bad.map { Bad(file: $0.name, reason: $0.reason) }))
  }
}
