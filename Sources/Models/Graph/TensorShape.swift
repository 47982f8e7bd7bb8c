/// Channels, height and width of one sample's tensor.
public struct TensorShape: Hashable, Sendable, CustomStringConvertible {
  /// Channels.
  public let channels: Int
  /// Rows.
  public let height: Int
  /// Columns.
  public let width: Int

  /// A shape from its three sizes.
  public init(channels: Int, height: Int, width: Int) {
    (self.channels, self.height, self.width) = (channels, height, width)
  }

  /// Elements of one sample.
  public var count: Int { channels * height * width }

  /// For example `192×28×28`.
  public var description: String { "\(channels)×\(height)×\(width)" }
}

/// A tensor that flows through a graph: what one operation produces and others consume.
public struct Value: Hashable, Sendable {
  /// The value's position among the graph's values; 0 is the input.
  let index: Int
  /// The shape that was inferred for it.
  public let shape: TensorShape
}

/// A factor on a network's channel counts.
enum WidthRule {
  /// max(16, 16·⌊c·F/16 + ½⌋); a factor of 1 leaves every count as it is.
  ///
  /// Counts stay multiples of 16, so that branches of a concatenation are whole panels at every width.
  static func scaled(_ channels: Int, by factor: Double) -> Int {
    guard factor != 1 else { return channels }
    return max(16, 16 * Int((Double(channels) * factor / 16 + 0.5).rounded(.down)))
  }
}
