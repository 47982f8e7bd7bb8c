import Foundation
import Lockstep
import Models

/// What `trainer models` prints: every model of the catalog in numbers.
public struct CatalogReport {
  private let models: [Model]

  /// Builds every model.
  public init(classes: Int, width: Double) throws(Failure) {
    models = try failing {
      try ModelCatalog.all.map { try Model($0, classes: classes, imageSize: $0.defaultImageSize, width: width) }
    }
  }

  /// A table for people.
  public var text: String {
    var lines = [row("model", "input", "parameters", "with aux", "MACs", "with aux")]
    for model in models {
      lines.append(
        row(
          model.definition.name, "\(model.imageSize)×\(model.imageSize)",
          grouped(model.parameterCount(withAuxiliaryHeads: false)),
          grouped(model.parameterCount(withAuxiliaryHeads: true)),
          grouped(model.multiplyAccumulates(withAuxiliaryHeads: false)),
          grouped(model.multiplyAccumulates(withAuxiliaryHeads: true))))
      lines.append("    " + model.definition.summary)
    }
    return lines.joined(separator: "\n")
  }

  /// `{"models":[{…}, …]}`.
  public var json: String {
    struct Entry: Encodable {
      let name: String, summary: String, imageSize: Int, classes: Int, width: Double
      let parameters: Int, parametersWithAux: Int, multiplyAccumulates: Int, multiplyAccumulatesWithAux: Int
      enum CodingKeys: String, CodingKey {
        case name, summary, classes, width, parameters
        case imageSize = "image_size", parametersWithAux = "parameters_with_aux", multiplyAccumulates =
          "multiply_accumulates"
        case multiplyAccumulatesWithAux = "multiply_accumulates_with_aux"
      }
    }
    return jsonLine([
      "models": models.map { model in
        Entry(
          name: model.definition.name, summary: model.definition.summary, imageSize: model.imageSize,
          classes: model.classes,
          width: model.width, parameters: model.parameterCount(withAuxiliaryHeads: false),
          parametersWithAux: model.parameterCount(withAuxiliaryHeads: true),
          multiplyAccumulates: model.multiplyAccumulates(withAuxiliaryHeads: false),
          multiplyAccumulatesWithAux: model.multiplyAccumulates(withAuxiliaryHeads: true))
      }
    ])
  }

  private func row(_ name: String, _ columns: String...) -> String {
    let widths = [10, 12, 12, 14, 14]
    return name.padding(toLength: 18, withPad: " ", startingAt: 0)
      + zip(columns, widths).map { String(repeating: " ", count: max(1, $1 - $0.count)) + $0 }.joined()
  }

  /// 1234567 as 1,234,567.
  private func grouped(_ number: Int) -> String {
    var digits = String(number), groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return ([digits] + groups).joined(separator: ",")
  }
}
