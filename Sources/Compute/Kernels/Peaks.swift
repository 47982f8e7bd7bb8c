import Glibc

/// The most floating-point operations a second that this CPU does on the pool's threads at once: what kernels are measured
/// against. A fused multiply-add counts as two.
///
/// Each run takes about ten milliseconds, so that waking the threads does not count, and touches no memory; the best run counts, for others may be using the CPU.
public func multiplyAddPeak(pool: ThreadPool, runs: Int) -> Double {
  // Which width fills the registers is the CPU's matter: the better one counts.
  max(
    bestRate(pool: pool, runs: runs) { iterations, thread in multiplyAdds(Row.self, iterations, thread) },
    bestRate(pool: pool, runs: runs) { iterations, thread in multiplyAdds(SIMD8<Float>.self, iterations, thread) })
}

/// Bytes a second, read and written together, of copying from one large array to another with the pool's threads at once:
/// what operations are measured against that do little arithmetic.
///
/// The arrays are four times as large as the last cache, each. The best of the runs counts, and of two ways: the C library's
/// copy, and row by row as kernels store, which has to read what it is about to overwrite.
public func copyBandwidth(pool: ThreadPool, runs: Int) -> Double {
  // 32 MiB where the size is not known: that of a server's cache that two to eight cores share. The C library takes that of
  // all sockets together on some hosts: arrays of gigabytes, whose pages take seconds to get.
  let cache = sysconf(Int32(_SC_LEVEL3_CACHE_SIZE))
  let rows = 4 * (cache > 0 ? min(cache, 96 << 20) : 32 << 20) / (rowWidth * MemoryLayout<Float>.stride)
  let source = FloatStorage(count: rows * rowWidth), target = FloatStorage(count: rows * rowWidth)
  var best = Double.infinity
  for run in 0..<2 * runs {
    let begin = ContinuousClock.now
    pool.ranges(rows) { range, _ in
      let from = FloatPointer(source.pointer + range.lowerBound * rowWidth)
      let to = target.pointer + range.lowerBound * rowWidth
      if run % 2 == 0 {
        memcpy(to, from, range.count * rowWidth * MemoryLayout<Float>.stride)
      } else {
        copyRows(from, range.count, into: to)
      }
    }
    best = min(best, (ContinuousClock.now - begin) / .seconds(1))
  }
  return Double(2 * rows * rowWidth * MemoryLayout<Float>.stride) / best
}

/// Floating-point operations a second of the best run.
private func bestRate(pool: ThreadPool, runs: Int, _ body: (_ iterations: Int, _ thread: Int) -> Int) -> Double {
  let iterations = 1 << 22
  var best = 0.0
  for _ in 0..<runs {
    let operations = UnsafeMutablePointer<Int>.allocate(capacity: pool.threads)
    defer { operations.deallocate() }
    let begin = ContinuousClock.now
    pool.ranges(pool.threads) { range, thread in operations[thread] = range.count * body(iterations, thread) }
    let seconds = (ContinuousClock.now - begin) / .seconds(1)
    let total = UnsafeBufferPointer(start: operations, count: pool.threads).reduce(0, +)
    best = max(best, Double(total) / seconds)
  }
  return best
}

/// Chains of fused multiply-adds, as many as it takes to hide their latency and as fit in sixteen registers.
///
/// - Returns: how many floating-point operations that were.
@inline(never) private func multiplyAdds<Vector: SIMD>(_: Vector.Type, _ iterations: Int, _ seed: Int) -> Int
where Vector.Scalar == Float {
  // Values that the compiler cannot know, and sums that stay finite.
  let factor = Vector(repeating: Float(seed + 1) * 0x1p-10)
  let addend0 = Vector(repeating: Float(seed + 1) * 0x1p-11), addend1 = addend0 + addend0
  var a0 = addend0, a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, a8 = a0, a9 = a0, a10 = a0, a11 = a0
  for _ in 0..<iterations {
    a0 = a0.addingProduct(factor, addend0)
    a1 = a1.addingProduct(factor, addend1)
    a2 = a2.addingProduct(factor, addend0)
    a3 = a3.addingProduct(factor, addend1)
    a4 = a4.addingProduct(factor, addend0)
    a5 = a5.addingProduct(factor, addend1)
    a6 = a6.addingProduct(factor, addend0)
    a7 = a7.addingProduct(factor, addend1)
    a8 = a8.addingProduct(factor, addend0)
    a9 = a9.addingProduct(factor, addend1)
    a10 = a10.addingProduct(factor, addend0)
    a11 = a11.addingProduct(factor, addend1)
  }
  let sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11
  // The result depends on every lane of every chain, so none can be left out.
  return sum.max().isFinite ? iterations * 12 * Vector.scalarCount * 2 : 0
}
