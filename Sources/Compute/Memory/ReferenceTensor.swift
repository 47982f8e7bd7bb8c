/// A tensor of the reference kernels: NCHW, in double precision, without any tricks.
struct ReferenceTensor: Equatable {
  let batch, channels, height, width: Int
  var values: [Double]

  init(batch: Int, channels: Int, height: Int, width: Int, values: [Double]? = nil) {
    (self.batch, self.channels, self.height, self.width) = (batch, channels, height, width)
    self.values = values ?? [Double](repeating: 0, count: batch * channels * height * width)
    require(self.values.count == batch * channels * height * width, "a tensor has as many values as its shape says")
  }

  /// A value; the indices are sample, channel, row, column.
  subscript(n: Int, c: Int, h: Int, w: Int) -> Double {
    get { values[((n * channels + c) * height + h) * width + w] }
    set { values[((n * channels + c) * height + h) * width + w] = newValue }
  }

  /// Zeros of the same shape.
  var zeros: ReferenceTensor { ReferenceTensor(batch: batch, channels: channels, height: height, width: width) }

  /// Calls a body for every pair of sample and channel.
  func forEachPlane(_ body: (_ n: Int, _ c: Int) -> Void) {
    for n in 0..<batch { for c in 0..<channels { body(n, c) } }
  }
}
