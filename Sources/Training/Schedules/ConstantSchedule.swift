import Lockstep

/// The learning rate stays as it is.
public struct ConstantSchedule: ScheduleShape {
  public static let kind = ScheduleKind.constant

  public init(_ configuration: RunConfiguration) {}

  public func factor(update: Int, elapsed: Double) -> Double { 1 }
}
