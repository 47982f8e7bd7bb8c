import Lockstep
import Testing

@testable import Training

@Suite struct WeightAverageTests {
  private static let iterates: [[Float]] = [[0.5, -1.5, 0.75], [0.25, -1.75, 1], [0.125, -1, 1.5], [0, -0.5, 2]]

  /// The averages after each update of a run that starts at (1, −2, 0.5).
  private func averages(_ change: (inout RunConfiguration) -> Void) throws -> [[Float]] {
    var configuration = try Fixture().configuration
    change(&configuration)
    let averaging = try #require(WeightAverage(configuration))
    var (average, updates): ([Float], Int) = ([1, -2, 0.5], 0)
    return Self.iterates.enumerated().map { index, iterate in
      updates = averaging.updates(after: index + 1, before: updates)
      let old = average
      old.withUnsafeBufferPointer { old in
        iterate.withUnsafeBufferPointer { values in
          average.withUnsafeMutableBufferPointer { new in
            guard let old = old.baseAddress, let values = values.baseAddress, let base = new.baseAddress else { return }
            averaging.update(old, with: values, share: averaging.share(updates: updates), into: base, count: new.count)
          }
        }
      }
      return average
    }
  }

  /// The formula of PyTorch's `get_ema_avg_fn(0.15)` in float64. A decay below 2/11 is below the warm-up from the first
  /// update on.
  @Test func aMovingAverageWithoutItsWarmUpIsPyTorchs() throws {
    let averages = try averages { ($0.average, $0.averageDecay) = (.ema, 0.15) }
    var expected = [1, -2, 0.5]
    for (average, iterate) in zip(averages, Self.iterates) {
      expected = zip(expected, iterate).map { 0.15 * $0 + 0.85 * Double($1) }
      #expect(isClose(average, expected))
    }
  }

  /// By the definition in float64: decays 2/11, 3/12, 4/13, 5/14.
  @Test func aMovingAverageWarmsUp() throws {
    let averages = try averages { $0.average = .ema }
    let expected = [
      [0.5909090909090908, -1.5909090909090908, 0.7045454545454545],
      [0.3352272727272727, -1.7102272727272727, 0.9261363636363636],
      [0.1896853146853147, -1.2185314685314685, 1.3234265734265733],
      [0.06774475524475525, -0.7566183816183816, 1.7583666333666332],
    ]
    #expect(zip(averages, expected).allSatisfy { isClose($0, $1) })
  }

  /// Generated with PyTorch 2.13: `AveragedModel(model)` in float64, updated with the iterates after the first.
  @Test func aPlainAverageIsPyTorchs() throws {
    let averages = try averages { ($0.average, $0.averageStart) = (.polyak, 1) }
    #expect(averages[0] == Self.iterates[0], "before it begins, the average is the parameters")
    let expected = [[0.25, -1.75, 1.0], [0.1875, -1.375, 1.25], [0.125, -1.0833333333333333, 1.5]]
    #expect(zip(averages.dropFirst(), expected).allSatisfy { isClose($0, $1) })
  }

  @Test func aRunWithoutAnAverageKeepsNone() throws { #expect(WeightAverage(try Fixture().configuration) == nil) }
}
