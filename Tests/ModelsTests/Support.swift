import Compute
import Foundation
import Lockstep
import Models

/// A network with everything at hand that a step needs.
func model(_ name: String, classes: Int = 1000, imageSize: Int? = nil, width: Double = 1) throws -> Model {
  let definition = try ModelCatalog.definition(named: name)
  return try Model(definition, classes: classes, imageSize: imageSize ?? definition.defaultImageSize, width: width)
}

/// The numbers that tests fill parameters and images with: in [−1, 1), a function of a name alone.
///
/// FNV-1a-64 of the name, then SplitMix64; the golden values were made in PyTorch with the same numbers.
func stream(_ name: String, _ count: Int) -> [Double] {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  return (1...count).map { index in
    var z = hash &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    z ^= z >> 31
    return Double(z >> 40) * 0x1p-23 - 1
  }
}

/// Parameters and running statistics by the golden values' formula.
func formulaState(_ model: Model) -> (parameters: [Float], buffers: [Float]) {
  var parameters = [Float](repeating: 0, count: model.parameterCount)
  var buffers = [Float](repeating: 0, count: model.bufferCount)
  let batchNorms = Set(model.batchNorms.map(\.prefix))
  for entry in model.entries {
    let values = entry.role == .batchCount ? [] : stream(entry.key, entry.count)
    switch entry.role {
    case .batchCount:
      break
    case .runningMean(let offset):
      for index in values.indices { buffers[offset + index] = Float(0.1 * values[index]) }
    case .runningVariance(let offset):
      for index in values.indices { buffers[offset + index] = Float(1 + 0.5 * values[index]) }
    case .parameter(let offset, _):
      let parts = entry.key.split(separator: ".")
      let isBatchNorm = batchNorms.contains(parts.dropLast().joined(separator: "."))
      let fanIn = Double(entry.count / entry.shape[0])
      for index in values.indices {
        let value = values[index]
        parameters[offset + index] =
          switch (isBatchNorm, parts.last == "weight") {
          case (true, true): Float(1 + 0.1 * value)
          case (_, false): Float(0.1 * value)
          case (false, true): Float(value * (6 / fanIn).squareRoot())
          }
      }
    }
  }
  return (parameters, buffers)
}

/// Images and labels of the golden values.
func formulaBatch(_ model: Model, _ batch: Int) -> (images: [Float], labels: [Int32]) {
  let images = stream("input", batch * 3 * model.imageSize * model.imageSize).map { Float($0) }
  return (images, (0..<batch).map { Int32((37 * $0 + 11) % model.classes) })
}

/// What a training step yields.
struct LeafResult: Equatable {
  var gradient: [Float]
  var statistics: [Double]
  var prefixes: [Int] = []

  init(_ model: Model) {
    gradient = Array(repeating: .nan, count: model.flat.count)
    statistics = Array(repeating: .nan, count: model.statistics.count)
  }

  var bits: ([UInt32], [UInt64]) { (gradient.map(\.bitPattern), statistics.map(\.bitPattern)) }

  /// The loss that the gradient belongs to.
  func loss(_ model: Model, auxWeight: Double) -> Double {
    let layout = model.statistics
    return statistics[layout.mainLoss] + auxWeight * layout.auxLosses.map { statistics[$0] }.reduce(0, +)
  }

  /// The part of the gradient that belongs to a tensor.
  func gradient(_ model: Model, _ key: String) -> ArraySlice<Float> {
    gradient[model.range(key)]
  }
}

extension Model {
  /// A parameter's place in the flat vector.
  func range(_ key: String) -> Range<Int> {
    guard let entry = entries.first(where: { $0.key == key }), case .parameter(let offset, _) = entry.role else {
      fatalError("no parameter \(key)")
    }
    return offset..<offset + entry.count
  }
}

let plain = LeafSettings(labelSmoothing: 0, auxWeight: 0.3, dropout: false, seed: 1, epoch: 0)

extension Executor {
  /// A training step on arrays.
  func step(
    _ images: [Float], _ labels: [Int32], settings: LeafSettings = plain, samples: [Int]? = nil
  ) -> LeafResult {
    var result = LeafResult(model)
    var prefixes: [Int] = []
    result.gradient.withUnsafeMutableBufferPointer { gradient in
      result.statistics.withUnsafeMutableBufferPointer { statistics in
        images.withUnsafeBufferPointer { images in
          labels.withUnsafeBufferPointer { labels in
            trainingStep(
              images: images.baseAddress!, labels: labels, samples: samples ?? Array(0..<labels.count),
              settings: settings, gradient: gradient.baseAddress!, statistics: statistics.baseAddress!
            ) { prefixes.append($0) }
          }
        }
      }
    }
    result.prefixes = prefixes
    return result
  }

  /// Logits of a batch, sample after sample.
  func logits(_ images: [Float], _ batch: Int) -> [[Float]] {
    var logits = [Float](repeating: .nan, count: batch * model.classes)
    evaluate(images: images, batch: batch, logits: &logits)
    return (0..<batch).map { Array(logits[$0 * model.classes..<($0 + 1) * model.classes]) }
  }
}

/// The Euclidean length, summed in double.
func length(_ values: some Sequence<Float>) -> Double {
  values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
}

/// |a − b| / |b|.
func relativeError(_ a: Double, _ b: Double) -> Double { abs(a - b) / abs(b) }

extension Executor {
  /// Loads a copy.
  func load(parameters: [Float], buffers: [Float]) {
    load(parameters: FloatStorage(copying: parameters), buffers: FloatStorage(copying: buffers))
  }
}
