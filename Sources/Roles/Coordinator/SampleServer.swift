import Datasets
import Lockstep
import Transport
import Wire

/// Sends encoded samples to workers that have no copy of the data.
final class SampleServer {
  let router: RouterSocket
  private let sets: [SampleSet: any Dataset]
  private let envelope: Envelope
  private var sessions: Set<UInt64> = []
  /// Messages that were not ours, or damaged.
  private(set) var badMessages = 0

  init(router: RouterSocket, training: any Dataset, validation: (any Dataset)?, envelope: Envelope) {
    (self.router, self.envelope) = (router, envelope)
    sets = validation.map { [.training: training, .validation: $0] } ?? [.training: training]
  }

  func admit(_ session: UInt64) { sessions.insert(session) }
  func expel(_ session: UInt64) { sessions.remove(session) }

  /// Answers what has arrived, a bounded number of requests at a time; returns whether there may be more.
  func drain() throws(Failure) -> Bool {
    for _ in 0..<4 {
      guard let received = router.receive() else { return false }
      let request: (indices: [Int], set: SampleSet)? = received.frame.withUnsafeBytes { bytes in
        guard let (envelope, message, _) = try? SampleMessage.decode(bytes), envelope == self.envelope,
          case .want(let session, let set, let indices) = message, sessions.contains(session)
        else { return nil }
        return (indices, set)
      }
      guard let request, let dataset = sets[request.set], request.indices.allSatisfy({ $0 < dataset.count }) else {
        badMessages += 1
        continue
      }
      for index in request.indices { try send(index, of: request.set, dataset, to: received.peer) }
    }
    return true
  }

  private func send(_ index: Int, of set: SampleSet, _ dataset: any Dataset, to peer: Transport.PeerID) throws(Failure)
  {
    let sample: EncodedSample
    do { sample = try dataset.sample(at: index) } catch { throw Failure(from: error) }
    let header = SampleHeader(
      sample: SampleReference(set: set, index: index), label: sample.label, encoding: sample.encoding.rawValue,
      height: sample.height, width: sample.width, channels: sample.channels, digest: Digest(of: sample.bytes))
    let message = SampleMessage.sample(header)
    var frame = Frame(byteCount: message.encodedSize(payloadBytes: sample.bytes.count))
    frame.withUnsafeMutableBytes { buffer in
      sample.bytes.withUnsafeBytes { message.encode(envelope, payload: $0, into: buffer) }
    }
    // What cannot be sent is asked for again.
    _ = router.send(frame, to: peer)
  }
}
