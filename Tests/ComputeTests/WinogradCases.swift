import Testing

@testable import Compute

extension ConvolutionCase {
  private static func window(
    _ name: String, batch: Int = 1, _ channels: (Int, Int), _ kernel: (Int, Int), _ size: (Int, Int),
    padding: (Int, Int)? = nil
  ) -> ConvolutionCase {
    ConvolutionCase(
      name: name, batch: batch, channels: channels, kernel: kernel,
      padding: padding ?? (kernel.0 / 2, kernel.1 / 2), size: size)
  }

  /// Small ones: all remainders of the tiles, few channels, blocks of every kind.
  static let winograd: [ConvolutionCase] =
    (1...9).map { window("3×3, height \($0)", batch: 2, (16, 16), (3, 3), ($0, 10 - $0)) }
    + (1...9).map { window("4×4, height \($0)", batch: 2, (16, 16), (4, 4), ($0, 10 - $0)) }
    + (1...6).map { window("5×5, height \($0)", batch: 2, (16, 16), (5, 5), ($0, 7 - $0)) }
    + (3...9).map { window("1×7, width \($0)", batch: 2, (16, 16), (1, 7), (3, $0)) }
    + (3...9).map { window("7×1, height \($0)", batch: 2, (16, 16), (7, 1), ($0, 2)) }
    + (1...5).map { window("1×3, width \($0)", batch: 2, (16, 16), (1, 3), (2, $0)) }
    + (1...5).map { window("3×1, height \($0)", batch: 2, (16, 16), (3, 1), ($0, 3)) }
    + [
      window("3×3, odd channels", batch: 3, (24, 40), (3, 3), (7, 6)),
      window("3×3, few channels", (12, 13), (3, 3), (6, 7)),
      window("3×3, no padding", batch: 2, (16, 24), (3, 3), (9, 11), padding: (0, 0)),
      window("3×3, one output", (24, 16), (3, 3), (3, 3), padding: (0, 0)),
      window("3×3, padding 2", batch: 2, (24, 16), (3, 3), (5, 6), padding: (2, 2)),
      window("3×3, paddings 0 and 2", batch: 2, (24, 16), (3, 3), (8, 6), padding: (0, 2)),
      window("3×3, a wide row", (16, 16), (3, 3), (3, 150)),
      window("3×3, a tall column", (16, 16), (3, 3), (150, 3)),
      window("3×3, parts of samples", batch: 2, (16, 32), (3, 3), (35, 37)),
      window("3×3, many samples", batch: 70, (16, 16), (3, 3), (5, 6)),
      window("3×3, many panels", batch: 2, (72, 136), (3, 3), (6, 7)),
      window("4×4, odd channels", batch: 3, (24, 40), (4, 4), (7, 9)),
      window("4×4, no padding", batch: 2, (16, 24), (4, 4), (9, 10), padding: (0, 0)),
      window("4×4, parts of samples", batch: 2, (72, 32), (4, 4), (35, 37)),
      window("4×3", batch: 2, (16, 16), (4, 3), (7, 8)),
      window("5×5, odd channels", batch: 3, (24, 40), (5, 5), (7, 8)),
      window("5×5, no padding", batch: 2, (16, 24), (5, 5), (9, 10), padding: (0, 0)),
      window("5×5, wide", (16, 16), (5, 5), (8, 70)),
      window("1×7, odd channels", batch: 3, (24, 40), (1, 7), (5, 17)),
      window("1×7, wide", (16, 16), (1, 7), (3, 100)),
      window("7×1, odd channels", batch: 3, (40, 24), (7, 1), (17, 5)),
      window("7×1, wide", (16, 16), (7, 1), (9, 70)),
      window("1×3, odd channels", batch: 3, (24, 40), (1, 3), (5, 8)),
      window("3×1, odd channels", batch: 3, (40, 24), (3, 1), (8, 5)),
      window("3×5", batch: 2, (16, 16), (3, 5), (7, 8)),
    ]

  /// Layers of the catalog's networks, one sample of each.
  static let winogradLayers: [ConvolutionCase] =
    [
      (56, 64, 192), (28, 96, 128), (28, 16, 32), (28, 128, 192), (28, 32, 96), (14, 96, 208), (14, 112, 224),
      (14, 24, 64), (14, 128, 256), (14, 144, 288), (14, 160, 320), (7, 160, 320), (7, 192, 384), (7, 48, 128),
    ].map { window("3×3 of googlenet", ($0.1, $0.2), (3, 3), ($0.0, $0.0)) }
    + [
      window("5×5 of googlenet-paper", (32, 96), (5, 5), (28, 28)),
      window("5×5 of googlenet-paper", batch: 2, (48, 128), (5, 5), (7, 7)),
      window("5×5 of inception-v3", (48, 64), (5, 5), (35, 35)),
      window("3×3 of inception-v3", (80, 192), (3, 3), (73, 73), padding: (0, 0)),
      window("3×3 of inception-v3", (448, 384), (3, 3), (8, 8)),
      window("1×7 of inception-v3", batch: 2, (160, 192), (1, 7), (17, 17)),
      window("7×1 of inception-v3", batch: 2, (192, 192), (7, 1), (17, 17)),
      window("1×3 of inception-v3", batch: 2, (384, 384), (1, 3), (8, 8)),
      window("3×1 of inception-v3", batch: 2, (384, 384), (3, 1), (8, 8)),
    ]
}
