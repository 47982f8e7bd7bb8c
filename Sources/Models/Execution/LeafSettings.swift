/// What a leaf's loss depends on besides its samples and the parameters.
public struct LeafSettings: Hashable, Sendable {
  /// Label smoothing ε of all losses.
  public var labelSmoothing: Double
  /// The weight of each auxiliary loss.
  public var auxWeight: Double
  /// Whether dropout layers drop.
  public var dropout: Bool
  /// What dropout masks are drawn from.
  public var seed: UInt64
  /// The epoch, which addresses dropout masks.
  public var epoch: Int

  /// Settings for the leaves of one epoch.
  public init(labelSmoothing: Double, auxWeight: Double, dropout: Bool, seed: UInt64, epoch: Int) {
    (self.labelSmoothing, self.auxWeight, self.dropout) = (labelSmoothing, auxWeight, dropout)
    (self.seed, self.epoch) = (seed, epoch)
  }
}
