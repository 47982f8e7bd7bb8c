import Compute

/// A class and how probable the model holds it.
public struct Prediction: Hashable, Sendable {
  /// The class.
  public var index: Int
  /// Its name; its number where names are unknown.
  public var name: String
  /// From 0 to 1; the probabilities of all classes add up to 1.
  public var probability: Double

  /// The same with a name from other names of the classes.
  public func named(_ names: [String]) -> Prediction {
    Prediction(index: index, name: names[index], probability: probability)
  }

  /// All classes, most probable first; equally probable ones in their own order.
  static func sorted(_ probabilities: [Double], names: [String]) -> [Prediction] {
    probabilities.enumerated()
      .sorted { $0.element != $1.element ? $0.element > $1.element : $0.offset < $1.offset }
      .map { index, probability in
        Prediction(index: index, name: index < names.count ? names[index] : "\(index)", probability: probability)
      }
  }
}

/// exp(zᵢ − max z) / Σ exp(zⱼ − max z), in Double.
func softmaxProbabilities(_ logits: some Collection<Float>) -> [Double] {
  let largest = Double(logits.max() ?? 0)
  let powers = logits.map { Elementary.exp(Double($0) - largest) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}

/// How many classes a label is not sure to be ahead of: its rank, 0 for the best. Ties count for the label, what is not a
/// number against it; a label whose own probability is not a number comes last.
func rank(of label: Int, in probabilities: [Double]) -> Int {
  let own = probabilities[label]
  if own.isNaN { return probabilities.count }
  return probabilities.indices.count { $0 != label && !(probabilities[$0] <= own) }
}
