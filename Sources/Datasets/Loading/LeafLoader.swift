import Compute

/// Loads leaves ahead of their use, on threads of its own: samples are fetched, decoded, augmented and normalised straight
/// into the leaf's images.
///
/// Buffers are reused: hand a leaf back with `recycle` when its images have been used. Threads end with the loader, each
/// after the sample it is at.
public final class LeafLoader: Sendable {
  private let queue: Monitor<LeafQueue>
  private let microbatch: Int

  /// Starts the threads.
  ///
  /// - Parameters:
  ///   - microbatch: samples of a leaf, at most.
  ///   - threads: how many load; one keeps up with the engine by far (decoding is about 1 % of training's work).
  ///   - ahead: leaves that are kept ready or in the making.
  public convenience init(
    source: any SampleSource, preprocessing: Preprocessing, microbatch: Int, threads: Int = 1, ahead: Int = 2
  ) {
    self.init(microbatch: microbatch, valueCount: preprocessing.valueCount, threads: threads, ahead: ahead) { job in
      let index = job.request.samples[job.position]
      do {
        let sample = try source.sample(at: index)
        let label = try sample.checkedLabel()
        try preprocessing.write(
          sample, index: index, epoch: job.request.epoch, purpose: job.request.purpose,
          into: job.leaf.images.pointer + job.position * preprocessing.valueCount)
        return .success(label)
      } catch {
        return .failure(SampleError(index: index, underlying: error))
      }
    }
  }

  /// Starts the threads of a loader of crops, for evaluation: what requests then call sample s is crop s mod n of the
  /// picture s / n, where n is the number of crops of a picture. Crops that are requested in order are those of pictures
  /// that were decoded once.
  ///
  /// - Parameters:
  ///   - crops: the crops of each picture.
  ///   - batch: crops of a leaf, at most.
  public convenience init(
    source: any SampleSource, preprocessing: Preprocessing, crops: CropScheme, batch: Int, threads: Int = 1,
    ahead: Int = 2
  ) {
    let reader = CropReader(source: source, preprocessing: preprocessing, scheme: crops, threads: threads)
    self.init(microbatch: batch, valueCount: preprocessing.valueCount, threads: threads, ahead: ahead) { job in
      let target = job.leaf.images.pointer + job.position * preprocessing.valueCount
      do throws(SampleError) {
        return .success(try reader.write(job.request.samples[job.position], into: target))
      } catch {
        return .failure(error)
      }
    }
  }

  /// - Parameters:
  ///   - valueCount: floats of a sample.
  ///   - load: puts a sample into its leaf and says its label.
  private init(
    microbatch: Int, valueCount: Int, threads: Int, ahead: Int,
    load: @escaping @Sendable (LeafQueue.Job) -> Result<Int32, SampleError>
  ) {
    precondition(microbatch > 0 && threads > 0 && ahead > 0, "a loader has threads and room")
    let queue = Monitor(LeafQueue(ahead: ahead, capacity: microbatch * valueCount))
    (self.queue, self.microbatch) = (queue, microbatch)
    for _ in 0..<threads {
      startThread {
        guard floatingPointEnvironmentIsStandard() else {
          fatalError("a loading thread was started with non-standard rounding or flushing of small numbers")
        }
        while let job = queue.wait(for: { $0.isStopped ? .some(nil) : $0.nextJob().map(Optional.some) }) {
          let result = load(job)
          queue.change { $0.finish(job, result) }
        }
      }
    }
  }

  deinit { queue.change { $0.stop() } }

  /// Asks for a leaf; loading begins in the order of the requests.
  public func request(_ leaf: LeafRequest) {
    precondition((1...microbatch).contains(leaf.samples.count), "a leaf has samples, at most a microbatch of them")
    queue.change { $0.add(leaf) }
  }

  /// Waits for a requested leaf, which goes before all others from now on.
  ///
  /// - Throws: `SampleError` for the first of its samples that could not be loaded; `DatasetError.cancelled` if it is not
  ///   among the open requests, or is cancelled while this waits.
  public func next(id: Int) throws -> LoadedLeaf {
    let start = queue.change { $0.await(id) }
    return try queue.wait { $0.take(id, since: start) }.get()
  }

  /// Gives up one request, if it is open.
  public func cancel(id: Int) { queue.change { $0.cancel(id) } }

  /// Gives up all requests, those that somebody waits for included.
  ///
  /// A source that is waiting for others has to be told to stop by whoever owns it.
  public func cancelAll() { queue.change { $0.cancel() } }

  /// Hands a leaf back whose images are no longer needed.
  public func recycle(_ leaf: LoadedLeaf) { queue.change { $0.recycle(leaf) } }
}
