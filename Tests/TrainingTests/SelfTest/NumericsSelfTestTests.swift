import Datasets
import Foundation
import Lockstep
import Testing

@testable import Training

@Suite struct NumericsSelfTestTests {
  @Test func itIsTheSameEachTimeAndOnAnyNumberOfThreads() {
    let numerics = numericsSelfTest()
    #expect(numerics.engine == engineNumber)
    for threads in 1...3 { #expect(numericsSelfTest(threads: threads) == numerics) }
  }

  @Test func thisBuildHasFusedMultiplyAdd() {
    #expect(throws: Never.self) { try checkFusedMultiplyAdd() }
  }

  @Test func theEmbeddedPicturesAreWhatTheySay() throws {
    for text in EmbeddedPictures.all {
      let bytes = [UInt8](try #require(Data(base64Encoded: text)))
      let isPNG = bytes.starts(with: [0x89, 0x50, 0x4E, 0x47])
      #expect(isPNG || bytes.starts(with: [0xFF, 0xD8, 0xFF]))
      let sample = EncodedSample(bytes: bytes, label: 0, encoding: .imageFile)
      let preprocessing = Preprocessing(imageSize: 8, normalization: .none, augmentation: .none, seed: 0)
      var pixels = [Float](repeating: -1, count: preprocessing.valueCount)
      try pixels.withUnsafeMutableBufferPointer { target throws(DatasetError) in
        guard let target = target.baseAddress else { return }
        try preprocessing.write(sample, index: 0, epoch: 0, purpose: .evaluation, into: target)
      }
      #expect(pixels.allSatisfy { (0...1).contains($0) })
      #expect(Set(pixels).count > 20)
    }
  }
}
