import Compute
import Lockstep

extension Model {
  /// The flat vector of version 0.
  ///
  /// Each tensor has random numbers of its own, addressed by its place in the state_dict; its elements take them in
  /// order.
  public func initialParameters(seed: UInt64) -> [Float] {
    var parameters = [Float](repeating: 0, count: parameterCount)
    for (index, entry) in entries.enumerated() {
      guard case .parameter(let offset, _) = entry.role else { continue }
      var random = AddressedRandom(seed: seed, purpose: .initialization, layer: index)
      parameters.withUnsafeMutableBufferPointer { all in
        entry.initialization.fill(
          UnsafeMutableBufferPointer(rebasing: all[offset..<offset + entry.count]), from: &random)
      }
    }
    return parameters
  }

  /// The running statistics of version 0: means 0, variances 1.
  public func initialBuffers() -> [Float] {
    var buffers = [Float](repeating: 0, count: bufferCount)
    for batchNorm in batchNorms {
      for channel in 0..<batchNorm.channels { buffers[batchNorm.varianceOffset + channel] = 1 }
    }
    return buffers
  }
}

extension Initialization {
  /// Fills a tensor.
  ///
  /// - Source: the Gaussian is that of Box and Muller, "A note on the generation of random normal deviates", 1958.
  func fill(_ values: UnsafeMutableBufferPointer<Float>, from random: inout AddressedRandom) {
    switch self {
    case .constant(let value):
      values.update(repeating: value)
    case .uniform(let bound):
      for index in values.indices { values[index] = Float(random.uniform(-bound, bound)) }
    case .normal(let deviation):
      for index in stride(from: 0, to: values.count, by: 2) {
        // 1 − u is in (0, 1], so the logarithm is finite.
        let radius = deviation * (-2 * Elementary.log(1 - random.uniform())).squareRoot()
        let angle = 2 * Double.pi * random.uniform()
        values[index] = Float(radius * Elementary.cos(angle))
        if index + 1 < values.count { values[index + 1] = Float(radius * Elementary.sin(angle)) }
      }
    }
  }
}
