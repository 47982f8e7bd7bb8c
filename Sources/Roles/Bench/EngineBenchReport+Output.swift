import Foundation
import Lockstep

extension EngineBenchReport {
  /// One JSON object.
  public var json: String {
    struct Layer: Encodable {
      let name: String?, operation: String, method: String, milliseconds: Double
      let gflops: Double, share_of_peak: Double, gb_per_second: Double, share_of_copy: Double
    }
    struct Fields: Encodable {
      let model: String, mode: String, batch: Int, threads: Int, size: Int, width: Double, classes: Int, steps: Int
      let images_per_second: Double, best_images_per_second: Double, gflops: Double, share_of_peak: Double
      let peak_gflops: Double, copy_gb_per_second: Double, peak_rss_mib: Double, loss: Double, state_hash: Digest?
      let layers: [Layer], totals: [Layer]
    }
    func layer(_ row: Row, name: String?) -> Layer {
      Layer(
        name: name, operation: row.part.operation, method: row.part.method, milliseconds: row.seconds * 1e3,
        gflops: row.flops / 1e9, share_of_peak: row.flops / peakFLOPS, gb_per_second: row.bytesPerSecond / 1e9,
        share_of_copy: row.bytesPerSecond / copyBytesPerSecond)
    }
    return jsonLine(
      Fields(
        model: options.model, mode: options.mode.rawValue, batch: options.batch, threads: options.threads, size: size,
        width: options.width, classes: options.classes, steps: stepSeconds.count, images_per_second: imagesPerSecond,
        best_images_per_second: bestImagesPerSecond, gflops: flops / 1e9, share_of_peak: flops / peakFLOPS,
        peak_gflops: peakFLOPS / 1e9, copy_gb_per_second: copyBytesPerSecond / 1e9,
        peak_rss_mib: peakResidentMebibytes, loss: loss, state_hash: stateHash,
        layers: rows.map { layer($0, name: $0.part.name) }, totals: totals.map { layer($0, name: nil) }))
  }

  /// A summary and tables.
  public var text: String {
    let step = options.mode == .train ? "training" : "evaluation"
    var lines = [
      "\(options.model) \(size)×\(size), \(step), batch \(options.batch), \(options.threads) \(options.threads == 1 ? "thread" : "threads"), "
        + "\(stepSeconds.count) steps",
      "  \(number(imagesPerSecond, 2)) images/s in the median step (\(number(stepSeconds.median * 1e3, 1)) ms), "
        + "\(number(bestImagesPerSecond, 2)) in the best",
      "  \(number(flops / 1e9, 1)) GFLOP/s as a direct computation takes them: \(percent(flops / peakFLOPS)) of the "
        + "\(number(peakFLOPS / 1e9, 1)) of multiply-adds at their peak",
      "  copies run at \(number(copyBytesPerSecond / 1e9, 1)) GB/s, read and written",
      "  peak resident memory \(number(peakResidentMebibytes, 0)) MiB",
    ]
    if let stateHash { lines.append("  state hash \(stateHash.hex), loss \(number(loss, 6))") }
    lines += ["", header("layer", "operation")] + rows.map { line($0, $0.part.name, name($0)) }
    lines += ["", header("total", "share of the step")]
    let sum = rows.reduce(0) { $0 + $1.seconds }
    lines += totals.map { line($0, name($0), percent($0.seconds / sum)) }
    return lines.joined(separator: "\n")
  }

  private static let widths = (name: 40, operation: 34)

  private func name(_ row: Row) -> String {
    row.part.operation + (row.part.method.isEmpty ? "" : ", " + row.part.method)
  }

  private func header(_ name: String, _ operation: String) -> String {
    left(name, Self.widths.name) + left(operation, Self.widths.operation)
      + ["ms", "GFLOP/s", "of peak", "GB/s", "of copy"].map { right($0, 9) }.joined()
  }

  /// What an operation does to memory is shown where memory sets its pace.
  private func line(_ row: Row, _ name: String, _ operation: String) -> String {
    var columns = [number(row.seconds * 1e3, 3), "", "", "", ""]
    if !row.isMemoryBound {
      (columns[1], columns[2]) = (number(row.flops / 1e9, 1), percent(row.flops / peakFLOPS))
    } else if row.part.bytes > 0 {
      columns[3] = number(row.bytesPerSecond / 1e9, 1)
      columns[4] = percent(row.bytesPerSecond / copyBytesPerSecond)
    }
    let shown = columns.prefix((columns.lastIndex { !$0.isEmpty } ?? 0) + 1)
    return left(name, Self.widths.name) + left(operation, Self.widths.operation)
      + shown.map { right($0, 9) }.joined()
  }

  private func number(_ value: Double, _ decimals: Int) -> String { StatusLine.number(value, decimals: decimals) }
  private func percent(_ share: Double) -> String { number(share * 100, 0) + " %" }

  /// Longer names keep their beginning and a space behind them.
  private func left(_ text: String, _ width: Int) -> String {
    let short = text.count < width ? text : text.prefix(width - 2) + "…"
    return short + String(repeating: " ", count: max(0, width - short.count))
  }

  private func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(1, width - text.count)) + text
  }
}
