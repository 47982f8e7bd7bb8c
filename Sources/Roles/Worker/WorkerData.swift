import Coordination
import Datasets
import Lockstep
import Transport
import Wire

/// Where a worker's leaves come from: its own copy of the data or the coordinator, decoded and augmented ahead of time.
final class WorkerData {
  private let configuration: RunConfiguration
  private let plan: TrainingPlan
  private let validationPlan: LeafPlan?
  private let loaders: [SampleSet: LeafLoader]
  /// The sets that the coordinator sends.
  let remotes: [SampleSet: RemoteSamples]
  private var requests: [Key: Int] = [:]
  private var nextRequest = 0
  private var anticipated = 0

  private struct Key: Hashable {
    let pass: Pass
    let leaf: Int
  }

  /// Leaves that are loaded before they are needed.
  static let ahead = 2

  /// - Parameters:
  ///   - copy: the worker's own copy of the training data.
  ///   - wakeup: signalled when there is something to ask the coordinator for.
  init(_ configuration: RunConfiguration, copy: (any Dataset)?, wakeup: Wakeup) throws {
    self.configuration = configuration
    plan = configuration.trainingPlan
    validationPlan = configuration.validationPlan
    var remotes: [SampleSet: RemoteSamples] = [:]
    func source(_ set: SampleSet, spec: String?, count: Int) throws -> any SampleSource {
      // Drawn pictures are drawn here as well as there.
      if let spec, spec == "synthetic" || spec.hasPrefix("synthetic:") {
        return try DatasetCatalog.open(
          spec, role: set == .training ? .training : .validation, imageSize: configuration.imageSize)
      }
      let remote = RemoteSamples(count: count, set: set) { wakeup.signal() }
      remotes[set] = remote
      return remote
    }
    func loader(_ source: any SampleSource) -> LeafLoader {
      LeafLoader(
        source: source,
        preprocessing: Preprocessing(
          imageSize: configuration.imageSize, normalization: configuration.normalization,
          transformsInput: configuration.transformInput, augmentation: configuration.augment,
          seed: configuration.seed),
        microbatch: configuration.microbatch, threads: 1, ahead: Self.ahead)
    }
    var loaders = [
      SampleSet.training: loader(
        try copy ?? source(.training, spec: configuration.data, count: configuration.samples))
    ]
    if configuration.validationSamples > 0 {
      loaders[.validation] = loader(
        try source(.validation, spec: configuration.validation, count: configuration.validationSamples))
    }
    (self.loaders, self.remotes) = (loaders, remotes)
  }

  /// What a worker needs to know to divide its work.
  var shape: @Sendable (Pass) -> Int {
    let (plan, validation) = (plan, validationPlan)
    return { pass in pass.kind == .training ? plan.leaves(ofStep: pass.step).leafCount : validation?.leafCount ?? 1 }
  }

  func set(of pass: Pass) -> SampleSet { pass.kind == .training ? .training : .validation }
  func epoch(of pass: Pass) -> Int { pass.kind == .training ? plan.epoch(ofStep: pass.step) : 0 }

  /// Begins to load the leaves that will be needed next, and gives up those that will not be.
  ///
  /// - Parameters:
  ///   - upcoming: leaves of the pass that are still to be computed, in order.
  ///   - assigned: all leaves of the pass that this worker was given.
  func prepare(_ pass: Pass, upcoming: [Int], assigned: [Int]) {
    let isWanted = { (key: Key) in
      key.pass > pass || (key.pass == pass && (upcoming.isEmpty || upcoming.contains(key.leaf)))
    }
    for key in requests.keys.filter({ !isWanted($0) }) {
      if let id = requests.removeValue(forKey: key) { loaders[set(of: key.pass)]?.cancel(id: id) }
    }
    for leaf in upcoming.prefix(Self.ahead) { _ = request(pass, leaf) }
    if upcoming.isEmpty { anticipate(after: pass, assigned) }
  }

  /// A step ahead: shares seldom change, so the next step's leaves are probably those of this one. Its samples are a pure
  /// function of the configuration; a wrong guess costs some bytes.
  private func anticipate(after pass: Pass, _ assigned: [Int]) {
    guard pass.kind == .training, pass.step < configuration.steps, anticipated < pass.step + 1 else { return }
    anticipated = pass.step + 1
    let next = Pass(.training, step: anticipated)
    let leaves = assigned.filter { $0 < plan.leaves(ofStep: next.step).leafCount }
    for leaf in leaves.prefix(Self.ahead) { _ = request(next, leaf) }
    for leaf in leaves.dropFirst(Self.ahead) { remotes[.training]?.prefetch(samples(next, leaf)) }
  }

  /// The loader and the number under which a leaf is loaded; taken once.
  func take(_ pass: Pass, _ leaf: Int) -> (loader: LeafLoader, request: Int) {
    let id = request(pass, leaf)
    requests[Key(pass: pass, leaf: leaf)] = nil
    guard let loader = loaders[set(of: pass)] else { preconditionFailure("a pass over samples that the run has") }
    return (loader, id)
  }

  private func request(_ pass: Pass, _ leaf: Int) -> Int {
    let key = Key(pass: pass, leaf: leaf)
    if let id = requests[key] { return id }
    nextRequest += 1
    requests[key] = nextRequest
    let samples = samples(pass, leaf)
    remotes[set(of: pass)]?.prefetch(samples)
    loaders[set(of: pass)]?.request(
      LeafRequest(
        id: nextRequest, samples: samples, epoch: epoch(of: pass),
        purpose: pass.kind == .training ? .training : .evaluation))
    return nextRequest
  }

  private func samples(_ pass: Pass, _ leaf: Int) -> [Int] {
    pass.kind == .training
      ? plan.samples(ofStep: pass.step, leaf: leaf) : validationPlan.map { Array($0.positions(ofLeaf: leaf)) } ?? []
  }

  /// Ends all waiting.
  func close() {
    remotes.values.forEach { $0.close() }
    loaders.values.forEach { $0.cancelAll() }
  }
}
