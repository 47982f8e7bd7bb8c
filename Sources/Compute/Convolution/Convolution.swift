/// A convolution planned for an input of one height and width; the batch may be any.
///
/// A linear layer over all of a C×H×W tensor is a convolution whose window is H×W. Packed weights are what `pack` and
/// `packTransposed` write; nobody else knows their order. The method is chosen by the shape alone, because it is part of
/// the result.
///
/// Every output element has one thread that computes it, and one order of summation: no result depends on the number of
/// threads or on what else is in the batch, except that a weight gradient adds up the samples in their order.
public struct Convolution: Sendable {
  /// The window and the channels.
  public let geometry: ConvolutionGeometry
  /// Rows of the input.
  public let inputHeight: Int
  /// Columns of the input.
  public let inputWidth: Int
  /// Rows of the output.
  public let outputHeight: Int
  /// Columns of the output.
  public let outputWidth: Int

  /// The layout of the images that it reads, if it was planned for images.
  public let imageLayout: ImageLayout?

  /// How windows of the shapes that it suits are computed; the others are by the direct method.
  let winograd: Winograd?
  /// The same for images in phases.
  let strided: StridedWinograd?
  let forwardPass: Correlation
  /// One for each phase of the stride that has input pixels.
  let dataPasses: [DataPass]
  /// Floats of the direct method's transposed weights.
  private let transposedCount: Int

  /// The gradient with respect to the input pixels of one phase: those at the same distance from a multiple of the stride.
  struct DataPass: Sendable {
    /// The first window row and column that meet the phase, of every `stride`-th.
    let firstRow, firstColumn: Int
    /// How many meet it; if none, the gradient there is zero.
    let rowTaps, columnTaps: Int
    /// From one of them to the next.
    let rowStride, columnStride: Int
    let correlation: Correlation
    /// Where its weights begin in the transposed packing.
    let weightStart: Int
  }

  /// Plans a convolution; traps if the window does not fit the padded input.
  ///
  /// - Parameter readsImages: whether its input is images, in the layout that suits it, instead of a tensor in panels.
  public init(_ geometry: ConvolutionGeometry, inputHeight: Int, inputWidth: Int, readsImages: Bool = false) {
    require(
      inputHeight + 2 * geometry.paddingHeight >= geometry.kernelHeight
        && inputWidth + 2 * geometry.paddingWidth >= geometry.kernelWidth, "a window fits the padded input")
    self.geometry = geometry
    (self.inputHeight, self.inputWidth) = (inputHeight, inputWidth)
    outputHeight = geometry.outputHeight(inputHeight)
    outputWidth = geometry.outputWidth(inputWidth)
    let vertical = AxisPlan(
      input: inputHeight, output: outputHeight, kernel: geometry.kernelHeight, stride: geometry.strideHeight,
      padding: geometry.paddingHeight)
    let horizontal = AxisPlan(
      input: inputWidth, output: outputWidth, kernel: geometry.kernelWidth, stride: geometry.strideWidth,
      padding: geometry.paddingWidth)
    forwardPass = Correlation(
      rows: vertical.forward, columns: horizontal.forward, inputChannels: geometry.inputChannels,
      outputChannels: geometry.outputChannels)
    var passes: [DataPass] = []
    var weightStart = 0
    for row in vertical.phases {
      for column in horizontal.phases {
        let correlation = Correlation(
          rows: row.axis, columns: column.axis, inputChannels: geometry.outputChannels,
          outputChannels: geometry.inputChannels)
        passes.append(
          DataPass(
            firstRow: row.firstTap, firstColumn: column.firstTap, rowTaps: row.taps, columnTaps: column.taps,
            rowStride: vertical.stride, columnStride: horizontal.stride, correlation: correlation,
            weightStart: weightStart))
        if row.taps > 0 && column.taps > 0 { weightStart += correlation.weightCount }
      }
    }
    dataPasses = passes
    // Of a single output, Winograd's method saves nothing.
    let isLinear = Self.isLinear(geometry, inputHeight: inputHeight, inputWidth: inputWidth)
    winograd =
      !isLinear && Winograd.suits(geometry)
      ? Winograd(geometry, inputHeight: inputHeight, inputWidth: inputWidth) : nil
    transposedCount = weightStart
    imageLayout = readsImages ? Self.imageLayout(geometry, inputHeight: inputHeight, inputWidth: inputWidth) : nil
    require(!readsImages || imageLayout != nil, "a convolution of images reads less than a panel's channels")
    if case .phases = imageLayout {
      strided = StridedWinograd(geometry, inputHeight: inputHeight, inputWidth: inputWidth)
    } else {
      strided = nil
    }
  }

