import Lockstep

/// How the learning rate falls once a run is warm: a factor of the base rate.
public protocol ScheduleShape: Sendable {
  /// Its name in a configuration.
  static var kind: ScheduleKind { get }

  /// Takes its parameters from a run's configuration.
  init(_ configuration: RunConfiguration)

  /// The factor of one update after the warm-up.
  ///
  /// - Parameters:
  ///   - update: the update, counted from 0 over the whole run, warm-up included.
  ///   - elapsed: the share of the time from the end of the warm-up to the end of the run that has passed: 0 at the
  ///     first update after the warm-up, 1 just after the last one.
  func factor(update: Int, elapsed: Double) -> Double
}

/// The shapes that a run can use: one line each.
public enum ScheduleCatalog {
  /// All of them.
  public static let all: [any ScheduleShape.Type] = [
    ConstantSchedule.self,
    StepSchedule.self,
    PolynomialSchedule.self,
    CosineSchedule.self,
  ]

  /// The shape that a configuration names.
  public static func shape(for configuration: RunConfiguration) -> any ScheduleShape {
    for shape in all where shape.kind == configuration.schedule { return shape.init(configuration) }
    preconditionFailure("the schedule \(configuration.schedule.rawValue) has no line in the catalog")
  }
}

/// The learning rate of every step: a linear warm-up, then the schedule's shape.
///
/// At step t ≤ W (the warm-up's steps) the rate is base·t/W. Everything is computed in Double and rounded to Float once.
///
/// - Source: Goyal et al. 2017, section 2.2, for the warm-up.
public struct LearningRateSchedule: Sendable {
  private let base: Double
  private let warmupSteps: Int
  private let steps: Int
  private let shape: any ScheduleShape

  /// The schedule of a run.
  public init(_ configuration: RunConfiguration) {
    (base, warmupSteps, steps) = (configuration.learningRate, configuration.warmupSteps, configuration.steps)
    shape = ScheduleCatalog.shape(for: configuration)
  }

  /// The learning rate of a step, counted from 1, before its rounding to Float.
  public func rate(step: Int) -> Double {
    precondition(step >= 1, "steps count from 1")
    if step <= warmupSteps { return base * Double(step) / Double(warmupSteps) }
    // A run that was made longer than it was may ask beyond its end, where nothing is left.
    let elapsed = Double(step - 1 - warmupSteps) / Double(max(1, steps - warmupSteps))
    return base * shape.factor(update: step - 1, elapsed: min(1, elapsed))
  }

  /// The learning rate as the optimizer uses it.
  public func learningRate(step: Int) -> Float { Float(rate(step: step)) }
}
