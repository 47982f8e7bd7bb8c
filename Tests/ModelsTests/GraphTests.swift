import Compute
import Lockstep
import Testing

@testable import Models

@Suite struct GraphTests {
  /// A small network with the parts that the family's other members have: convolutions without batch norm, response
  /// norms, 5×5, 1×7 and 7×1 windows, averages that count padding, concatenations within concatenations and of a pool, an
  /// auxiliary head with a batch norm before the trunk's end, linear layers over pixels.
  private static let sampler = ModelDefinition(
    name: "sampler", summary: "for tests", defaultImageSize: 16, auxiliaryWeight: 0.4, labelSmoothing: 0.1
  ) { net in
    func unit(_ x: Value, _ name: String, _ window: (Int, Int), _ padding: (Int, Int)) -> Value {
      let y = net.convolution(x, name + ".conv", 16, window, padding: padding, bias: false)
      return net.relu(net.batchNorm(y, name + ".bn", epsilon: 0.001))
    }
    net.weights = .xavier
    net.biases = .constant(0.2)
    var x = net.relu(net.convolution(net.input, "conv1", 16, 5, stride: 2, padding: 2, bias: true))
    x = net.localResponseNorm(x, "norm1", 5, alpha: 0.1, beta: 0.75, k: 1)
    let five = net.relu(net.convolution(x, "five", 32, 5, padding: 2, bias: true))
    let reduced = unit(x, "reduced", (1, 1), (0, 0))
    let pair = net.concatenate([unit(reduced, "wide", (1, 7), (0, 3)), unit(reduced, "tall", (7, 1), (3, 0))], "pair")
    let average = unit(net.averagePool(x, "average", 3, stride: 1, padding: 1), "projection", (1, 1), (0, 0))
    let largest = net.maxPool(x, "largest", 3, stride: 1, padding: 1)
    x = net.concatenate([five, pair, average, largest], "mixed")
    let tap = x
    net.auxiliary(.aux1) {
      let y = unit(net.averagePool(tap, "aux1.pool", 5, stride: 3), "aux1.conv", (2, 2), (0, 0))
      net.classifier(net.adaptiveAveragePool(y, "aux1.average", 1), "aux1.fc")
    }
    x = net.maxPool(unit(x, "last", (1, 1), (0, 0)), "pool", 3, stride: 2, ceilMode: true)
    x = net.dropout(net.relu(net.linear(x, "fc1", 32)), "dropout", 0.4)
    net.classifier(x, "fc2")
  }

  private func model() throws -> Model { try Model(Self.sampler, classes: 7, imageSize: 16, width: 1) }

  @Test func shapesAreInferred() throws {
    let graph = try model().graph
    let shapes = graph.operations.compactMap { operation in operation.output.map { "\(operation.name) \($0.shape)" } }
    let expectations = [
      "conv1 16×8×8", "wide.conv 16×8×8", "pair 32×8×8", "mixed 96×8×8", "aux1.pool 96×2×2", "pool 16×4×4",
      "fc1 32×1×1",
    ]
    for expected in expectations {
      #expect(shapes.contains(expected))
    }
    #expect(graph.heads == [.main, .aux1])
  }

  @Test func initializersAreKept() throws {
    let model = try model()
    let parameters = model.initialParameters(seed: 1)
    #expect(parameters[model.range("five.bias")].allSatisfy { $0 == 0.2 })
    let bound = Float((3.0 / (16 * 25)).squareRoot())
    #expect(parameters[model.range("five.weight")].allSatisfy { abs($0) <= bound })
    #expect(parameters[model.range("five.weight")].contains { abs($0) > 0.95 * bound })
  }

  @Test func nestedConcatenationsShareOneSlot() throws {
    let plan = Planner.plan(try model(), mode: .training, maxBatch: 2, threads: 1)
    func target(_ name: String, _ operation: String = "convolution") -> Region? {
      plan.steps.first { $0.name == name && $0.operation == operation }?.action.regions[1]
    }
    let parts = [
      target("five"), target("wide.conv"), target("tall.conv"), target("projection.conv"),
      target("largest", "max pool"),
    ]
    #expect(Set(parts.map { $0?.slot }).count == 1)
    #expect(parts.map { $0?.panel } == [0, 2, 3, 4, 5])
  }

  /// Central differences along each tensor's gradient, as for the catalog's models.
  @Test func gradientIsTheLossesSlope() throws {
    let model = try model()
    let settings = LeafSettings(labelSmoothing: 0.1, auxWeight: 0.4, dropout: true, seed: 3, epoch: 1)
    let executor = Executor(model: model, mode: .training, maxBatch: 6, pool: ThreadPool(threads: 1))
    let (parameters, buffers) = formulaState(model)
    let (images, labels) = formulaBatch(model, 6)
    executor.load(parameters: parameters, buffers: buffers)
    let gradient = executor.step(images, labels, settings: settings).gradient
    for entry in model.entries where entry.isParameter {
      let range = model.range(entry.key)
      let slope = length(gradient[range])
      let size = 0.005 / slope
      let losses = [1.0, -1].map { sign in
        var moved = parameters
        for index in range { moved[index] += Float(sign * size * Double(gradient[index]) / slope) }
        executor.load(parameters: moved, buffers: buffers)
        return executor.step(images, labels, settings: settings).loss(model, auxWeight: settings.auxWeight)
      }
      #expect(relativeError((losses[0] - losses[1]) / (2 * size), slope) < 0.05, "\(entry.key)")
    }
  }

  @Test func evaluationLeavesOutTheHeads() throws {
    let plan = Planner.plan(try model(), mode: .evaluation, maxBatch: 2, threads: 1)
    #expect(plan.steps.allSatisfy { !$0.name.hasPrefix("aux1") && $0.operation != "dropout" })
  }
}
