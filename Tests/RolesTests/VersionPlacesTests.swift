import Coordination
import Lockstep
import Models
import Testing
import Wire

@testable import Roles

@Suite struct VersionPlacesTests {
  /// Every element of parameters and buffers is in one bucket of a version; the average's are those of the trained ones.
  @Test(arguments: [[], ["stem", "im1."]], [AverageKind.none, .ema])
  func bucketsTileAVersion(freeze: [String], average: AverageKind) throws {
    let model = try Model(
      ModelCatalog.definition(named: "googlenet-seed"), classes: 10, imageSize: 32, width: 0.5, freeze: freeze)
    var configuration = fullConfiguration()
    configuration.average = average
    let layout = VersionLayout(model, configuration)
    let places = (0..<layout.count).map { layout.place(of: $0, model) }
    func ranges(_ wanted: (VersionLayout.Place) -> Bool) -> [Range<Int>] { places.filter(wanted).map(\.range) }
    func tiles(_ ranges: [Range<Int>], _ count: Int) -> Bool {
      ranges.first?.lowerBound == 0 && ranges.last?.upperBound == count
        && zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound }
    }
    #expect(tiles(ranges { !$0.isAveraged && !$0.isBuffers }, model.parameterCount))
    #expect(ranges { !$0.isAveraged && $0.isBuffers } == [0..<model.bufferCount])
    #expect(freeze.isEmpty == layout.frozen.isEmpty && layout.current.count == model.flat.buckets.count + 1)
    if average == .none {
      #expect(!places.contains { $0.isAveraged })
    } else {
      #expect(ranges { $0.isAveraged && !$0.isBuffers } == model.flat.buckets)
      #expect(ranges { $0.isAveraged && $0.isBuffers } == [0..<model.bufferCount])
    }
    #expect(layout.weights(readBy: Pass(.training, step: 5)) == Weights(version: 4))
    #expect(
      layout.weights(readBy: Pass(.evaluation, step: 5)) == Weights(version: 5, isAveraged: average != .none))
  }
}
