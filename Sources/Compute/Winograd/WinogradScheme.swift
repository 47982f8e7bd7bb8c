/// How Winograd's method computes one axis of a window: tiles of a few outputs, each from the values of the data's and
/// the filter's polynomials at some points.
///
/// All axes but those of four taps use the same six points: 0, ±√½, ±√2 and ∞, with which rounding errors are less than half
/// of those of the textbook's 0, ±1, ±2 and ∞. A smaller last tile of m outputs takes only m + taps − 1 of the points, of
/// the same transformed filters: what differs in its normalisation is moved into the transform of its data.
///
/// - Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015. Differs: the points, which a search
///   among pairs ±a, ±b found to have the smallest errors.
enum WinogradScheme: Sendable {
  /// One tap: nothing to transform.
  case one
  /// F(4, 3), and F(3, 3) or F(2, 3) in the last tile.
  case three
  /// F(4, 4), at seven points of its own; a last tile that should have fewer outputs drops some.
  case four
  /// F(2, 5), and F(1, 5) in the last tile.
  case five
  /// Seven taps as four and three, F(3, 4) + F(3, 3), or F(2, 4) + F(2, 3) in the last tile: both have the same
  /// outputs, so that their products are added before the one output transform.
  case seven

  /// The scheme for a window's rows or columns, if there is one.
  init?(taps: Int) {
    switch taps {
    case 1: self = .one
    case 3: self = .three
    case 4: self = .four
    case 5: self = .five
    case 7: self = .seven
    default: return nil
    }
  }

  /// Elements of the window.
  var taps: Int {
    switch self {
    case .one: 1
    case .three: 3
    case .four: 4
    case .five: 5
    case .seven: 7
    }
  }

  /// Outputs of a full tile.
  var outputs: Int {
    switch self {
    case .one: 1
    case .three, .four: 4
    case .five: 2
    case .seven: 3
    }
  }

  /// Outputs of the smallest tile; one that should have fewer drops some.
  var fewestOutputs: Int {
    switch self {
    case .one, .five: 1
    case .three, .seven: 2
    case .four: 4
    }
  }

  /// Points at which outputs are evaluated.
  var points: Int {
    switch self {
    case .one: 1
    case .three, .five, .seven: 6
    case .four: 7
    }
  }

  /// Points at which data and filters are: each part of the window has its own.
  var dataPoints: Int { self == .seven ? 12 : points }

  /// Whether a tile of this many outputs takes a point of the data.
  @inline(__always) func uses(_ dataPoint: Int, outputs: Int) -> Bool {
    switch self {
    case .one, .four: true
    case .three: Self.contains(dataPoint, of: outputs + 2)
    case .five: Self.contains(dataPoint, of: outputs + 4)
    case .seven:
      dataPoint < 6 ? Self.contains(dataPoint, of: outputs + 3) : Self.contains(dataPoint - 6, of: outputs + 2)
    }
  }

  /// Whether a point is one of the first `count`, of which ∞ always is the last.
  @inline(__always) private static func contains(_ point: Int, of count: Int) -> Bool {
    count == 6 || point == 5 || point < count - 1
  }

  /// Calls a body with the scheme and the number of outputs as literals, for which the transforms are compiled.
  @inline(__always) func withLiterals(outputs: Int, _ body: (_ scheme: WinogradScheme, _ outputs: Int) -> Void) {
    switch (self, outputs) {
    case (.one, _): body(.one, 1)
    case (.three, 4): body(.three, 4)
    case (.three, 3): body(.three, 3)
    case (.three, _): body(.three, 2)
    case (.four, _): body(.four, 4)
    case (.five, 2): body(.five, 2)
    case (.five, _): body(.five, 1)
    case (.seven, 3): body(.seven, 3)
    case (.seven, _): body(.seven, 2)
    }
  }
}

/// One axis of a convolution cut into tiles.
struct WinogradAxis: Sendable {
  let scheme: WinogradScheme
  /// Pixels of the input and of the output.
  let input, output: Int
  let padding: Int
  /// Full tiles, and the outputs of the smaller one behind them: 0 if there is none.
  let fullTiles, lastOutputs: Int

  init(_ scheme: WinogradScheme, input: Int, output: Int, padding: Int) {
    (self.scheme, self.input, self.output, self.padding) = (scheme, input, output, padding)
    let rest = output % scheme.outputs
    fullTiles = output / scheme.outputs
    lastOutputs = rest == 0 ? 0 : max(rest, scheme.fewestOutputs)
  }

  /// How many tiles there are.
  var tiles: Int { fullTiles + (lastOutputs > 0 ? 1 : 0) }
  /// Whether the last tile is a smaller one.
  var hasPartialTile: Bool { lastOutputs > 0 }
  /// Input pixels that two neighbouring tiles share.
  var overlap: Int { scheme.taps - 1 }

  /// Outputs that a tile computes.
  @inline(__always) func outputs(_ tile: Int) -> Int { tile < fullTiles ? scheme.outputs : lastOutputs }

  /// Whether full tiles take a point of the data, and whether the smaller one does.
  @inline(__always) func users(_ dataPoint: Int) -> (full: Bool, partial: Bool) {
    (
      scheme.uses(dataPoint, outputs: scheme.outputs),
      hasPartialTile && scheme.uses(dataPoint, outputs: lastOutputs)
    )
  }
}
