import Compute
import Foundation
import Lockstep
import Synchronization
import Testing

@testable import Datasets

/// Samples that come when the test says so: each is a picture of one grey level, its index.
private final class GatedSource: SampleSource {
  struct Stopped: Error {}
  struct Missing: Error {}
  struct State {
    var allowed: Int
    var begun: [Int] = []
    var isStopped = false
  }

  let count = 1000
  let state: Monitor<State>
  let missing: Set<Int>

  init(allowed: Int = .max, missing: Set<Int> = []) {
    state = Monitor(State(allowed: allowed))
    self.missing = missing
  }

  func sample(at index: Int) throws -> EncodedSample {
    state.change { $0.begun.append(index) }
    let isStopped = state.wait { state -> Bool? in
      if state.isStopped { return true }
      guard state.allowed > 0 else { return nil }
      state.allowed -= 1
      return false
    }
    if isStopped { throw Stopped() }
    if missing.contains(index) { throw Missing() }
    return EncodedSample(
      bytes: [UInt8](repeating: UInt8(index % 256), count: 16), label: index, encoding: .grey, height: 4, width: 4,
      channels: 1)
  }

  func stop() { state.change { $0.isStopped = true } }
}

@Suite(.timeLimit(.minutes(1))) struct LeafLoaderTests {
  private let preprocessing = Preprocessing(imageSize: 4, normalization: .none, augmentation: .none, seed: 0)

  private func loader(_ source: any SampleSource, threads: Int = 1, ahead: Int = 2) -> LeafLoader {
    LeafLoader(source: source, preprocessing: preprocessing, microbatch: 4, threads: threads, ahead: ahead)
  }

  private func request(_ id: Int, _ samples: [Int]) -> LeafRequest {
    LeafRequest(id: id, samples: samples, epoch: 0, purpose: .training)
  }

  private func check(_ leaf: LoadedLeaf, _ id: Int, _ samples: [Int]) {
    #expect(leaf.id == id && leaf.samples == samples && leaf.labels == samples.map(Int32.init))
    for (position, sample) in samples.enumerated() {
      for value in 0..<48 {
        #expect(leaf.images.pointer[48 * position + value] == Float(Double(sample % 256) / 255))
      }
    }
  }

  @Test(arguments: [1, 2, 5]) func leavesComeAsRequested(threads: Int) throws {
    let loader = loader(GatedSource(), threads: threads)
    for id in 0..<20 { loader.request(request(id, [4 * id, 4 * id + 3, 4 * id + 1].dropLast(id % 3))) }
    for id in 0..<20 {
      let leaf = try loader.next(id: id)
      check(leaf, id, [4 * id, 4 * id + 3, 4 * id + 1].dropLast(id % 3))
      loader.recycle(leaf)
    }
  }

  /// The last of many requests can be had first, although the bound on leaves ahead is reached.
  @Test func anyOrderOfTakingWorks() throws {
    let loader = loader(GatedSource())
    for id in 0..<10 { loader.request(request(id, [id, id + 100])) }
    for id in [9, 0, 5, 8, 1, 2, 7, 3, 4, 6] { check(try loader.next(id: id), id, [id, id + 100]) }
  }

  @Test func buffersAreReused() throws {
    let loader = loader(GatedSource())
    var seen: Set<ObjectIdentifier> = []
    for id in 0..<50 {
      loader.request(request(id, [id]))
      let leaf = try loader.next(id: id)
      seen.insert(ObjectIdentifier(leaf))
      loader.recycle(leaf)
    }
    #expect(seen.count <= 3)
  }

  /// With two leaves of two samples ready, the third is not begun.
  @Test func loadingStaysWithinItsBound() throws {
    let source = GatedSource()
    let loader = loader(source)
    for id in 0..<5 { loader.request(request(id, [2 * id, 2 * id + 1])) }
    let leaf = try loader.next(id: 0)
    // Taking leaf 0 lets leaf 2 begin; once it has, leaves 1 and 2 fill the bound.
    source.state.wait { $0.begun.count == 6 ? () : nil }
    check(try loader.next(id: 2), 2, [4, 5])
    source.state.wait { $0.begun.count == 8 ? () : nil }
    #expect(source.state.change { $0.begun } == [0, 1, 2, 3, 4, 5, 6, 7])
    loader.recycle(leaf)
  }

  @Test(arguments: [1, 4]) func failuresComeWithTheirSample(threads: Int) throws {
    let loader = loader(GatedSource(missing: [11, 12]), threads: threads)
    loader.request(request(1, [10, 11, 12, 13]))
    loader.request(request(2, [20, 21]))
    #expect { _ = try loader.next(id: 1) } throws: { error in
      guard let error = error as? SampleError else { return false }
      return error.index == 11 && error.underlying is GatedSource.Missing
    }
    check(try loader.next(id: 2), 2, [20, 21])
  }

  @Test func whatWasNotRequestedIsAnError() {
    let loader = loader(GatedSource())
    #expect(throws: DatasetError.cancelled) { _ = try loader.next(id: 3) }
  }

  @Test func cancellingForgetsRequests() throws {
    let source = GatedSource(allowed: 1)
    let loader = loader(source)
    loader.request(request(1, [1, 2]))
    loader.request(request(2, [3, 4]))
    // One sample is through, the second one waits at the gate.
    source.state.wait { $0.begun.count == 2 ? () : nil }
    loader.cancelAll()
    #expect(throws: DatasetError.cancelled) { _ = try loader.next(id: 1) }
    source.state.change { $0.allowed = .max }
    // Ids may be used again, and nothing of the cancelled leaf gets into the new one.
    loader.request(request(1, [7, 8, 9]))
    check(try loader.next(id: 1), 1, [7, 8, 9])
    #expect(source.state.change { $0.begun } == [1, 2, 7, 8, 9])
  }

  /// Somebody waits for a leaf whose source hangs; cancelling frees him.
  @Test func cancellingEndsWaiting() throws {
    let source = GatedSource(allowed: 0)
    let loader = loader(source)
    loader.request(request(1, [1]))
    source.state.wait { $0.begun.isEmpty ? nil : () }
    let result = Monitor<Result<Int, any Error>?>(nil)
    startThread { [loader] in
      let leaf = Result { try loader.next(id: 1).id }
      result.change { $0 = leaf }
    }
    loader.cancelAll()
    let outcome = result.wait { $0 }
    #expect(throws: DatasetError.cancelled) { try outcome.get() }
    source.stop()
  }

  @Test func aStoppedSourceFailsItsLeaf() throws {
    let source = GatedSource(allowed: 0)
    let loader = loader(source)
    loader.request(request(1, [5]))
    source.state.wait { $0.begun.isEmpty ? nil : () }
    source.stop()
    #expect { _ = try loader.next(id: 1) } throws: { ($0 as? SampleError)?.underlying is GatedSource.Stopped }
  }

  /// Threads hold the source; when the loader is gone they let go of it.
  @Test func threadsEndWithTheLoader() {
    weak var weakSource: GatedSource?
    do {
      let source = GatedSource()
      weakSource = source
      let loader = loader(source, threads: 3)
      loader.request(request(1, [1, 2, 3]))
    }
    while weakSource != nil { sched_yield() }
    #expect(weakSource == nil)
  }
}
