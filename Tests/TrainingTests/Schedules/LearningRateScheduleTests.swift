import Lockstep
import Testing

@testable import Training

@Suite struct LearningRateScheduleTests {
  private func schedule(_ kind: ScheduleKind, _ change: (inout RunConfiguration) -> Void = { _ in }) throws
    -> LearningRateSchedule
  {
    var configuration = try Fixture().configuration
    (configuration.schedule, configuration.learningRate, configuration.steps) = (kind, 0.4, 10)
    change(&configuration)
    return LearningRateSchedule(configuration)
  }

  private func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-15 }

  @Test func constant() throws {
    let schedule = try schedule(.constant)
    #expect((1...10).map { schedule.rate(step: $0) } == Array(repeating: 0.4, count: 10))
    #expect(schedule.learningRate(step: 3) == Float(0.4))
  }

  @Test func stepsCountFromTheRunsFirstUpdate() throws {
    let schedule = try schedule(.step) { ($0.scheduleStepSize, $0.scheduleGamma) = (3, 0.5) }
    let rates = (1...10).map { schedule.rate(step: $0) }
    for (rate, expected) in zip(rates, [0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05]) {
      #expect(isClose(rate, expected))
    }
  }

  @Test func polynomialEndsAtZeroJustAfterTheRun() throws {
    let linear = try schedule(.polynomial)
    for step in 1...10 { #expect(isClose(linear.rate(step: step), 0.4 * Double(11 - step) / 10)) }
    #expect(linear.rate(step: 11) == 0 && linear.rate(step: 12) == 0)
    let root = try schedule(.polynomial) { $0.schedulePower = 0.5 }
    // At step 8 three of ten tenths are left: √0.3.
    #expect(isClose(root.rate(step: 8), 0.4 * 0.5477225575051661))
    #expect(root.rate(step: 1) == 0.4)
  }

  /// BVLC's quick_solver.prototxt: base_lr 0.01, lr_policy "poly", power 0.5, max_iter 2,400,000; iterations count from 0.
  @Test func caffesQuickSolver() throws {
    let schedule = try schedule(.polynomial) { c in
      (c.schedulePower, c.learningRate, c.steps) = (0.5, 0.01, 2_400_000)
    }
    for iteration in [0, 1, 2, 40_037, 600_000, 1_199_999, 1_800_000, 2_399_998, 2_399_999] {
      let expected = 0.01 * (1 - Double(iteration) / 2_400_000).squareRoot()
      #expect(abs(schedule.rate(step: iteration + 1) - expected) <= 2e-16 * 0.01, "\(iteration)")
      #expect(schedule.learningRate(step: iteration + 1) == Float(expected), "\(iteration)")
    }
  }

  /// Szegedy et al. 2015: 0.045, × 0.94 every two epochs; here an epoch has 801 updates (1,281,167 pictures in 1600s).
  @Test func inceptionsStaircase() throws {
    let schedule = try schedule(.step) { c in
      (c.scheduleStepSize, c.scheduleGamma, c.learningRate, c.steps) = (1602, 0.94, 0.045, 80_100)
    }
    for (step, drops) in [(1, 0), (1602, 0), (1603, 1), (3204, 1), (3205, 2), (80_100, 49)] {
      var expected = 0.045
      for _ in 0..<drops { expected *= 0.94 }
      #expect(abs(schedule.rate(step: step) - expected) < 1e-15, "\(step)")
    }
  }

  @Test func cosineEndsAtZeroJustAfterTheRun() throws {
    let schedule = try schedule(.cosine) { $0.steps = 12 }
    #expect(schedule.rate(step: 1) == 0.4)
    // t/T = 1/6, 1/4, 1/3, 1/2, 2/3: (1 + √3/2)/2, (1 + √½)/2, 3/4, 1/2, 1/4.
    let expected = [3: 0.9330127018922193, 4: 0.8535533905932737, 5: 0.75, 7: 0.5, 9: 0.25]
    for (step, factor) in expected { #expect(isClose(schedule.rate(step: step), 0.4 * factor), "step \(step)") }
    #expect(isClose(schedule.rate(step: 13), 0))
  }

  @Test(arguments: ScheduleKind.allCases) func warmUpRisesToTheBase(kind: ScheduleKind) throws {
    let schedule = try schedule(kind) { ($0.warmupSteps, $0.steps, $0.scheduleStepSize) = (4, 12, 100) }
    for step in 1...4 { #expect(isClose(schedule.rate(step: step), 0.1 * Double(step))) }
    // The first update after the warm-up has the whole rate, whatever the schedule.
    #expect(schedule.rate(step: 5) == 0.4)
  }

  @Test func whatFollowsTheWarmUpRunsToTheEnd() throws {
    // Eight updates after the warm-up: the fifth of them is at half time.
    for kind in [ScheduleKind.polynomial, .cosine] {
      let schedule = try schedule(kind) { ($0.warmupSteps, $0.steps) = (4, 12) }
      #expect(isClose(schedule.rate(step: 9), 0.2))
      #expect(isClose(schedule.rate(step: 13), 0))
    }
  }

  @Test func aWarmUpAsLongAsTheRun() throws {
    let schedule = try schedule(.cosine) { ($0.warmupSteps, $0.steps) = (10, 10) }
    #expect(schedule.rate(step: 10) == 0.4)
  }

  @Test func everyFileAndKindHasItsLineInTheCatalog() throws {
    let files = try sourceFiles(in: "Schedules").filter { $0 != "LearningRateSchedule" }
    #expect(files.sorted() == ScheduleCatalog.all.map { "\($0)" }.sorted())
    #expect(Set(ScheduleCatalog.all.map { $0.kind }) == Set(ScheduleKind.allCases))
    #expect(ScheduleCatalog.all.count == ScheduleKind.allCases.count)
  }
}
