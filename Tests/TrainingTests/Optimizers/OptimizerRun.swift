import Lockstep
import Testing

@testable import Training

/// Applies steps to one vector whose first `decaying` elements decay, as a run would.
struct OptimizerRun {
  let optimizer: any Optimizer
  private(set) var parameters: [Float]
  private(set) var state: [[Float]]
  let decaying: Int

  init(_ optimizer: any Optimizer, _ start: [Float], decaying: Int? = nil) {
    (self.optimizer, parameters, self.decaying) = (optimizer, start, decaying ?? start.count)
    state = optimizer.stateNames.indices.map {
      [Float](repeating: optimizer.initialValue(ofState: $0), count: start.count)
    }
  }

  /// One update with a mean gradient, given as a sum over some samples.
  mutating func step(
    _ gradient: [Float], rate: Float, samples: Int = 1, scale: Float = 1, norms: TensorNorms? = nil
  ) {
    let sums = gradient.map { $0 * Float(samples) }
    var vectors = [sums, parameters] + state
    vectors += [parameters] + state
    let before = vectors
    var bases: [UnsafeMutablePointer<Float>] = []
    for vector in vectors {
      let base = UnsafeMutablePointer<Float>.allocate(capacity: vector.count)
      base.initialize(from: vector, count: vector.count)
      bases.append(base)
    }
    defer { bases.forEach { $0.deallocate() } }
    for (range, decays) in [(0..<decaying, true), (decaying..<parameters.count, false)] where !range.isEmpty {
      let at = bases.map { $0 + range.lowerBound }
      let old = 2 + state.count
      optimizer.update(
        ParameterUpdate(
          count: range.count, decays: decays, gradientSum: at[0], sampleCount: samples, gradientScale: scale,
          learningRate: rate, norms: norms, parameters: at[1], newParameters: at[old],
          state: at[2..<old].map { UnsafePointer($0) }, newState: Array(at[(old + 1)...])))
    }
    let after = bases.map { Array(UnsafeBufferPointer(start: $0, count: parameters.count)) }
    #expect(Array(after.prefix(2 + state.count)) == Array(before.prefix(2 + state.count)), "the old version stays")
    parameters = after[2 + state.count]
    state = Array(after.suffix(state.count))
  }
}

func isClose(_ a: [Float], _ b: [Double], _ tolerance: Double = 3e-7) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { abs(Double($0) - $1) <= tolerance * max(1, abs($1)) }
}

/// Three steps of five parameters, of which three decay: what the numbers of PyTorch in these tests were made with.
///
///     a, b = Parameter(tensor(w[:3], dtype=float64)), Parameter(tensor(w[3:], dtype=float64))
///     o = OPTIMIZER([{"params": [a]}, {"params": [b], "weight_decay": 0.0}], lr=0.1, momentum=…, weight_decay=0.01, …)
///     for lr, g in zip([0.1, 0.05, 0.05], gradients): (set lr and .grad); o.step()
enum FiveParameters {
  static let start: [Float] = [1, -0.5, 0.25, 2, -3]
  static let decaying = 3
  static let gradients: [[Float]] = [
    [0.5, -0.25, 1, 0, -2], [0.25, 0.125, -1.5, 3, 0.5], [-1, 0.75, 0.375, -0.5, 1.25],
  ]
  static let rates: [Float] = [0.1, 0.05, 0.05]

  /// The run after the three steps.
  static func run(_ optimizer: any Optimizer, samples: Int) -> OptimizerRun {
    var run = OptimizerRun(optimizer, start, decaying: decaying)
    for (gradient, rate) in zip(gradients, rates) { run.step(gradient, rate: rate, samples: samples) }
    return run
  }
}

/// A configuration with an optimizer, momentum 0.9 and weight decay 0.01.
func configuration(_ optimizer: OptimizerKind, _ change: (inout RunConfiguration) -> Void = { _ in }) throws
  -> RunConfiguration
{
  var configuration = try Fixture().configuration
  (configuration.optimizer, configuration.epsilon) = (optimizer, optimizer.defaultEpsilon)
  (configuration.momentum, configuration.weightDecay) = (0.9, 0.01)
  change(&configuration)
  return configuration
}
