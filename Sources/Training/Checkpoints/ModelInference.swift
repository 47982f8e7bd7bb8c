import Models

/// Which model a file is of that does not say so: found from the names and shapes of its tensors.
struct ModelInference {
  /// The catalog's entry.
  let definition: ModelDefinition
  /// Outputs of the classifier.
  let classes: Int
  /// The factor on the channel counts.
  let width: Double

  /// Compares a file with one model or with all of the catalog.
  ///
  /// - Parameter name: the model, where the user has named it.
  /// - Throws: `.unknownModel` where no model's main network is in the file; `.mismatch` for a name that the catalog lacks.
  init(_ file: SealedTensorFile, named name: String?) throws(CheckpointError) {
    var candidates = ModelCatalog.all
    if let name {
      candidates.removeAll { $0.name != name }
      if candidates.isEmpty {
        throw .mismatch(
          path: file.path, key: "model", expected: "one of \(ModelCatalog.all.map(\.name).joined(separator: ", "))",
          found: name)
      }
    }
    let comparisons = candidates.compactMap { Comparison(file, $0) }
    guard let best = comparisons.max(by: { $0.score < $1.score }) else {
      preconditionFailure("every model can be built for its own image size")
    }
    guard best.missing.isEmpty else {
      if name != nil {
        throw .otherTensors(
          path: file.path, model: best.model.definition.name, missing: best.missing, unexpected: best.unexpected)
      }
      throw .unknownModel(
        path: file.path, nearest: best.model.definition.name, missing: best.missing, unexpected: best.unexpected)
    }
    definition = best.model.definition
    let classifier = best.model.classifierEntries.first { $0.group == Head.main.rawValue }
    classes = classifier.flatMap { file.shapes[$0.key]?.first } ?? best.model.classes
    width = Self.width(
      best.model.entries.compactMap { entry in
        guard entry.group == Head.main.rawValue, entry.shape.count == 4, let shape = file.shapes[entry.key],
          let found = shape.first
        else { return nil }
        return (entry.shape[0], found)
      })
  }

  /// A model for any classes at width 1 beside a file.
  private struct Comparison {
    let model: Model
    let missing: [String]
    let unexpected: [String]

    init?(_ file: SealedTensorFile, _ definition: ModelDefinition) {
      guard
        let model = try? Model(
          definition, classes: 1000, imageSize: definition.defaultImageSize, width: 1, for: .evaluation)
      else { return nil }
      let known = Set(model.entries.map(\.key))
      self.model = model
      missing = model.entries.filter { entry in
        entry.group == Head.main.rawValue && entry.role != .batchCount && file.shapes[entry.key] == nil
      }.map(\.key)
      unexpected = file.shapes.keys.filter { !known.contains($0) }.sorted()
    }

    /// The fewer tensors are missing or unexpected, the likelier.
    var score: Int { -missing.count - unexpected.count }
  }

  /// A width that turns channel counts into those that were found: the one with the fewest decimals. 1 where there is
  /// none, so that the shapes tell what does not fit.
  ///
  /// - Parameter counts: channels at width 1, and those that were found.
  static func width(_ counts: [(nominal: Int, found: Int)]) -> Double {
    if counts.allSatisfy({ $0.nominal == $0.found }) { return 1 }
    // Widths end at 16; beyond it, numbers from a file are not even added to.
    guard counts.allSatisfy({ (1...16).contains($0.found) || $0.found / 16 <= $0.nominal }) else { return 1 }
    // A count c becomes k = max(16, 16·⌊c·F/16 + ½⌋), so F is in [(k − 8)/c, (k + 8)/c).
    var low = 0.0, high = Double.infinity
    for (nominal, found) in counts {
      if found > 16 { low = max(low, Double(found - 8) / Double(nominal)) }
      high = min(high, Double(found + 8) / Double(nominal))
    }
    guard low < high, high <= 16 else { return 1 }
    for digits in 0...6 {
      let unit = (0..<digits).reduce(1.0) { value, _ in value * 10 }
      let candidate = (low * unit).rounded(.up) / unit
      if candidate > 0, candidate < high { return candidate }
      // Where the range begins at 0, its largest number will do as well as any.
      let last = ((high * unit).rounded(.up) - 1) / unit
      if last > 0, last >= low, last < high { return last }
    }
    return 1
  }
}
