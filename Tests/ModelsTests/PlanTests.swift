import Compute
import Lockstep
import Testing

@testable import Models

@Suite struct PlanTests {
  private static let names = ModelCatalog.all.map(\.name)

  @Test(arguments: names, [Plan.Mode.training, .evaluation])
  func slotsAliveTogetherDoNotOverlap(name: String, mode: Plan.Mode) throws {
    let plan = Planner.plan(try model(name), mode: mode, maxBatch: 3, threads: 2)
    for (index, slot) in plan.slots.enumerated() {
      #expect(slot.offset >= plan.permanentFloatCount && slot.offset + slot.count <= plan.floatCount)
      #expect(slot.offset % 16 == 0)
      for other in plan.slots[..<index] where slot.isAlive(with: other) {
        #expect(slot.offset + slot.count <= other.offset || other.offset + other.count <= slot.offset)
      }
    }
    // Best fit needs little more than the most that is ever alive.
    let used = plan.floatCount - plan.permanentFloatCount
    #expect(Double(used) < 1.1 * Double(SlotAllocator.lowerBound(plan.slots)))
  }

  @Test(arguments: names)
  func evaluationNeedsLittleMemoryAndNoHeads(name: String) throws {
    let model = try model(name)
    let training = Planner.plan(model, mode: .training, maxBatch: 4, threads: 1)
    let evaluation = Planner.plan(model, mode: .evaluation, maxBatch: 4, threads: 1)
    #expect(
      (evaluation.floatCount - evaluation.permanentFloatCount) * 3 < training.floatCount - training.permanentFloatCount)
    #expect(evaluation.steps.allSatisfy { !$0.name.hasPrefix("aux") && !$0.operation.contains("gradient") })
    let products = evaluation.steps.reduce(0) { $0 + $1.multiplyAccumulates }
    #expect(products == model.multiplyAccumulates(withAuxiliaryHeads: false))
  }

  /// Multiply-accumulates of a training step: forward, weight gradient, and input gradient except for the image.
  @Test(arguments: [
    ("googlenet", 4_402_231_296), ("googlenet-seed", 4_597_334_016),
    ("googlenet-paper", 4_655_118_336), ("inception-v3", 17_137_516_224),
  ])
  func trainingProductsAreThePublishedOnes(name: String, products: Int) throws {
    let plan = Planner.plan(try model(name), mode: .training, maxBatch: 1, threads: 1)
    #expect(plan.steps.reduce(0) { $0 + $1.multiplyAccumulates } == products)
  }

  @Test(arguments: names)
  func gradientsAreFinishedInFlatOrder(name: String) throws {
    let model = try model(name)
    let plan = Planner.plan(model, mode: .training, maxBatch: 2, threads: 1)
    let prefixes = plan.steps.compactMap(\.finishedPrefix)
    #expect(zip(prefixes, prefixes.dropFirst()).allSatisfy { $0 < $1 })
    #expect(prefixes.last == model.flat.count)
  }

  /// The branches of a module are written where the module's output is.
  @Test func branchesAreRangesOfTheConcatenation() throws {
    let plan = Planner.plan(try model("googlenet"), mode: .training, maxBatch: 2, threads: 1)
    func outputs(_ name: String) -> [Region] {
      plan.steps.lazy.compactMap { step -> [Region]? in
        guard step.name == name else { return nil }
        switch step.action {
        case .product(_, _, let ys): return ys
        case .convolution(_, _, let y): return [y]
        default: return nil
        }
      }.first ?? []
    }
    // The three that read the module's input are one product; two of its outputs lie elsewhere.
    let product = outputs("inception4b.branch1.conv+branch2.0.conv+branch3.0.conv")
    #expect(product.count == 3 && Set(product.map(\.slot)).count == 3)
    let branches =
      product.prefix(1) + ["branch2.1", "branch3.1", "branch4.1"].flatMap { outputs("inception4b.\($0).conv") }
    #expect(Set(branches.map(\.slot)).count == 1)
    #expect(branches.map(\.panel) == [0, 10, 24, 28])
  }

  /// A pool's input was written right before, and its gradient comes when those of all other readers are there.
  @Test(arguments: names)
  func poolsFindWhatTheyReadInTheCache(name: String) throws {
    let plan = Planner.plan(try model(name), mode: .training, maxBatch: 2, threads: 1)
    func isPool(_ step: Step) -> Bool { step.operation.hasSuffix(" pool") }
    func writes(_ step: Step, _ region: Region) -> Bool {
      // What a forward step reads comes first.
      step.action.regions.dropFirst().contains { $0.slot == region.slot && $0.panels.overlaps(region.panels) }
    }
    var pools = 0, gradients = 0
    for (index, step) in plan.steps.enumerated() {
      switch step.action {
      case .maxPool(_, let x, _, _), .averagePool(_, _, let x, _), .adaptiveAveragePool(let x, _):
        let writer = try #require(plan.steps[..<index].lastIndex { writes($0, x.region) })
        #expect(plan.steps[(writer + 1)..<index].allSatisfy(isPool), "\(step.name)")
        pools += 1
      case .maxPoolGradient(_, _, _, let dx, _), .averagePoolGradient(_, _, _, let dx, _),
        .adaptiveAveragePoolGradient(_, let dx, _):
        for later in plan.steps[(index + 1)...] {
          switch later.action {
          case .convolutionGradients(_, _, _, let other, _), .productGradients(_, _, _, let other, _):
            #expect(other != dx, "\(step.name)")
          default: break
          }
        }
        gradients += 1
      default: break
      }
    }
    #expect(pools > 4 && gradients > 2)
  }

  /// A pool that alone reads a batch norm leaves it to its readers to normalise, and their gradients are one step.
  @Test(arguments: [
    ("googlenet", ["maxpool1+conv1.bn", "maxpool2+conv3.bn"]), ("googlenet-seed", []), ("googlenet-paper", []),
    ("inception-v3", ["maxpool1+Conv2d_2b_3x3.bn", "maxpool2+Conv2d_4a_3x3.bn"]),
  ])
  func poolsBehindBatchNormsKeepWhatIsStored(name: String, expected: [String]) throws {
    for mode in [Plan.Mode.training, .evaluation] {
      let plan = Planner.plan(try model(name), mode: mode, maxBatch: 2, threads: 1)
      let pools = plan.steps.filter { step in
        guard case .maxPool(_, let x, let y, _) = step.action, y.isNormalized else { return false }
        return x.isNormalized && plan.slots[x.region.slot].vectors == plan.slots[y.region.slot].vectors
      }
      #expect(pools.map(\.name) == expected.map { String($0.prefix { $0 != "+" }) })
      let together = plan.steps.filter { $0.operation == "max pool and batch norm gradients" }
      #expect(together.map(\.name) == (mode == .training ? expected.reversed() : []))
    }
  }

  /// Nothing but a convolution's output is stored for a batch norm and its ReLU.
  @Test(arguments: names, [Plan.Mode.training, .evaluation])
  func normalisedTensorsAreNotStored(name: String, mode: Plan.Mode) throws {
    let plan = Planner.plan(try model(name), mode: mode, maxBatch: 2, threads: 1)
    #expect(!plan.steps.contains { $0.operation == "batch norm" })
  }

  /// Large windows of stride 2 read the phases of images, others their pixels.
  @Test(arguments: [
    ("googlenet", "Winograd"), ("googlenet-paper", "Winograd"), ("googlenet-seed", "direct"),
    ("inception-v3", "direct"),
  ])
  func imagesLieAsTheFirstLayerReadsThem(name: String, method: String) throws {
    let plan = Planner.plan(try model(name), mode: .evaluation, maxBatch: 2, threads: 1)
    #expect(plan.steps[1].method == method)
    #expect(plan.imageLayout != nil && (plan.imageLayout == .pixels) == (method == "direct"))
  }

  @Test func describesItself() throws {
    let plan = Planner.plan(try model("googlenet-seed"), mode: .training, maxBatch: 2, threads: 1)
    let lines = plan.description.split(separator: "\n")
    #expect(lines.count == plan.steps.count + 1)
    #expect(lines[0].hasPrefix("googlenet-seed, training, batches up to 2: "))
    #expect(
      lines[2].contains("stem.0: convolution (direct) 3×32×32@") && lines[2].hasSuffix(" 5308416 multiply-accumulates"))
  }
}
