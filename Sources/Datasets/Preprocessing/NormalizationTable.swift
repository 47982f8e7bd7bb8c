import Lockstep

/// What each byte of each channel becomes: x = (byte / 255 − mean) / std, computed in double and rounded once to Float32.
///
/// Weights that were trained on (byte / 255 − 0.5) / 0.5 take pictures that were normalised with ImageNet's mean and
/// standard deviation through torchvision's `transform_input`: x · (std / 0.5) + (mean − 0.5) / 0.5, channel by channel.
/// It is one more step before the rounding.
///
/// - Source: torchvision's models/googlenet.py and models/inception.py, `_transform_input`.
struct NormalizationTable: Sendable {
  /// 256 values of red, then of green, then of blue.
  let values: [Float]

  init(_ normalization: PixelNormalization, transformsInput: Bool = false) {
    precondition(!transformsInput || normalization == .imagenet, "transform_input starts from ImageNet's normalization")
    let (mean, deviation) = normalization.meanAndDeviation
    values = (0..<3).flatMap { channel in
      (0..<256).map { byte in
        let value = (Double(byte) / 255 - mean[channel]) / deviation[channel]
        return Float(transformsInput ? value * (deviation[channel] / 0.5) + (mean[channel] - 0.5) / 0.5 : value)
      }
    }
  }
}

extension PixelNormalization {
  /// Mean and standard deviation of red, green and blue, of values scaled to [0, 1].
  public var meanAndDeviation: (mean: [Double], deviation: [Double]) {
    switch self {
    case .imagenet: ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    case .cifar: ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616])
    case .cifar100: ([0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762])
    case .half: ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    case .none: ([0, 0, 0], [1, 1, 1])
    }
  }
}
