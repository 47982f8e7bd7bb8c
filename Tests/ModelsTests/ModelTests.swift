import Foundation
import Lockstep
import Testing

@testable import Models

@Suite struct ModelTests {
  /// Keys, shapes, groups and order of PyTorch's state_dict, listed from instantiated networks.
  @Test(arguments: ModelCatalog.all.map(\.name))
  func stateDictIsPyTorchs(name: String) throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/\(name).txt")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    let entries = try model(name).entries.map { entry in
      let shape = entry.shape.isEmpty ? "scalar" : entry.shape.map(String.init).joined(separator: "x")
      let type = entry.role == .batchCount ? "i64" : "f32"
      return "\(entry.key)\t\(shape)\t\(type)\t\(entry.isParameter ? "param" : "buffer")\t\(entry.group)"
    }
    #expect(entries == lines)
  }

  /// Totals of the published networks; torchvision's own pages say 6,624,904 parameters and 1.498 GMAC
  /// of googlenet, 27,161,264 (with the head) and 5.713 GMAC of inception-v3.
  @Test(arguments: [
    ("googlenet-seed", 10_253_000, 16_633_240, 1_525_841_920, 1_534_214_144, 16_320),
    ("googlenet", 6_624_904, 13_004_888, 1_498_376_192, 1_506_748_416, 15_072),
    ("googlenet-paper", 6_998_552, 13_378_280, 1_582_671_872, 1_591_044_096, 0),
    ("inception-v3", 23_834_568, 27_161_264, 5_713_216_096, 5_718_899_296, 36_224),
  ])
  func countsAreThePublishedOnes(
    name: String, parameters: Int, withHeads: Int, products: Int, productsWithHeads: Int, buffers: Int
  ) throws {
    let model = try model(name)
    #expect(model.parameterCount(withAuxiliaryHeads: false) == parameters)
    #expect(model.parameterCount(withAuxiliaryHeads: true) == withHeads)
    #expect(model.flat.count == withHeads)
    #expect(model.multiplyAccumulates(withAuxiliaryHeads: false) == products)
    #expect(model.multiplyAccumulates(withAuxiliaryHeads: true) == productsWithHeads)
    #expect(model.bufferCount == buffers)
    #expect(model.statistics.count == 6 + buffers)
  }

  /// For CIFAR-10, from the same calculator.
  @Test func tenClassesHaveFewerParameters() throws {
    #expect(try model("googlenet-seed", classes: 10).parameterCount(withAuxiliaryHeads: false) == 6_196_970)
    #expect(try model("googlenet", classes: 10).parameterCount(withAuxiliaryHeads: false) == 5_610_154)
    #expect(try model("googlenet-paper", classes: 10).parameterCount(withAuxiliaryHeads: false) == 5_983_802)
    #expect(try model("inception-v3", classes: 10).parameterCount(withAuxiliaryHeads: false) == 21_806_058)
  }

  @Test func parametersLieInReverseOrderWithoutGaps() throws {
    let model = try model("googlenet")
    var end = 0
    for entry in model.entries.reversed() {
      guard case .parameter(let offset, let decays) = entry.role else { continue }
      #expect(offset == end)
      #expect(decays == (entry.shape.count > 1), "\(entry.key)")
      end += entry.count
    }
    #expect(end == model.flat.count)
    #expect(model.range("fc.bias").lowerBound == 0)
  }

  @Test func buffersLieInOrderWithoutGaps() throws {
    let model = try model("googlenet-seed")
    var end = 0
    var next = 0
    for entry in model.entries {
      switch entry.role {
      case .runningMean(let offset):
        #expect(offset == end && model.batchNorms[next].meanOffset == offset)
        #expect(entry.key == model.batchNorms[next].prefix + ".running_mean")
      case .runningVariance(let offset):
        #expect(offset == end && model.batchNorms[next].varianceOffset == offset)
        next += 1
      case .parameter, .batchCount: continue
      }
      end += entry.count
    }
    #expect(end == model.bufferCount && next == model.batchNorms.count)
    #expect(model.batchNorms.allSatisfy { $0.epsilon == 1e-5 && $0.momentum == 0.1 })
  }

  @Test func statisticsHaveAPlaceForEachBatchNorm() throws {
    let model = try model("googlenet-seed")
    var end = StatisticsLayout.evaluationCount
    for index in model.batchNorms.indices {
      let layout = model.statistics
      #expect(layout.batchNormRange(index).lowerBound == end)
      #expect(layout.means(ofBatchNorm: index).lowerBound == end)
      #expect(layout.variances(ofBatchNorm: index).upperBound == layout.batchNormRange(index).upperBound)
      end += 2 * model.batchNorms[index].channels
    }
    #expect(end == model.statistics.count)
  }

  /// max(16, 16·⌊c·F/16 + ½⌋) by hand.
  @Test(arguments: [
    (24, 1.0, 24), (24, 0.5, 16), (16, 0.01, 16), (112, 0.5, 64), (144, 0.5, 80), (832, 0.25, 208), (24, 2.0, 48),
    (40, 1.0, 40), (40, 0.999, 32), (23, 0.999, 16),
  ])
  func widthRule(channels: Int, factor: Double, expected: Int) {
    #expect(WidthRule.scaled(channels, by: factor) == expected)
  }

  @Test func widthLeavesInputsAndClassesAlone() throws {
    let model = try model("googlenet", classes: 10, width: 0.5)
    let shapes = Dictionary(uniqueKeysWithValues: model.entries.map { ($0.key, $0.shape) })
    #expect(shapes["conv1.conv.weight"] == [32, 3, 7, 7])
    // 4a at half width: 96 + 112 (208/2 = 104, 6.5 panels, rounded up) + 32 + 32.
    #expect(shapes["inception4b.branch1.conv.weight"] == [80, 96 + 112 + 32 + 32, 1, 1])
    #expect(shapes["aux1.conv.conv.weight"] == [64, 272, 1, 1])
    #expect(shapes["aux1.fc1.weight"] == [512, 1024])
    #expect(shapes["aux1.fc2.weight"] == [10, 512])
    #expect(shapes["fc.weight"]?[0] == 10)
  }

  /// At 32 pixels the trunk of googlenet ends at 1×1: one sample leaves one value a channel.
  @Test func leavesOfASingleValueAreFound() throws {
    let small = try model("googlenet", imageSize: 32)
    #expect(small.smallestLeafProblem(1)?.layer == "inception5a.branch1.bn")
    #expect(small.smallestLeafProblem(2) == nil)
    #expect(try model("googlenet").smallestLeafProblem(1) == nil)
  }
}
