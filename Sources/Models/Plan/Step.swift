import Compute

/// Where a tensor lies: a slot of the plan's memory, or some of its panels.
struct Region: Hashable, Sendable {
  let slot: Int
  /// The first of its panels in the slot.
  let panel: Int
  let shape: TensorShape

  var panels: Range<Int> { panel..<panel + Region.panelCount(shape.channels) }

  /// Panels of 16 channels that hold this many.
  static func panelCount(_ channels: Int) -> Int { (channels + 15) / 16 }
}

/// A tensor as a step reads it: as it is stored, or normalised as it is loaded.
struct Operand: Hashable, Sendable {
  let region: Region
  let isNormalized: Bool
}

/// One operation of a plan.
public struct Step: Sendable {
  /// The layer's name; of several that are one step, their names.
  public let name: String
  /// What is done, in words: the same for all steps of a kind.
  public let operation: String
  /// How it is computed where there is a choice: "direct", "Winograd", "product", or empty.
  public let method: String
  /// Multiply-accumulates for one sample.
  public let multiplyAccumulates: Int
  /// What is done, and to which tensors.
  let action: Action
  /// The length of the prefix of the flat gradient that has its final values after this step, if the step made it longer.
  let finishedPrefix: Int?

  /// Bytes that this step must read and write for one sample: its tensors, those that it updates twice, and the winners of
  /// a pool's windows; weights not counted.
  public let bytesPerSample: Int
}
