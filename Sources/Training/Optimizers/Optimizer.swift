import Lockstep

/// A rule that makes new parameters from old ones and the gradient of the mean loss.
///
/// An optimizer is elementwise: what it makes of a range of the flat vector depends on that range, on the step's numbers
/// and on the norms of the range's tensor alone, so ranges may be updated in any order and at once. It reads the old
/// version and writes the new one, never in place, so that a step can be thrown away.
public protocol Optimizer: Sendable {
  /// Its name in a configuration.
  static var kind: OptimizerKind { get }

  /// Takes its settings from a run's configuration.
  init(_ configuration: RunConfiguration)

  /// The names of its state vectors, each with one element per trained parameter.
  ///
  /// A checkpoint holds them under the parameters' names, with this suffix where there is more than one.
  var stateNames: [String] { get }

  /// What every element of a state vector is at the start of a run.
  func initialValue(ofState index: Int) -> Float

  /// Whether an update depends on the norms of its tensor: it then waits until the whole gradient is there.
  var needsTensorNorms: Bool { get }

  /// Writes the new parameters and the new state of one range.
  func update(_ range: ParameterUpdate)
}

extension Optimizer {
  /// Its name as checkpoints have it.
  public static var name: String { kind.rawValue }

  public func initialValue(ofState index: Int) -> Float { 0 }

  public var needsTensorNorms: Bool { false }
}

/// L2 norms of one tensor in a step.
public struct TensorNorms: Hashable, Sendable {
  /// That of the parameters before the step.
  public var parameters: Double
  /// That of the mean gradient, as it is used: clipped, but without weight decay.
  public var gradient: Double

  /// Names both.
  public init(parameters: Double, gradient: Double) { (self.parameters, self.gradient) = (parameters, gradient) }
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
  /// What the mean gradient is multiplied by: less than 1 where it is clipped.
  public var gradientScale: Float
  /// The learning rate of this step, for these parameters.
  public var learningRate: Float
  /// Norms of the tensor that the range is in; there where the optimizer needs them.
  public var norms: TensorNorms?
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
    count: Int, decays: Bool, gradientSum: UnsafePointer<Float>, sampleCount: Int, gradientScale: Float = 1,
    learningRate: Float, norms: TensorNorms? = nil, parameters: UnsafePointer<Float>,
    newParameters: UnsafeMutablePointer<Float>, state: [UnsafePointer<Float>], newState: [UnsafeMutablePointer<Float>]
  ) {
    (self.count, self.decays, self.gradientSum, self.sampleCount) = (count, decays, gradientSum, sampleCount)
    (self.gradientScale, self.learningRate, self.norms) = (gradientScale, learningRate, norms)
    (self.parameters, self.newParameters) = (parameters, newParameters)
    (self.state, self.newState) = (state, newState)
  }
}
