import Compute
import Lockstep

/// The learning rate falls to 0 as (1 − t)^power, with t the share of the time that has passed.
///
/// - Source: Caffe's policy `poly`, with which the reference GoogLeNet was trained (power 0.5).
public struct PolynomialSchedule: ScheduleShape {
  public static let kind = ScheduleKind.polynomial
  private let power: Double

  public init(_ configuration: RunConfiguration) { power = configuration.schedulePower }

  public func factor(update: Int, elapsed: Double) -> Double {
    if elapsed >= 1 { return 0 }
    return power == 1 ? 1 - elapsed : Elementary.pow(1 - elapsed, power)
  }
}
