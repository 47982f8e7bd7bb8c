import Testing

@testable import Training

@Suite struct FoldedConvolutionTests {
  /// By hand: √(0.75 + 0.25) = 1 and √(3.75 + 0.25) = 2, so the factors are 4 and 3.
  @Test func twoChannelsByHand() {
    let layer = FoldedConvolution(
      weights: [1, -2, 0.5, 3], biases: [1, 2], scale: [4, 6], shift: [10, 20], mean: [0.5, -1],
      variance: [0.75, 3.75],
      epsilon: 0.25)
    #expect(layer.weights == [4, -8, 1.5, 9])
    #expect(layer.biases == [12, 29])
  }

  @Test func aConvolutionWithoutBiases() {
    let layer = FoldedConvolution(
      weights: [1, 2], biases: nil, scale: [1, -1], shift: [0, 1], mean: [3, 4], variance: [4, 16], epsilon: 0)
    #expect(layer.weights == [0.5, -0.5])
    #expect(layer.biases == [-1.5, 2])
  }
}
