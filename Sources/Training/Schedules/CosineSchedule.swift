import Compute
import Lockstep

/// The learning rate falls to 0 as (1 + cos πt) / 2, with t the share of the time that has passed.
///
/// - Source: Loshchilov and Hutter 2017, equation 5, one period without restarts.
public struct CosineSchedule: ScheduleShape {
  public static let kind = ScheduleKind.cosine

  public init(_ configuration: RunConfiguration) {}

  public func factor(update: Int, elapsed: Double) -> Double {
    (1 + Elementary.cos(Double.pi * elapsed)) / 2
  }
}
