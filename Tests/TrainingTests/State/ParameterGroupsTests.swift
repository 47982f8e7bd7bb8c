import Lockstep
import Models
import Testing

@testable import Training

@Suite struct ParameterGroupsTests {
  private let fixture: Fixture

  init() throws { fixture = try Fixture() }

  private func groups(
    _ decay: DecayRule, trunk: Double = 1, joined: Bool = true, model: Model? = nil
  ) -> ParameterGroups {
    var configuration = fixture.configuration
    (configuration.decay, configuration.trunkLearningRateFactor) = (decay, trunk)
    return ParameterGroups(model ?? fixture.model, configuration: configuration, joined: joined)
  }

  /// The treatment of each parameter, by its key; a tensor that is not treated as one has none.
  private func treatments(_ groups: ParameterGroups, _ model: Model) -> [String: ParameterGroups.Treatment] {
    var result: [String: ParameterGroups.Treatment] = [:]
    for entry in model.entries {
      guard case .parameter(let offset, _) = entry.role else { continue }
      let segments = groups.segments(in: offset..<offset + entry.count)
      #expect(segments.map(\.range) == [offset..<offset + entry.count], "\(entry.key)")
      result[entry.key] = segments.first?.treatment
    }
    return result
  }

  @Test func everythingDecaysUnlessTheRuleSaysOtherwise() {
    let all = groups(.all)
    #expect(all.segments.map(\.range) == [0..<fixture.model.flat.count])
    #expect(all.segments[0].treatment == .init(decays: true, rateFactor: 1))
    let some = groups(.noBatchNormOrBias)
    for (key, treatment) in treatments(some, fixture.model) {
      // Weights of convolutions and linear layers have two sizes or more; everything else has one.
      let shape = fixture.model.entries.first { $0.key == key }?.shape ?? []
      #expect(treatment == .init(decays: shape.count > 1, rateFactor: 1), "\(key)")
    }
    #expect(some.segments(in: 5..<5).isEmpty)
  }

  /// Biases of convolutions and linear layers learn at twice the rate; batch norm's shifts, also called bias, do not.
  @Test func caffesRule() throws {
    let seed = treatments(groups(.caffe), fixture.model)
    #expect(seed["stem.0.weight"] == .init(decays: true, rateFactor: 1))
    #expect(seed["stem.0.bias"] == .init(decays: false, rateFactor: 2))
    #expect(seed["stem.1.weight"] == .init(decays: false, rateFactor: 1))
    #expect(seed["stem.1.bias"] == .init(decays: false, rateFactor: 1))
    #expect(seed["fc.bias"] == .init(decays: false, rateFactor: 2))
    #expect(seed["aux1.fc1.bias"] == .init(decays: false, rateFactor: 2))
  }

  @Test func theTrunkIsAllButTheLastLayers() throws {
    let model = try Model(ModelCatalog.definition(named: "googlenet"), classes: 10, imageSize: 64, width: 0.1)
    let found = treatments(groups(.caffe, trunk: 0.25, model: model), model)
    let last = ["fc.weight", "fc.bias", "aux1.fc2.weight", "aux1.fc2.bias", "aux2.fc2.weight", "aux2.fc2.bias"]
    for (key, treatment) in found {
      let isLast = last.contains(key), isBias = key.hasSuffix(".bias") && !key.contains(".bn.")
      #expect(treatment.rateFactor == (isLast ? 1 : 0.25) * (isBias ? 2 : 1), "\(key)")
    }
  }

  @Test func tensorsStayApartWhereTheyAreAskedFor() {
    let apart = groups(.all, joined: false)
    let sizes = fixture.model.flat.tensorSizes
    #expect(apart.segments.map(\.range.count) == sizes && apart.segments.map(\.tensor) == Array(sizes.indices))
    let bucket = fixture.model.flat.buckets[0]
    let parts = apart.segments(in: bucket)
    #expect(parts.first?.range.lowerBound == bucket.lowerBound && parts.last?.range.upperBound == bucket.upperBound)
    #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.range.upperBound == $1.range.lowerBound })
  }
}
