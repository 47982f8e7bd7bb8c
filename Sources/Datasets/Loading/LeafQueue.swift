/// What a loader has to do, does and has done: the state that its threads share.
///
/// Leaves begin in the order of their requests, as many ahead as the bound allows; the one that somebody waits for begins
/// whatever the bound says. Samples of a leaf begin in order and may be loaded by several threads.
struct LeafQueue {
  /// A leaf in the making or made.
  struct Entry {
    let request: LeafRequest
    let leaf: LoadedLeaf
    /// Samples that some thread has begun.
    var begun = 0
    /// Samples that are finished.
    var finished = 0
    /// The failure at the lowest position so far.
    var failure: (position: Int, error: SampleError)?

    var hasWork: Bool { begun < request.samples.count && failure == nil }
    var isComplete: Bool { finished == begun && !hasWork }
  }

  /// One sample to be loaded.
  struct Job {
    let request: LeafRequest
    let position: Int
    let leaf: LoadedLeaf
    /// Which cancellation it precedes.
    let generation: Int
  }

  /// Leaves that are ready or in the making, besides the awaited one.
  let ahead: Int
  /// Floats of a leaf's images.
  let capacity: Int
  private(set) var isStopped = false
  private var generation = 0
  private var waiting: [LeafRequest] = []
  private var entries: [Entry] = []
  private var awaited: [Int] = []
  private var free: [LoadedLeaf] = []

  init(ahead: Int, capacity: Int) { (self.ahead, self.capacity) = (ahead, capacity) }

  mutating func add(_ request: LeafRequest) {
    precondition(
      !waiting.contains { $0.id == request.id } && !entries.contains { $0.request.id == request.id },
      "a leaf's id is unique among the open requests")
    waiting.append(request)
  }

  /// The next sample to load; nil if there is nothing to do now.
  mutating func nextJob() -> Job? {
    if let index = entries.firstIndex(where: { awaited.contains($0.request.id) && $0.hasWork }) { return begin(index) }
    if let index = waiting.firstIndex(where: { awaited.contains($0.id) }) { return start(index) }
    if let index = entries.firstIndex(where: { $0.hasWork }) { return begin(index) }
    return entries.count < ahead && !waiting.isEmpty ? start(0) : nil
  }

  private mutating func start(_ index: Int) -> Job {
    let request = waiting.remove(at: index)
    let leaf = free.popLast() ?? LoadedLeaf(capacity: capacity)
    leaf.id = request.id
    leaf.samples = request.samples
    leaf.labels = [Int32](repeating: 0, count: request.samples.count)
    entries.append(Entry(request: request, leaf: leaf))
    return begin(entries.count - 1)
  }

  private mutating func begin(_ index: Int) -> Job {
    let entry = entries[index]
    entries[index].begun += 1
    return Job(request: entry.request, position: entry.begun, leaf: entry.leaf, generation: generation)
  }

  /// Takes note of what became of a sample; of one that was cancelled meanwhile, nothing.
  mutating func finish(_ job: Job, _ result: Result<Int32, SampleError>) {
    guard job.generation == generation, let index = entries.firstIndex(where: { $0.request.id == job.request.id })
    else { return }
    entries[index].finished += 1
    switch result {
    case .success(let label): entries[index].leaf.labels[job.position] = label
    case .failure(let error):
      if let earlier = entries[index].failure, earlier.position < job.position { return }
      entries[index].failure = (job.position, error)
    }
  }

  /// Puts a requested leaf before all others; the result counts the cancellations so far, for `take`.
  mutating func await(_ id: Int) -> Int {
    awaited.append(id)
    return generation
  }

  /// What became of an awaited leaf: nil while it is in the making; afterwards it is no longer the queue's.
  mutating func take(_ id: Int, since start: Int) -> Result<LoadedLeaf, any Error>? {
    guard start == generation, !isStopped else { return .failure(DatasetError.cancelled) }
    let index = entries.firstIndex { $0.request.id == id }
    if let index, !entries[index].isComplete { return nil }
    if index == nil && waiting.contains(where: { $0.id == id }) { return nil }
    awaited.removeAll { $0 == id }
    guard let index else { return .failure(DatasetError.cancelled) }
    let entry = entries.remove(at: index)
    guard let failure = entry.failure else { return .success(entry.leaf) }
    recycle(entry.leaf)
    return .failure(failure.error)
  }

  /// Forgets all requests; those who wait for one are told.
  mutating func cancel() {
    generation += 1
    waiting = []
    awaited = []
    // A thread may still write into a leaf of which not all begun samples are finished: such a leaf is given up.
    for entry in entries where entry.finished == entry.begun { recycle(entry.leaf) }
    entries = []
  }

  /// Forgets one request; who waits for it is told.
  mutating func cancel(_ id: Int) {
    waiting.removeAll { $0.id == id }
    awaited.removeAll { $0 == id }
    guard let index = entries.firstIndex(where: { $0.request.id == id }) else { return }
    let entry = entries.remove(at: index)
    if entry.finished == entry.begun { recycle(entry.leaf) }
  }

  mutating func recycle(_ leaf: LoadedLeaf) {
    precondition(!free.contains { $0 === leaf }, "a leaf is recycled once")
    if free.count <= ahead { free.append(leaf) }
  }

  mutating func stop() {
    cancel()
    isStopped = true
  }
}
