import Compute
import Datasets
import Foundation
import Lockstep
import Models

/// Raised by hand whenever a change to the engine may change a bit of what a run computes.
public let engineNumber: UInt32 = 8

/// Computes, on one thread, a little of everything that reaches a run's state, and digests the results.
///
/// Two hosts that give different digests must not work in one run. It takes a fraction of a second.
public func numericsSelfTest() -> Numerics { numericsSelfTest(threads: 1) }

/// The self-test on more threads, which must not change anything.
func numericsSelfTest(threads: Int) -> Numerics {
  var transcript = Transcript()
  transcript.add(floatingPointEnvironmentIsStandard())
  addElementaryFunctions(to: &transcript)
  addPictures(to: &transcript)
  let pool = ThreadPool(threads: threads)
  // The smallest sizes at which every layer of the networks still has more than one value to work on; two layers frozen, so
  // that batch norms of running statistics are among them.
  for (name, size, freeze) in [
    ("googlenet-seed", 32, []), ("googlenet", 64, []), ("googlenet-paper", 79, []),
    ("inception-v3", 299, ["Conv2d_1a_3x3", "Conv2d_2a_3x3"]),
  ] {
    addNetwork(name, imageSize: size, freeze: freeze, pool: pool, to: &transcript)
  }
  return Numerics(engine: engineNumber, selfTest: transcript.digest)
}

/// The results so far, as bytes.
struct Transcript {
  private var bytes: [UInt8] = []

  mutating func add(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
  mutating func add(_ value: Bool) { add(value ? UInt64(1) : 0) }
  mutating func add(_ value: Double) { add(value.bitPattern) }
  mutating func add(_ value: Float) { add(UInt64(value.bitPattern)) }
  mutating func add(_ value: Digest) { bytes += value.canonicalBytes }
  mutating func add(_ values: UnsafeRawBufferPointer) { add(Digest(of: values)) }

  var digest: Digest { Digest(of: bytes) }
}

/// Our own functions, at points of every size and both signs.
private func addElementaryFunctions(to transcript: inout Transcript) {
  let points: [Double] = [0, 1e-300, 1e-9, 0.1, 0.5, 0.7, 1, 1.5, 2.718281828, 3.2, 10, 87.3, 700.1]
  for x in points {
    for value in [
      Elementary.exp(x), Elementary.exp(-x), Elementary.log(x + 1e-3), Elementary.sin(x), Elementary.cos(-x),
      Elementary.pow(x + 0.25, 0.5), Elementary.pow(x + 0.25, -0.75),
    ] { transcript.add(value) }
    for value in [
      Elementary.expFloat(Float(x)), Elementary.expFloat(-Float(x)), Elementary.logFloat(Float(x) + 1e-3),
    ] { transcript.add(value) }
  }
}

/// Decoding, resizing, cropping and normalising, at a size where standard augmentation shifts and one where it crops.
private func addPictures(to transcript: inout Transcript) {
  for (index, text) in EmbeddedPictures.all.enumerated() {
    guard let file = Data(base64Encoded: text) else { preconditionFailure("an embedded picture is base64") }
    let sample = EncodedSample(bytes: [UInt8](file), label: 0, encoding: .imageFile, name: "embedded picture \(index)")
    for (size, purpose) in [(8, LeafPurpose.training), (8, .evaluation), (65, .training)] {
      let preprocessing = Preprocessing(imageSize: size, normalization: .imagenet, augmentation: .standard, seed: 7)
      var pixels = [Float](repeating: 0, count: preprocessing.valueCount)
      let isDecoded = pixels.withUnsafeMutableBufferPointer { target in
        guard let target = target.baseAddress else { return false }
        return (try? preprocessing.write(sample, index: index, epoch: 1, purpose: purpose, into: target)) != nil
      }
      // A library that cannot decode these is as different as one that decodes them differently.
      transcript.add(isDecoded)
      pixels.withUnsafeBytes { transcript.add($0) }
    }
  }
}

/// Forward with dropout and auxiliary heads, loss, backward and update of a narrow network, then its evaluation.
private func addNetwork(
  _ name: String, imageSize: Int, freeze: [String], pool: ThreadPool, to transcript: inout Transcript
) {
  let classes = 10, batch = 2, seed: UInt64 = 1
  guard let definition = try? ModelCatalog.definition(named: name),
    let model = try? Model(definition, classes: classes, imageSize: imageSize, width: 0.1, freeze: freeze)
  else { preconditionFailure("the catalog has \(name) for images of \(imageSize) pixels") }
  var configuration = RunConfiguration(
    model: name, classes: classes, imageSize: imageSize, data: "", samples: batch, fingerprint: Digest(high: 0, low: 0),
    normalization: .none, steps: 1, initialState: Digest(high: 0, low: 0), labelSmoothing: 0.1, auxWeight: 0.3,
    output: "")
  configuration.microbatch = batch
  configuration.globalBatch = batch

  let state = TrainingState(
    model: model, configuration: configuration, from: StateSnapshot(initialStateOf: model, seed: seed))
  let replica = Replica(model: model, configuration: configuration, pool: pool)
  replica.load(parameters: state.parameters, buffers: state.buffers, for: .training)
  var random = AddressedRandom(seed: seed, purpose: .synthesis)
  let images = (0..<batch * 3 * imageSize * imageSize).map { _ in 2 * random.uniformFloat() - 1 }
  let labels: [Int32] = [3, 7]
  images.withUnsafeBufferPointer { images in
    guard let images = images.baseAddress else { return }
    replica.train(images: images, labels: labels, samples: [11, 5], epoch: 0)
    let learningRate = LearningRateSchedule(configuration).learningRate(step: 1)
    for (bucket, range) in model.flat.buckets.enumerated() {
      state.apply(
        bucket: bucket, sum: UnsafePointer(replica.gradient.pointer) + range.lowerBound, sampleCount: batch,
        learningRate: learningRate)
    }
    transcript.add(UnsafeRawBufferPointer(start: replica.gradient.pointer, count: 4 * replica.gradient.count))
    transcript.add(UnsafeRawBufferPointer(replica.statistics))
    let outcome = state.finish(statistics: replica.statistics)
    transcript.add(outcome.skipped == nil)
    transcript.add(state.stateHash())
    replica.load(parameters: state.parameters, buffers: state.buffers, for: .evaluation)
    replica.evaluate(images: images, labels: labels)
    transcript.add(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(replica.statistics)[..<48]))
  }
}
