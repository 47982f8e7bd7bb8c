import Coordination
import Compute
import Datasets
import Foundation
import Lockstep
import Models
import Training
import Transport
import Wire

/// What the worker's logic asks for.
extension Worker {
  func handle(_ input: WorkerState.Input) {
    for effect in state.handle(input, at: now) { perform(effect) }
    if let upcoming = state.upcoming {
      assignment?.data.prepare(upcoming.pass, upcoming: upcoming.leaves, assigned: upcoming.assigned)
    }
  }

  private func perform(_ effect: WorkerState.Effect) {
    let envelope = Envelope(runID: state.tenure.run, term: UInt32(clamping: state.tenure.term))
    switch effect {
    // A message that cannot be sent at once is dropped: everything is repeated until it is answered.
    case .sendControl(let message): _ = control.socket.send(Frame(copying: message.encode(envelope)))
    case .sendBulk(let message): send(message, envelope)
    case .welcomed(let welcome, let tenure): configure(welcome, tenure)
    case .storeParameters(let weights, let bucket): store(weights, bucket)
    case .weightsComplete: assignment?.memory.completeArena()
    case .startLeaf(let task): begin(task)
    case .free(let pass, let subtree): assignment?.memory.freeSum(pass, subtree)
    case .event(let event): note(event)
    case .finished(let code, let reason): ending = (code, reason)
    }
  }

  private func configure(_ welcome: Welcome, _ tenure: Tenure) {
    let isNewWork: Bool
    do {
      let configuration = try JSONDecoder().decode(RunConfiguration.self, from: Data(welcome.configuration))
      isNewWork = assignment.map { !configuration.isSameWork(as: $0.configuration) } ?? true
      if isNewWork {
        let model = try Model(
          try ModelCatalog.definition(named: configuration.model), classes: configuration.classes,
          imageSize: configuration.imageSize, width: configuration.width, freeze: configuration.freeze)
        assignment?.data.close()
        assignment?.engine.stop()
        assignment = Assignment(
          configuration: configuration, model: model,
          data: try WorkerData(configuration, copy: copy, wakeup: wakeup),
          engine: WorkerEngine(model: model, configuration: configuration, threads: options.threads, wakeup: wakeup),
          memory: WorkerMemory(
            parameterCount: model.parameterCount, trainedCount: model.flat.count, bufferCount: model.bufferCount,
            statisticsCount: model.statistics.count))
      }
      link?.close(poller)
      link = try BulkLink(welcome, coordinator: endpoint, context: bulkContext, poller)
    } catch {
      ending = (Int(ExitCode.mismatch.rawValue), "the coordinator's configuration does not work here: \(error)")
      return
    }
    guard let assignment else { return }
    let layout = VersionLayout(assignment.model, assignment.configuration)
    handle(.configured(.init(layout: layout, leafCount: assignment.data.shape), hasNewEngine: isNewWork))
  }

  private func begin(_ task: LeafTask) {
    guard var assignment else { return }
    let weights = VersionLayout(assignment.model, assignment.configuration).weights(readBy: task.pass)
    guard let arena = assignment.memory.arena, arena.weights == weights else {
      preconditionFailure("a leaf begins once its weights are complete")
    }
    let siblings = task.climb.map { step in
      guard let sum = assignment.memory.sum(task.pass, step.sibling) else {
        preconditionFailure("a sum is kept until it is added")
      }
      return sum
    }
    let result = assignment.memory.makeSum(task.pass, task.result)
    let (loader, request) = assignment.data.take(task.pass, task.leaf)
    self.assignment = assignment
    assignment.engine.start(
      .init(
        task: task, arena: arena, result: result, siblings: siblings, loader: loader, request: request,
        epoch: assignment.data.epoch(of: task.pass), set: assignment.data.set(of: task.pass)))
  }

  private func store(_ weights: Weights, _ bucket: Int) {
    guard let (_, payload) = awaited, let assignment, let arena = self.assignment?.memory.arena(for: weights) else {
      return
    }
    let layout = VersionLayout(assignment.model, assignment.configuration)
    let place = layout.place(of: bucket, assignment.model)
    let count = place.range.count
    guard payload.count == count * MemoryLayout<Float>.size else {
      ending = (
        Int(ExitCode.mismatch.rawValue),
        "the coordinator sent \(payload.count) bytes for bucket \(bucket), which has \(count * 4)"
      )
      return
    }
    let target =
      layout.frozen.contains(bucket)
      ? assignment.memory.frozen.pointer + (place.range.lowerBound - assignment.model.flat.count)
      : (place.isBuffers ? arena.buffers : arena.parameters).pointer + place.range.lowerBound
    UnsafeMutableRawBufferPointer(start: target, count: payload.count).copyMemory(from: payload)
  }

  private func send(_ message: BulkMessage, _ envelope: Envelope) {
    guard let link else { return }
    func send(_ payload: UnsafeRawBufferPointer) {
      var frame = Frame(byteCount: message.encodedSize(payloadBytes: payload.count))
      frame.withUnsafeMutableBytes { message.encode(envelope, payload: payload, into: $0) }
      _ = link.bulk.socket.send(frame)
    }
    guard case .gradient(let contribution) = message else {
      send(UnsafeRawBufferPointer(start: nil, count: 0))
      return
    }
    let key = contribution.key
    guard let assignment, let sum = assignment.memory.sum(key.pass, key.subtree) else { return }
    if key.bucket == assignment.model.flat.buckets.count {
      sum.statistics.withUnsafeBytes(send)
    } else {
      let range = assignment.model.flat.buckets[key.bucket]
      send(
        UnsafeRawBufferPointer(UnsafeBufferPointer(start: sum.gradient.pointer + range.lowerBound, count: range.count)))
    }
  }

  func askForSamples() {
    guard let link, let assignment, let session = state.sessionNumber else { return }
    let envelope = Envelope(runID: state.tenure.run, term: UInt32(clamping: state.tenure.term))
    for remote in assignment.data.remotes.values.sorted(by: { $0.set.rawValue < $1.set.rawValue }) {
      let indices = remote.nextRequest(at: ContinuousClock.now)
      guard !indices.isEmpty else { continue }
      let message = SampleMessage.want(session: session, set: remote.set, indices: indices)
      _ = link.samples.socket.send(Frame(copying: message.encode(envelope)))
    }
  }

  private func note(_ event: WorkerState.Event) {
    switch event {
    case .searching: say("waiting for the coordinator at \(endpoint) …")
    case .attached(let tenure): say("joined run \(tenure.run) (term \(tenure.term)) with \(options.threads) threads")
    case .silence: line.warn("no word from the coordinator at \(endpoint); asking again")
    case .sentAgain(let messages): say("\(messages) messages were not answered and are sent again")
    }
  }

  func say(_ text: String) {
    if !options.isSupervised { line.say(text) }
  }
}

extension RunConfiguration {
  /// Whether a worker does the same by both: where a run is saved, how often, and how its files are spelled is nothing to
  /// it.
  func isSameWork(as other: RunConfiguration) -> Bool {
    var mine = self
    (mine.output, mine.checkpointEvery, mine.keep) = (other.output, other.checkpointEvery, other.keep)
    (mine.labels, mine.initFrom) = (other.labels, other.initFrom)
    return mine == other
  }
}
