import Interchange
import Lockstep

/// What a checkpoint of `googlenet-seed` holds, written down anew from the network's description.
enum StateDictionary {
  /// Its keys in state_dict order: convolutions are `Sequential(convolution, batch norm, ReLU)` in a row.
  static let keys: [String] = {
    func convolution(_ prefix: String, _ index: Int) -> [String] {
      ["weight", "bias"].map { "\(prefix).\(index).\($0)" }
        + ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"].map {
          "\(prefix).\(index + 1).\($0)"
        }
    }
    func linear(_ prefix: String) -> [String] { [prefix + ".weight", prefix + ".bias"] }
    var keys = convolution("stem", 0)
    for module in 1...9 {
      // 1×1; 1×1 and 3×3; 1×1, 3×3 and 3×3; pooling and 1×1.
      for (block, positions) in [(1, [0]), (2, [0, 3]), (3, [0, 3, 6]), (4, [1])] {
        for position in positions { keys += convolution("im\(module).block\(block)", position) }
      }
    }
    keys += linear("fc")
    for head in ["aux1", "aux2"] {
      keys += convolution(head + ".conv", 0) + linear(head + ".fc1") + linear(head + ".fc2")
    }
    return keys
  }()

  /// The state_hash of a checkpoint by its definition: every tensor, in state_dict order, in pieces of 16,384 elements;
  /// XXH3-128 over the canonical XXH3-128 digests of the pieces.
  static func hash(ofCheckpoint path: String) throws -> String {
    let tensors = try tensorBytes(path)
    var digests: [UInt8] = []
    for key in keys {
      let elementSize = key.hasSuffix("num_batches_tracked") ? 8 : 4
      let bytes = tensors[key] ?? []
      for start in stride(from: 0, to: bytes.count, by: 16_384 * elementSize) {
        digests += Digest(of: Array(bytes[start..<min(bytes.count, start + 16_384 * elementSize)])).canonicalBytes
      }
    }
    return Digest(of: digests).hex
  }
}
