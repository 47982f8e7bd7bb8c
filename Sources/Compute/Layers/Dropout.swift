import Lockstep

/// y = x / (1 − p) where kept and 0 elsewhere. May be done in place.
///
/// Whether a value is kept depends on (seed, layer, epoch, the sample's index, position in C, H, W order) alone, so it is
/// the same whatever batch a sample comes in.
///
/// - Parameters:
///   - probability: that of dropping, below 1.
///   - samples: for each row of the batch, the index of the sample in its dataset.
/// - Source: Srivastava et al., "Dropout", JMLR 2014; inverted, so that nothing is scaled in evaluation.
public func dropoutForward(
  _ x: PanelTensor, into y: PanelTensor, probability: Double, seed: UInt64, layer: Int, epoch: Int, samples: [Int],
  pool: ThreadPool
) {
  require(y.hasShape(of: x), "dropout keeps its input's shape")
  require(probability >= 0 && probability < 1, "a dropout probability is at least 0 and below 1")
  require(samples.count >= x.batch, "every row of the batch has a sample index")
  let area = x.height * x.width, channels = x.channels
  // A value is dropped if its 24 random bits, as a number in [0, 1), are below the probability.
  let threshold = Float(probability), scale = Float(1 / (1 - probability))
  pool.forEach(x.batch) { sample, _ in
    var random = AddressedRandom(seed: seed, purpose: .dropout, layer: layer, epoch: epoch, index: samples[sample])
    // Of one pixel, the numbers are in the order of the rows.
    if area == 1 {
      return RandomRows(random).forEach(x.panels) { panel, numbers in
        let fraction = Row(SIMD16<Int32>(truncatingIfNeeded: numbers &>> 8)) * 0x1p-24
        let value = load(x.panel(panel) + sample * rowWidth)
        store(
          choose(fraction .>= Row(repeating: threshold), value * scale, Row.zero), y.panel(panel) + sample * rowWidth)
      }
    }
    for channel in 0..<channels {
      let start = sample * area * rowWidth + channel % rowWidth
      let source = x.panel(channel / rowWidth) + start, target = y.panel(channel / rowWidth) + start
      for pixel in 0..<area {
        let isKept = random.uniformFloat() >= threshold
        target[pixel * rowWidth] = isKept ? source[pixel * rowWidth] * scale : 0
      }
    }
    if x.pointer != y.pointer { clearSpareLanes(y, sample) }
  }
}

/// Turns the gradient of the output into that of the input, in place; the arguments are those of `dropoutForward`.
public func dropoutBackward(
  _ dy: PanelTensor, probability: Double, seed: UInt64, layer: Int, epoch: Int, samples: [Int], pool: ThreadPool
) {
  // The gradient takes the way of the values.
  dropoutForward(
    dy, into: dy, probability: probability, seed: seed, layer: layer, epoch: epoch, samples: samples, pool: pool)
}

/// Zeroes the lanes beyond the channels in one sample's rows of the last panel.
func clearSpareLanes(_ x: PanelTensor, _ sample: Int) {
  let used = x.channels % rowWidth, area = x.height * x.width
  guard used > 0 else { return }
  let rows = x.panel(x.panels - 1) + sample * area * rowWidth
  for pixel in 0..<area {
    for lane in used..<rowWidth { rows[pixel * rowWidth + lane] = 0 }
  }
}
