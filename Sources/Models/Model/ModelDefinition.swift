/// A network as the catalog has it: its name, what it was made for, and the layers, for any image size and width.
public struct ModelDefinition: Sendable {
  /// The name by which it is chosen.
  public let name: String
  /// One line for the list of models.
  public let summary: String
  /// Height and width of the images that it was made for, in pixels.
  public let defaultImageSize: Int
  /// The weight of each auxiliary loss that its authors used.
  public let auxiliaryWeight: Double
  /// The label smoothing that its authors used.
  public let labelSmoothing: Double
  /// States the layers.
  let build: @Sendable (GraphBuilder) -> Void

  init(
    name: String, summary: String, defaultImageSize: Int, auxiliaryWeight: Double, labelSmoothing: Double,
    build: @escaping @Sendable (GraphBuilder) -> Void
  ) {
    (self.name, self.summary, self.defaultImageSize) = (name, summary, defaultImageSize)
    (self.auxiliaryWeight, self.labelSmoothing, self.build) = (auxiliaryWeight, labelSmoothing, build)
  }

  /// The layers, stated for an image size, a number of classes and a width.
  func stated(imageSize: Int, classes: Int, width: Double) -> GraphBuilder {
    let builder = GraphBuilder(imageSize: imageSize, classes: classes, width: width)
    build(builder)
    return builder
  }

  /// The first image size above another one that every layer's window fits into; it does not depend on channel counts.
  func smallestImage(above size: Int, for mode: Plan.Mode) -> Int {
    var size = size + 1
    while stated(imageSize: size, classes: 1, width: 1).misfit(for: mode) != nil { size += 1 }
    return size
  }
}

/// The models that can be trained; a new one is one file in `Catalog` and one line here.
public enum ModelCatalog {
  /// Every model.
  public static let all: [ModelDefinition] = [
    .googLeNetSeed,
    .googLeNet,
    .googLeNetPaper,
    .inceptionV3,
  ]

  /// The model of a name.
  ///
  /// - Throws: `UnknownModel`, which lists the names there are.
  public static func definition(named name: String) throws(UnknownModel) -> ModelDefinition {
    guard let definition = all.first(where: { $0.name == name }) else { throw UnknownModel(name: name) }
    return definition
  }
}