  /// The layout of images that suits a convolution; nil if it can read panels only.
  public static func imageLayout(
    _ geometry: ConvolutionGeometry, inputHeight: Int, inputWidth: Int
  ) -> ImageLayout? {
    if Winograd.suits(geometry) || geometry.inputChannels >= rowWidth { return nil }
    guard StridedWinograd.suits(geometry, inputHeight: inputHeight, inputWidth: inputWidth) else { return .pixels }
    return .phases(StridedWinograd(geometry, inputHeight: inputHeight, inputWidth: inputWidth).phases)
  }

  /// Floats of the packed weights for `forward`.
  public var packedCount: Int {
    if let strided { return strided.packedCount }
    return readsWeightsInPlace ? geometry.weightCount : winograd?.packedCount ?? forwardPass.weightCount
  }
  /// Floats of the packed weights for `backward`.
  public var packedTransposedCount: Int {
    if strided != nil { return 0 }
    return readsWeightsInPlace ? geometry.weightCount : winograd?.packedTransposedCount ?? transposedCount
  }

  /// How it is computed, in a word.
  public var method: String { winograd != nil || strided != nil ? "Winograd" : isLinear ? "linear" : "direct" }

  /// Whether `backward` makes the bias's gradient too: a loop of its own would take a linear layer longer to hand out than
  /// to do.
  public var sumsBiasGradient: Bool { isLinear }

  /// Floats of scratch that any of the calls below needs.
  public func scratchCount(batch: Int, threads: Int) -> Int {
    if let strided { return strided.scratchCount(batch: batch, threads: threads) }
    if let winograd { return winograd.scratchCount(batch: batch, threads: threads) }
    if isLinear { return linearScratch(batch: batch, threads: threads) }
    let forward = correlationScratch(forwardPass, threads)
    let data = dataPasses.map { correlationScratch($0.correlation, threads) }.max() ?? 0
    return max(forward, data, weightScratch(batch: batch, threads: threads))
  }

  func check(_ x: PanelTensor, _ y: PanelTensor) {
    require(strided == nil, "a convolution of images in phases reads no tensors in panels")
    require(
      x.height == inputHeight && x.width == inputWidth && x.channels == geometry.inputChannels,
      "a convolution's input has the shape it was planned for")
    require(
      y.height == outputHeight && y.width == outputWidth && y.channels == geometry.outputChannels && x.batch == y.batch,
      "a convolution's output has the shape it was planned for")
  }
}

/// One axis of a convolution.
private struct AxisPlan {
  let input, output, kernel, stride, padding: Int

  init(input: Int, output: Int, kernel: Int, stride: Int, padding: Int) {
    // A single window may have any stride. That of the window's size makes each input pixel a phase of its own with one
    // product per output channel: the matrix product of a linear layer.
    let isSingle = output == 1 && padding == 0
    self.stride = isSingle ? max(stride, kernel) : stride
    (self.input, self.output, self.kernel, self.padding) = (input, output, kernel, padding)
  }

  var forward: Correlation.Axis {
    Correlation.Axis(
      input: input, output: output, grid: output, start: -padding, step: stride, kernel: kernel, outputStart: 0,
      outputStep: 1)
  }

  /// For each phase that has pixels: the taps that meet it and the correlation of the output's gradient that it is.
  ///
  /// Input pixel i = phase + t · stride meets tap k = firstTap + m · stride at output t + base − m.
  var phases: [(firstTap: Int, taps: Int, axis: Correlation.Axis)] {
    (0..<min(stride, input)).map { phase in
      let firstTap = (phase + padding) % stride
      let taps = firstTap < kernel ? (kernel - 1 - firstTap) / stride + 1 : 0
      let base = (phase + padding - firstTap) / stride
      let axis = Correlation.Axis(
        input: output, output: input, grid: (input - 1 - phase) / stride + 1, start: base - (taps - 1), step: 1,
        kernel: taps, outputStart: phase, outputStep: stride)
      return (firstTap, taps, axis)
    }
  }
}
