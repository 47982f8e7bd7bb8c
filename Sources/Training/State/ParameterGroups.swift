import Lockstep
import Models

/// How the trained elements of the flat vector are treated by an update: alternating ranges, from the model's tensors and the
/// run's rules.
///
/// - Source: PyTorch's parameter groups; Caffe's `lr_mult` and `decay_mult` for the rule `caffe`.
public struct ParameterGroups: Hashable, Sendable {
  /// How parameters are treated.
  public struct Treatment: Hashable, Sendable {
    /// Whether weight decay applies to them.
    public var decays: Bool
    /// The share of the step's learning rate that they have.
    public var rateFactor: Double

    /// Names a treatment.
    public init(decays: Bool, rateFactor: Double = 1) { (self.decays, self.rateFactor) = (decays, rateFactor) }
  }

  /// A range of the flat vector whose elements are all treated alike.
  public struct Segment: Hashable, Sendable {
    /// The elements.
    public var range: Range<Int>
    /// What is done with them.
    public var treatment: Treatment
    /// The tensor that they are in, in flat order; where neighbours were joined, the first one's.
    public var tensor: Int

    /// Names a range.
    public init(range: Range<Int>, treatment: Treatment, tensor: Int) {
      (self.range, self.treatment, self.tensor) = (range, treatment, tensor)
    }
  }

  /// The whole vector of trained parameters, in order.
  public let segments: [Segment]

  /// Reads the model's tensors by the run's rules.
  ///
  /// - Parameter joined: whether neighbouring tensors that are treated alike make one segment.
  public init(_ model: Model, configuration: RunConfiguration, joined: Bool) {
    let batchNorms = Set(model.batchNorms.map(\.prefix))
    let classifiers = Set(configuration.trunkLearningRateFactor == 1 ? [] : model.classifierEntries.map(\.key))
    var tensors: [(range: Range<Int>, treatment: Treatment)] = []
    for entry in model.entries where !entry.isFrozen {
      guard case .parameter(let offset, let isWeight) = entry.role else { continue }
      var treatment = Treatment(decays: configuration.decay == .all || isWeight)
      let isBias = entry.key.hasSuffix(".bias") && !batchNorms.contains(String(entry.key.dropLast(5)))
      if configuration.decay == .caffe, isBias { treatment.rateFactor = 2 }
      if !classifiers.isEmpty, !classifiers.contains(entry.key) {
        treatment.rateFactor *= configuration.trunkLearningRateFactor
      }
      tensors.append((offset..<(offset + entry.count), treatment))
    }
    self.init(tensors, joined: joined)
  }

  /// Takes the tensors' ranges, which together cover the trained parameters.
  init(_ tensors: [(range: Range<Int>, treatment: Treatment)], joined: Bool) {
    var segments: [Segment] = []
    for (index, tensor) in tensors.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }).enumerated() {
      let end = segments.last?.range.upperBound ?? 0
      precondition(tensor.range.lowerBound == end, "tensors tile the flat vector")
      if joined, let last = segments.last, last.treatment == tensor.treatment {
        segments[segments.count - 1].range = last.range.lowerBound..<tensor.range.upperBound
      } else {
        segments.append(Segment(range: tensor.range, treatment: tensor.treatment, tensor: index))
      }
    }
    self.segments = segments
  }

  /// The parts of a range, in order.
  public func segments(in range: Range<Int>) -> [Segment] {
    segments.compactMap { segment in
      let part = segment.range.clamped(to: range)
      return part.isEmpty ? nil : Segment(range: part, treatment: segment.treatment, tensor: segment.tensor)
    }
  }
}
