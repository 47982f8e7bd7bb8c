import Models

/// What `trainer bench engine` is to measure.
public struct EngineBenchOptions: Sendable {
  /// What a step is.
  public enum Mode: String, Sendable, CaseIterable {
    /// Forward with auxiliary heads and dropout, loss, backward, update, and loading the new parameters.
    case train
    /// Forward with running statistics, and loss.
    case evaluate

    var executorMode: Executor.Mode { self == .train ? .training : .evaluation }
  }

  /// A model of the catalog.
  public var model: String
  /// What a step is.
  public var mode: Mode
  /// Samples of a step.
  public var batch: Int
  /// Compute threads.
  public var threads: Int
  /// Steps that count.
  public var steps: Int
  /// Height and width of the input; the model's own if there is none.
  public var size: Int?
  /// Factor on every channel count.
  public var width: Double
  /// Number of classes.
  public var classes: Int

  /// Collects the options.
  public init(
    model: String, mode: Mode, batch: Int, threads: Int, steps: Int, size: Int? = nil, width: Double = 1,
    classes: Int = 1000
  ) {
    (self.model, self.mode, self.batch, self.threads, self.steps) = (model, mode, batch, threads, steps)
    (self.size, self.width, self.classes) = (size, width, classes)
  }

  /// Builds the model, and refuses one that cannot be trained with this batch.
  func builtModel() throws(Failure) -> Model {
    let model = try failing {
      let definition = try ModelCatalog.definition(named: self.model)
      return try Model(
        definition, classes: classes, imageSize: size ?? definition.defaultImageSize, width: width)
    }
    if mode == .train, let (layer, shape) = model.smallestLeafProblem(batch) {
      throw Failure(
        .mismatch,
        "a batch of \(batch) would leave batch norm \(layer) (\(shape)) a single value to take statistics of; "
          + "choose a larger --batch or --size")
    }
    return model
  }
}
