/// How Winograd's method computes one axis of a window: tiles of a few outputs, each from the values of the data's and
/// the filter's polynomials at some points.
///
/// Three and five taps use the same six points: 0, ±√½, ±√2 and ∞, with which rounding errors are less than half of those of
/// the textbook's 0, ±1, ±2 and ∞. A smaller last tile of m outputs takes only m + taps − 1 of the points, of the same
/// transformed filters: what differs in its normalisation is moved into the transform of its data. Four and seven taps have
/// points of their own (`WinogradPairedPoints`), and a last tile that should have fewer outputs drops some.
///
/// - Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015. Differs: the points, which a search
///   among pairs ±a, ±b found to have the smallest errors.
enum WinogradScheme: Sendable {
  /// One tap: nothing to transform.
  case one
  /// F(4, 3), and F(3, 3) or F(2, 3) in the last tile.
  case three
  /// F(4, 4).
  case four
  /// F(2, 5), and F(1, 5) in the last tile.
  case five
  /// F(3, 7).
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
    case .three: 2
    case .four: 4
    case .seven: 3
    }
  }

  /// Points at which data, filters and outputs are evaluated.
  var points: Int {
    switch self {
    case .one: 1
    case .three, .five: 6
    case .four: 7
    case .seven: 9
    }
  }

  /// Whether a tile of this many outputs takes a point.
  @inline(__always) func uses(_ point: Int, outputs: Int) -> Bool {
    switch self {
    case .one, .four, .seven: true
    case .three: Self.contains(point, of: outputs + 2)
    case .five: Self.contains(point, of: outputs + 4)
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
    case (.seven, _): body(.seven, 3)
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

  /// Whether full tiles take a point, and whether the smaller one does.
  @inline(__always) func users(_ point: Int) -> (full: Bool, partial: Bool) {
    (scheme.uses(point, outputs: scheme.outputs), hasPartialTile && scheme.uses(point, outputs: lastOutputs))
  }
}
