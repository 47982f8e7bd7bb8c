import Lockstep
import Testing

@testable import Compute

@Suite("Activations")
struct ActivationTests {
  /// torch.relu keeps NaN and −0; its gradient is zero at 0 and −0 and passes at NaN (checked with PyTorch 2.13).
  @Test("ReLU does with NaN, infinities and zeros what PyTorch does")
  func relu() {
    let values = [-0.0, .nan, -1, 1, .infinity, -.infinity, 0, 0.5]
    let x = ReferenceTensor(batch: 2, channels: 4, height: 1, width: 1, values: values)
    let ones = ReferenceTensor(batch: 2, channels: 4, height: 1, width: 1, values: values.map { _ in 1 })
    let pool = ThreadPool(threads: 2), input = Panels(x), y = Panels(resultLike: x), gradient = Panels(ones)
    reluForward(input.tensor, into: y.tensor, pool: pool)
    reluBackward(y.tensor, gradient.tensor, pool: pool)
    let expected: [Double] = [-0.0, .nan, 0, 1, .infinity, 0, 0, 0.5]
    #expect(y.values.values[1].isNaN)
    for index in [0, 2, 3, 4, 5, 6, 7] { #expect(y.values.values[index].bitPattern == expected[index].bitPattern) }
    #expect(gradient.values.values == [0, 1, 0, 1, 1, 0, 0, 1])
    #expect(y.spareLanesAreZero && gradient.spareLanesAreZero)
  }

  static func dropout(
    _ x: ReferenceTensor, probability: Double, samples: [Int], layer: Int = 2, epoch: Int = 3, threads: Int = 2
  ) -> ReferenceTensor {
    let input = Panels(x), y = Panels(resultLike: x)
    dropoutForward(
      input.tensor, into: y.tensor, probability: probability, seed: 99, layer: layer, epoch: epoch, samples: samples,
      pool: ThreadPool(threads: threads))
    #expect(y.spareLanesAreZero)
    return y.values
  }

  @Test(
    "A sample's mask is that of its address, in the order C, H, W",
    arguments: [(24, 2, 0.25), (24, 1, 0.25), (40, 1, 0.6), (1000, 1, 0.7), (7, 1, 0), (20, 1, 1 - 0x1p-40)])
  func dropoutAddresses(channels: Int, height: Int, probability: Double) {
    // One pixel has a way of its own.
    let width = height > 1 ? 3 : 1, values = channels * height * width
    let ones = ReferenceTensor(
      batch: 3, channels: channels, height: height, width: width,
      values: [Double](repeating: 1, count: 3 * values))
    let result = Self.dropout(ones, probability: probability, samples: [1000, 7, 1000])
    for (row, sample) in [1000, 7, 1000].enumerated() {
      var random = AddressedRandom(seed: 99, purpose: .dropout, layer: 2, epoch: 3, index: sample)
      let expected = (0..<values).map { _ in
        random.uniformFloat() >= Float(probability) ? Double(Float(1 / (1 - probability))) : 0
      }
      #expect(Array(result.values[row * values..<(row + 1) * values]) == expected)
    }
  }

  @Test("A mask does not depend on the batch or the threads, but on layer, epoch and sample")
  func dropoutIsIndependent() {
    var numbers = TestNumbers(20)
    let x = numbers.tensor(4, 40, 1, 1)
    let all = Self.dropout(x, probability: 0.4, samples: [5, 6, 7, 8])
    for row in 0..<4 {
      let alone = ReferenceTensor(
        batch: 1, channels: 40, height: 1, width: 1, values: Array(x.values[row * 40..<(row + 1) * 40]))
      let result = Self.dropout(alone, probability: 0.4, samples: [5 + row])
      #expect(result.values == Array(all.values[row * 40..<(row + 1) * 40]))
    }
    for threads in [1, 3, 7] {
      #expect(Self.dropout(x, probability: 0.4, samples: [5, 6, 7, 8], threads: threads) == all)
    }
    #expect(Self.dropout(x, probability: 0.4, samples: [5, 6, 7, 8], layer: 1) != all)
    #expect(Self.dropout(x, probability: 0.4, samples: [5, 6, 7, 8], epoch: 4) != all)
    #expect(Self.dropout(x, probability: 0.4, samples: [9, 6, 7, 8]) != all)
    #expect(Self.dropout(x, probability: 0, samples: [5, 6, 7, 8]) == x)
  }

  @Test("The share that is dropped is the probability")
  func dropoutShare() {
    let ones = ReferenceTensor(
      batch: 10, channels: 1000, height: 1, width: 1, values: [Double](repeating: 1, count: 10_000))
    for probability in [0.2, 0.4, 0.7] {
      let result = Self.dropout(ones, probability: probability, samples: Array(0..<10))
      let dropped = Double(result.values.filter { $0 == 0 }.count) / 10_000
      // Five standard deviations.
      #expect(abs(dropped - probability) < 5 * (probability * (1 - probability) / 10_000).squareRoot())
    }
  }

  @Test("The gradient goes through the same mask, in place")
  func dropoutGradient() {
    var numbers = TestNumbers(21)
    let dy = numbers.tensor(3, 24, 2, 2), gradient = Panels(dy)
    dropoutBackward(
      gradient.tensor, probability: 0.3, seed: 99, layer: 2, epoch: 3, samples: [1, 2, 3], pool: ThreadPool(threads: 2))
    #expect(gradient.values == Self.dropout(dy, probability: 0.3, samples: [1, 2, 3]))
    #expect(gradient.spareLanesAreZero)
  }
}
