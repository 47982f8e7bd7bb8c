import Testing

@testable import Compute

/// A convolution and its input, as the tests of all its kernels share them.
struct ConvolutionCase: CustomTestStringConvertible, Sendable {
  var name: String
  var batch = 1
  var channels: (Int, Int)
  var kernel: (Int, Int)
  var stride = (1, 1)
  var padding = (0, 0)
  var size: (Int, Int)

  var geometry: ConvolutionGeometry {
    ConvolutionGeometry(
      inputChannels: channels.0, outputChannels: channels.1, kernelHeight: kernel.0, kernelWidth: kernel.1,
      strideHeight: stride.0, strideWidth: stride.1, paddingHeight: padding.0, paddingWidth: padding.1)
  }

  var convolution: Convolution { Convolution(geometry, inputHeight: size.0, inputWidth: size.1) }

  var imageLayout: ImageLayout? { Convolution.imageLayout(geometry, inputHeight: size.0, inputWidth: size.1) }

  var testDescription: String {
    "\(name): \(batch)×\(channels.0)→\(channels.1), \(kernel), stride \(stride), padding \(padding), \(size)"
  }

  static let all: [ConvolutionCase] = [
    // Remainders of the row tile: 1 to 13 pixels, one block and a bit, full panels and not.
    ConvolutionCase(name: "one pixel", channels: (16, 16), kernel: (1, 1), size: (1, 1)),
    ConvolutionCase(name: "two pixels", channels: (3, 5), kernel: (1, 1), size: (1, 2)),
    ConvolutionCase(name: "five pixels", channels: (24, 40), kernel: (1, 1), size: (5, 1)),
    ConvolutionCase(name: "seven pixels", channels: (16, 24), kernel: (1, 1), size: (1, 7)),
    ConvolutionCase(name: "eight pixels", channels: (40, 16), kernel: (1, 1), size: (2, 4)),
    ConvolutionCase(name: "nine pixels", channels: (16, 16), kernel: (1, 1), size: (3, 3)),
    ConvolutionCase(name: "ten pixels", channels: (24, 24), kernel: (1, 1), size: (2, 5)),
    ConvolutionCase(name: "thirteen pixels", channels: (16, 16), kernel: (1, 1), size: (13, 1)),
    ConvolutionCase(name: "pointwise", batch: 5, channels: (40, 24), kernel: (1, 1), size: (7, 6)),
    ConvolutionCase(name: "pointwise over many run blocks", channels: (600, 24), kernel: (1, 1), size: (3, 4)),
    ConvolutionCase(
      name: "pointwise, strided", batch: 2, channels: (24, 16), kernel: (1, 1), stride: (2, 2), size: (7, 6)),
    ConvolutionCase(name: "3×3", batch: 5, channels: (16, 24), kernel: (3, 3), padding: (1, 1), size: (7, 7)),
    ConvolutionCase(name: "3×3, not square", channels: (40, 40), kernel: (3, 3), padding: (1, 1), size: (5, 9)),
    ConvolutionCase(
      name: "3×3, several blocks", batch: 2, channels: (16, 16), kernel: (3, 3), padding: (1, 1), size: (20, 14)),
    ConvolutionCase(
      name: "3×3, few tiles and many outputs", batch: 2, channels: (40, 168), kernel: (3, 3), padding: (1, 1),
      size: (7, 7)),
    ConvolutionCase(
      name: "3×3, few tiles and many inputs", batch: 3, channels: (150, 72), kernel: (3, 3), padding: (1, 1),
      size: (5, 7)),
    ConvolutionCase(name: "3×3, a wide row", channels: (3, 16), kernel: (3, 3), padding: (1, 1), size: (3, 120)),
    ConvolutionCase(
      name: "3×3, first layer", batch: 5, channels: (3, 24), kernel: (3, 3), padding: (1, 1), size: (8, 8)),
    ConvolutionCase(name: "3×3, no padding", channels: (24, 16), kernel: (3, 3), size: (6, 8)),
    ConvolutionCase(name: "3×3, one output", channels: (24, 16), kernel: (3, 3), size: (3, 3)),
    ConvolutionCase(
      name: "3×3, smaller than the window", channels: (16, 16), kernel: (3, 3), padding: (1, 1), size: (1, 2)),
    ConvolutionCase(name: "3×3/2", batch: 2, channels: (24, 40), kernel: (3, 3), stride: (2, 2), size: (9, 8)),
    ConvolutionCase(
      name: "3×3/2, padded", batch: 5, channels: (16, 16), kernel: (3, 3), stride: (2, 2), padding: (1, 1), size: (6, 7)
    ),
    ConvolutionCase(
      name: "3×3/3 with pixels that no window meets", channels: (16, 16), kernel: (2, 2), stride: (3, 3), size: (8, 9)),
    ConvolutionCase(
      name: "7×7/2, first layer", batch: 2, channels: (3, 24), kernel: (7, 7), stride: (2, 2), padding: (3, 3),
      size: (18, 22)),
    ConvolutionCase(name: "5×5", batch: 2, channels: (24, 16), kernel: (5, 5), padding: (2, 2), size: (7, 8)),
    ConvolutionCase(name: "5×5/3", channels: (16, 16), kernel: (5, 5), stride: (3, 3), padding: (2, 2), size: (11, 10)),
    ConvolutionCase(name: "1×7", batch: 2, channels: (40, 24), kernel: (1, 7), padding: (0, 3), size: (5, 9)),
    ConvolutionCase(name: "7×1", batch: 2, channels: (24, 40), kernel: (7, 1), padding: (3, 0), size: (9, 5)),
    ConvolutionCase(name: "1×3", channels: (16, 16), kernel: (1, 3), padding: (0, 1), size: (8, 8)),
    ConvolutionCase(
      name: "2×3, strides 1 and 2", channels: (16, 24), kernel: (2, 3), stride: (1, 2), padding: (0, 1), size: (6, 7)),
    ConvolutionCase(
      name: "more padding than window", channels: (16, 16), kernel: (1, 1), padding: (1, 2), size: (3, 4)),
    ConvolutionCase(
      name: "a window beyond the image", channels: (16, 16), kernel: (1, 1), stride: (1, 5), padding: (0, 2),
      size: (3, 1)),
    ConvolutionCase(name: "linear", batch: 5, channels: (40, 24), kernel: (1, 1), size: (1, 1)),
    ConvolutionCase(name: "linear over pixels", batch: 5, channels: (24, 40), kernel: (2, 2), size: (2, 2)),
    ConvolutionCase(name: "linear over 5×5", batch: 3, channels: (40, 24), kernel: (5, 5), size: (5, 5)),
    ConvolutionCase(name: "linear, many samples", batch: 200, channels: (90, 100), kernel: (1, 1), size: (1, 1)),
    ConvolutionCase(name: "linear over many panels", batch: 17, channels: (40, 100), kernel: (4, 4), size: (4, 4)),
    ConvolutionCase(name: "linear over many pixels", batch: 2, channels: (24, 20), kernel: (5, 7), size: (5, 7)),
    ConvolutionCase(name: "linear over a rectangle", batch: 7, channels: (16, 10), kernel: (3, 4), size: (3, 4)),
    // Enough panels that threads own blocks of the weight gradient.
    ConvolutionCase(name: "many panels", batch: 2, channels: (72, 72), kernel: (3, 3), padding: (1, 1), size: (5, 6)),
    ConvolutionCase(name: "many panels, pointwise", batch: 3, channels: (136, 40), kernel: (1, 1), size: (8, 9)),
    // Enough pixels for several parts of the weight gradient.
    ConvolutionCase(name: "many pixels", batch: 2, channels: (16, 16), kernel: (1, 1), size: (50, 52)),
  ]
}
