import Lockstep

/// A rule that makes new parameters from old ones and the gradient of the mean loss.
///
/// An optimizer is elementwise: what it makes of a range of the flat vector depends on that range alone, so buckets are
/// updated as they arrive, in any order. It reads the old version and writes the new one, never in place, so that a step
/// can be thrown away. One that needs norms over more than its range (clipping, LARS) will be told them by further
/// fields of `ParameterUpdate`.
public protocol Optimizer: Sendable {
  /// Its name in the catalog.
  static var name: String { get }

  /// Takes its settings from a run's configuration.
  init(_ configuration: RunConfiguration)

  /// The names of its state vectors, each with one element per parameter; a vector starts as zeros.
  ///
  /// A checkpoint holds them under the parameters' names, with this suffix where there is more than one.
  var stateNames: [String] { get }

  /// Writes the new parameters and the new state of one range.
  func update(_ range: ParameterUpdate)
}

/// One range of the flat vector, about to be updated. Every pointer is at the range's first element; none overlaps another
/// that is written.
public struct ParameterUpdate {
  /// How many elements the range has.
  public var count: Int
  /// Whether weight decay applies to them.
  public var decays: Bool
  /// The sum of the samples' gradients.
  public var gradientSum: UnsafePointer<Float>
  /// How many samples the sum is over; at most 2^24, so that it is exact as a Float.
  public var sampleCount: Int
  /// The learning rate of this step.
  public var learningRate: Float
  /// The parameters before the step.
  public var parameters: UnsafePointer<Float>
  /// Where the parameters after the step go.
  public var newParameters: UnsafeMutablePointer<Float>
  /// The state vectors before the step, in the order of `stateNames`.
  public var state: [UnsafePointer<Float>]
  /// Where the state vectors after the step go.
  public var newState: [UnsafeMutablePointer<Float>]

  /// Collects what an update needs.
  public init(
    count: Int, decays: Bool, gradientSum: UnsafePointer<Float>, sampleCount: Int, learningRate: Float,
    parameters: UnsafePointer<Float>, newParameters: UnsafeMutablePointer<Float>, state: [UnsafePointer<Float>],
    newState: [UnsafeMutablePointer<Float>]
  ) {
    (self.count, self.decays, self.gradientSum, self.sampleCount) = (count, decays, gradientSum, sampleCount)
    (self.learningRate, self.parameters, self.newParameters) = (learningRate, parameters, newParameters)
    (self.state, self.newState) = (state, newState)
  }
}
