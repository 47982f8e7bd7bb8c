import Lockstep
import Models

/// Which elements of the flat vector are decayed: alternating ranges, from the model's entries and the run's rule.
public struct DecayMap: Hashable, Sendable {
  /// A range of the flat vector whose elements all decay, or all do not.
  public struct Segment: Hashable, Sendable {
    /// The elements.
    public var range: Range<Int>
    /// Whether weight decay applies to them.
    public var decays: Bool

    /// Names a range.
    public init(range: Range<Int>, decays: Bool) { (self.range, self.decays) = (range, decays) }
  }

  /// The whole vector, in order.
  public let segments: [Segment]

  /// Joins neighbouring tensors that are treated alike.
  public init(_ model: Model, rule: DecayRule) {
    var tensors: [Segment] = []
    for entry in model.entries {
      guard case .parameter(let offset, let decays) = entry.role else { continue }
      let range = offset..<(offset + entry.shape.reduce(1, *))
      tensors.append(Segment(range: range, decays: rule == .all || decays))
    }
    self.init(tensors)
  }

  /// Joins the tensors' ranges, which together cover the flat vector.
  init(_ tensors: [Segment]) {
    var segments: [Segment] = []
    for tensor in tensors.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      let end = segments.last?.range.upperBound ?? 0
      precondition(tensor.range.lowerBound == end, "tensors tile the flat vector")
      if let last = segments.last, last.decays == tensor.decays {
        segments[segments.count - 1].range = last.range.lowerBound..<tensor.range.upperBound
      } else {
        segments.append(tensor)
      }
    }
    self.segments = segments
  }

  /// The parts of a range, in order.
  public func segments(in range: Range<Int>) -> [Segment] {
    segments.compactMap { segment in
      let part = segment.range.clamped(to: range)
      return part.isEmpty ? nil : Segment(range: part, decays: segment.decays)
    }
  }
}
