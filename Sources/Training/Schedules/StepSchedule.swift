import Compute
import Lockstep

/// The learning rate drops by a factor every so many updates of the run: γ^⌊update / size⌋.
///
/// - Source: Caffe's policy `step`; `torch.optim.lr_scheduler.StepLR`.
public struct StepSchedule: ScheduleShape {
  public static let kind = ScheduleKind.step
  private let size: Int
  private let gamma: Double

  public init(_ configuration: RunConfiguration) {
    (size, gamma) = (configuration.scheduleStepSize, configuration.scheduleGamma)
  }

  public func factor(update: Int, elapsed: Double) -> Double {
    let drops = update / size
    return drops == 0 ? 1 : Elementary.pow(gamma, Double(drops))
  }
}
