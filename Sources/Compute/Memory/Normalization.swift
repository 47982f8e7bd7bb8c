/// What a normalisation with the ReLU behind it makes of a tensor: z = max((y − center) · scale + shift, floor), channel by
/// channel.
///
/// Nobody stores z: whoever reads the tensor applies this as it loads, always with the same operations, so that every
/// reader sees the same bits. A channel that is not normalised has center 0, scale 1, shift 0 and floor −∞.
///
/// Sendable because it is only a description; who may write when is a matter of its users.
public struct Normalization: @unchecked Sendable {
  /// Where the four vectors of the first panel begin.
  private let vectors: UnsafeMutablePointer<Float>
  /// Floats from one vector to the next.
  private let stride: Int

  /// Describes memory that somebody else owns: the vectors center, scale, shift and floor, [4][16 · panels].
  public init(vectors: UnsafeMutablePointer<Float>, panels: Int) {
    (self.vectors, stride) = (vectors, panels * rowWidth)
  }

  private init(vectors: UnsafeMutablePointer<Float>, stride: Int) { (self.vectors, self.stride) = (vectors, stride) }

  /// Floats of the four vectors.
  public static func floatCount(panels: Int) -> Int { 4 * panels * rowWidth }

  /// The same for the panels from this one on.
  public func panels(from panel: Int) -> Normalization {
    Normalization(vectors: vectors + panel * rowWidth, stride: stride)
  }

  /// The vectors of one panel.
  @inline(__always) func panel(_ index: Int) -> PanelNormalization {
    let first = vectors + index * rowWidth
    return PanelNormalization(
      center: load(first), scale: load(first + stride), shift: load(first + 2 * stride),
      floor: load(first + 3 * stride))
  }

  /// Some lanes of the vectors of one panel.
  @inline(__always) func lanes(_ index: Int, from lane: Int) -> LaneNormalization {
    let first = FloatPointer(vectors + index * rowWidth + lane)
    return LaneNormalization(
      center: loadLanes(first), scale: loadLanes(first + stride), shift: loadLanes(first + 2 * stride),
      floor: loadLanes(first + 3 * stride))
  }

  /// Sets the vectors of one panel.
  @inline(__always) func set(_ panel: PanelNormalization, at index: Int) {
    let first = vectors + index * rowWidth
    store(panel.center, first)
    store(panel.scale, first + stride)
    store(panel.shift, first + 2 * stride)
    store(panel.floor, first + 3 * stride)
  }

  /// Makes panels ones that are not normalised.
  public func setIdentity(panels: Range<Int>) {
    for index in panels { set(.identity, at: index) }
  }
}

/// The normalisation of one panel's 16 channels.
struct PanelNormalization {
  let center, scale, shift, floor: Row

  static var identity: PanelNormalization {
    PanelNormalization(
      center: .zero, scale: Row(repeating: 1), shift: .zero, floor: Row(repeating: -.infinity))
  }

  /// A pixel's value; NaN stays NaN.
  @inline(__always) func callAsFunction(_ y: Row) -> Row {
    let value = shift.addingProduct(y - center, scale)
    return choose(value .< floor, floor, value)
  }

  /// Where the gradient passes: not where the floor cut.
  @inline(__always) func passes(_ y: Row) -> SIMDMask<SIMD16<Int32>> {
    .!(shift.addingProduct(y - center, scale) .<= floor)
  }
}

/// A tensor as the layers behind it see it.
public struct Activation: Sendable {
  /// What is stored.
  public let tensor: PanelTensor
  /// What is made of it as it is loaded; nil if it is seen as it is stored.
  public let normalization: Normalization?

  /// A stored tensor and what is made of it.
  public init(_ tensor: PanelTensor, normalization: Normalization? = nil) {
    (self.tensor, self.normalization) = (tensor, normalization)
  }
}

/// Copies rows of one panel, normalised if there is something to apply.
@inline(__always)
func copyRows(
  _ source: FloatPointer, _ count: Int, normalization: PanelNormalization?, into target: MutableFloatPointer
) {
  guard let normalization else { return copyRows(source, count, into: target) }
  for index in 0..<count { store(normalization(load(source + index * rowWidth)), target + index * rowWidth) }
}
