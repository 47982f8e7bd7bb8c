import Foundation
import Testing

@testable import Roles

/// The figures of `trainer bench engine`, from parts and times that a reader can check in the head.
@Suite struct BenchReportTests {
  /// A convolution of 2 GFLOP, two batch norms of 3 MB each; four steps of 4, 10, 6 and 8 ms.
  private let report: EngineBenchReport = {
    let options = EngineBenchOptions(model: "googlenet", mode: .train, batch: 6, threads: 1, steps: 4)
    var report = EngineBenchReport(options: options, size: 224)
    let convolution = StepPart(
      name: "conv1", operation: "convolution", method: "product", multiplyAccumulates: 1_000_000_000, bytes: 1)
    let norm = StepPart(name: "norm1", operation: "batch norm", bytes: 3_000_000)
    var other = norm
    other.name = "norm2"
    let packing = StepPart(name: "parameters", operation: "weight packing")
    report.add(
      parts: [norm, convolution, other, packing],
      steps: [[1, 1, 1, 1], [3, 4, 2, 1], [1, 2, 2, 1], [2, 3, 2, 1]].map { $0.map { $0 / 1000 } })
    (report.peakFLOPS, report.copyBytesPerSecond, report.peakResidentMebibytes) = (2e12, 4e9, 640)
    return report
  }()

  @Test func theMedianIsTheMiddleOrTheLargerOfTheTwoInTheMiddle() {
    #expect([3.0, 1, 2].median == 2 && [4.0, 1, 3, 2].median == 3 && [5.0].median == 5 && [Double]().median.isNaN)
  }

  @Test func figuresOfTheStep() {
    // Steps of 4, 6, 8 and 10 ms: the median is 8.
    #expect(abs(report.imagesPerSecond - 750) < 1e-9 && abs(report.bestImagesPerSecond - 1500) < 1e-9)
    #expect(abs(report.flops / 250e9 - 1) < 1e-9)
  }

  @Test func figuresOfTheRows() {
    #expect(report.rows.map { ($0.seconds * 1000).rounded() } == [2, 3, 2, 1])
    #expect(report.rows.map(\.isMemoryBound) == [true, false, true, true])
    #expect(abs(report.rows[1].flops / (2e9 / 3e-3) - 1) < 1e-9)
    #expect(abs(report.rows[0].bytesPerSecond / 1.5e9 - 1) < 1e-9)
  }

  @Test func totalsAreInTheOrderOfTheFirst() {
    let totals = report.totals
    #expect(totals.map(\.part.operation) == ["batch norm", "convolution", "weight packing"])
    #expect(totals[0].part.bytes == 6_000_000 && abs(totals[0].seconds - 4e-3) < 1e-12)
  }

  @Test func forPrograms() throws {
    struct Layer: Decodable {
      let name: String, operation: String, method: String
      let milliseconds: Double, gflops: Double, share_of_peak: Double, gb_per_second: Double, share_of_copy: Double
    }
    struct Fields: Decodable {
      let model: String, mode: String, batch: Int, threads: Int, size: Int, steps: Int, images_per_second: Double
      let best_images_per_second: Double, peak_rss_mib: Double, peak_gflops: Double, copy_gb_per_second: Double
      let layers: [Layer]
    }
    let fields = try JSONDecoder().decode(Fields.self, from: Data(report.json.utf8))
    #expect(fields.model == "googlenet" && fields.mode == "train" && fields.batch == 6 && fields.threads == 1)
    #expect(fields.size == 224 && fields.steps == 4 && abs(fields.images_per_second - 750) < 1e-9)
    #expect(fields.peak_rss_mib == 640 && fields.peak_gflops == 2000 && fields.copy_gb_per_second == 4)
    #expect(fields.layers.map(\.name) == ["norm1", "conv1", "norm2", "parameters"])
    #expect(fields.layers[1].method == "product" && abs(fields.layers[1].share_of_peak - 1.0 / 3) < 1e-9)
    #expect(fields.layers[0].gflops == 0 && abs(fields.layers[0].share_of_copy - 0.375) < 1e-9)
    #expect(!report.json.contains("\n"))
  }

  @Test func forPeople() throws {
    let lines = report.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines[0] == "googlenet 224×224, training, batch 6, 1 thread, 4 steps")
    #expect(lines[1].contains("750.00 images/s in the median step (8.0 ms), 1500.00 in the best"))
    let words = { (name: String) in
      try #require(lines.first { $0.hasPrefix(name) }).split(separator: " ").map(String.init)
    }
    #expect(try words("conv1") == ["conv1", "convolution,", "product", "3.000", "666.7", "33", "%"])
    #expect(try words("norm1") == ["norm1", "batch", "norm", "2.000", "1.5", "38", "%"])
    #expect(try words("parameters") == ["parameters", "weight", "packing", "1.000"])
    // Of 8 ms, the sum of the medians.
    #expect(try words("batch norm") == ["batch", "norm", "50", "%", "4.000", "1.5", "38", "%"])
    #expect(lines.allSatisfy { !$0.hasSuffix(" ") })
  }

  @Test func longNamesAreCut() {
    var report = report
    let part = StepPart(name: String(repeating: "inception4a.branch1 + ", count: 4), operation: "convolution")
    report.add(parts: [part], steps: [[0.001]])
    #expect(report.text.contains("\ninception4a.branch1 + inception4a.bran… convolution"))
  }
}
