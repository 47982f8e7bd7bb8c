import Foundation
import Lockstep
import Testing

@testable import Roles

@Suite struct MetricsLogTests {
  private let folder: TemporaryFolder
  private let directory: RunDirectory

  init() throws {
    folder = try TemporaryFolder()
    directory = try RunDirectory(path: folder("run"), resuming: false)
  }

  private func step(_ number: Int, loss: Double = 1) -> MetricsLog.Step {
    MetricsLog.Step(
      step: number, epoch: 0, loss: loss, mainLoss: loss, auxLosses: [loss, loss], top1: 0.5, learningRate: 0.1,
      samples: 16, seconds: 0.25, imagesPerSecond: 64, stateHash: Digest(high: 7, low: UInt64(number)), workers: 2)
  }

  private func steps(_ name: String) throws -> [Int] {
    try folder.read("run/" + name).split(separator: "\n").map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return try #require(object?["step"] as? Int)
    }
  }

  /// Writes steps 1 to 5, with an epoch's end after 2 and 4 (that one evaluated) and an event after 4.
  private func writeFiveSteps() throws {
    let log = try MetricsLog(directory: directory, resumedAt: 0)
    for number in 1...5 {
      try log.write(step(number))
      if number == 2 { try log.write(MetricsLog.Epoch(epoch: 0, step: 2, samplesSeen: 32)) }
      if number == 4 {
        try log.write(
          MetricsLog.Epoch(epoch: 1, step: 4, samplesSeen: 64, validation: .init(loss: 1, top1: 0.5, top5: 1)))
        try log.write(MetricsLog.Event(event: "lost", worker: "w", step: 4, detail: "worker w closed its connection"))
      }
    }
  }

  @Test func aLineHasTheNamesThatAreDocumented() throws {
    try MetricsLog(directory: directory, resumedAt: 0).write(step(1))
    let text = try folder.read("run/metrics.jsonl")
    #expect(text.hasSuffix("}\n") && text.filter { $0 == "\n" }.count == 1)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(
      Set(object.keys) == [
        "kind", "step", "epoch", "loss", "main_loss", "aux_losses", "top1", "learning_rate", "samples", "seconds",
        "images_per_second", "state_hash", "workers",
      ])
    #expect(object["kind"] as? String == "step")
    #expect(object["state_hash"] as? String == "00000000000000070000000000000001")
  }

  @Test func floatsReadBackExactly() throws {
    let log = try MetricsLog(directory: directory, resumedAt: 0)
    let losses = [0.1 + 0.2, 1.0 / 3, Double.leastNonzeroMagnitude, Double.greatestFiniteMagnitude, 2.302585092994046]
    for (index, loss) in losses.enumerated() { try log.write(step(index + 1, loss: loss)) }
    let read = try folder.read("run/metrics.jsonl").split(separator: "\n").map {
      try JSONDecoder().decode(MetricsLog.Step.self, from: Data($0.utf8))
    }
    #expect(read.map(\.loss) == losses)
    #expect(read.allSatisfy { $0.learningRate == 0.1 })
  }

  @Test func valuesThatAreNotFiniteAreWordsAndDoNotStopTheRun() throws {
    let log = try MetricsLog(directory: directory, resumedAt: 0)
    try log.write(step(1, loss: .nan))
    try log.write(step(2, loss: .infinity))
    let text = try folder.read("run/metrics.jsonl")
    #expect(text.contains(#""loss":"nan""#) && text.contains(#""loss":"inf""#))
    #expect(try steps("metrics.jsonl") == [1, 2])
  }

  @Test func nothingIsSupersededWhenTheRunGoesOnWhereItStopped() throws {
    try writeFiveSteps()
    let before = try folder.read("run/metrics.jsonl")
    let log = try MetricsLog(directory: directory, resumedAt: 5)
    #expect(log.superseded.isEmpty && log.epochs == [2, 4] && log.evaluated == [4])
    #expect(try folder.read("run/metrics.jsonl") == before)
    #expect(!folder.exists("run/metrics.superseded.jsonl"))
  }

  @Test func linesOfLaterStepsAreMovedAndTheirHashesKept() throws {
    try writeFiveSteps()
    let log = try MetricsLog(directory: directory, resumedAt: 3)
    #expect(log.superseded == [4: Digest(high: 7, low: 4), 5: Digest(high: 7, low: 5)])
    #expect(log.epochs == [2] && log.evaluated.isEmpty)
    #expect(try steps("metrics.jsonl") == [1, 2, 2, 3])
    #expect(try steps("metrics.superseded.jsonl") == [4, 4, 4, 5])
    try log.write(step(4))
    #expect(try steps("metrics.jsonl") == [1, 2, 2, 3, 4])

    // A second crash adds to what was superseded before.
    let again = try MetricsLog(directory: directory, resumedAt: 2)
    #expect(again.superseded.keys.sorted() == [3, 4])
    #expect(try steps("metrics.superseded.jsonl") == [4, 4, 4, 5, 3, 4])
    #expect(try steps("metrics.jsonl") == [1, 2, 2])
  }

  /// A crash may leave half a line; the next line must not be written behind it.
  @Test(arguments: [#"{"kind":"step","st"#, #"{"kind":"step","step":6,"state_hash":"0000"}"#, "\u{0}\u{0}\u{0}"])
  func aTornLastLineIsDropped(torn: String) throws {
    try writeFiveSteps()
    let whole = try folder.read("run/metrics.jsonl")
    try folder.write(whole + torn, to: "run/metrics.jsonl")
    let log = try MetricsLog(directory: directory, resumedAt: 5)
    #expect(try folder.read("run/metrics.jsonl") == whole)
    try log.write(step(6))
    #expect(try steps("metrics.jsonl") == [1, 2, 2, 3, 4, 4, 4, 5, 6])
  }

  /// Half a line may happen to be a whole object; without its line feed the next line would be glued to it.
  @Test func aLastLineWithoutItsLineFeedIsCompleted() throws {
    try writeFiveSteps()
    let whole = try folder.read("run/metrics.jsonl")
    try folder.write(String(whole.dropLast()), to: "run/metrics.jsonl")
    let log = try MetricsLog(directory: directory, resumedAt: 5)
    try log.write(step(6))
    #expect(try steps("metrics.jsonl") == [1, 2, 2, 3, 4, 4, 4, 5, 6])
  }
}
