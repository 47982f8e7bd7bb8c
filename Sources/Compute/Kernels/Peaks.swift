import Glibc

/// The most floating-point operations a second that this CPU does on the pool's threads at once: what kernels are measured
/// against. A fused multiply-add counts as two.
///
/// Each run takes about a millisecond and touches no memory; the best run counts, for others may be using the CPU.
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
  // 32 MiB where the size is not known: that of a server's cache that two to eight cores share.
  let cache = sysconf(Int32(_SC_LEVEL3_CACHE_SIZE))
  let rows = 4 * (cache > 0 ? cache : 32 << 20) / (rowWidth * MemoryLayout<Float>.stride)
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
  let iterations = 1 << 19
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
@inline(__always) private func multiplyAdds<Vector: SIMD>(_: Vector.Type, _ iterations: Int, _ seed: Int) -> Int
where Vector.Scalar == Float {
  // Values that the compiler cannot know, and that neither grow nor become subnormal.
  let factor = Vector(repeating: 1 - Float(seed + 1) * 0x1p-20), addend = Vector(repeating: Float(seed + 1) * 0x1p-20)
  var a0 = addend, a1 = a0 + a0, a2 = a1 + a0, a3 = a2 + a0, a4 = a3 + a0, a5 = a4 + a0
  var a6 = a5 + a0, a7 = a6 + a0, a8 = a7 + a0, a9 = a8 + a0, a10 = a9 + a0, a11 = a10 + a0
  for _ in 0..<iterations {
    a0 = addend.addingProduct(a0, factor)
    a1 = addend.addingProduct(a1, factor)
    a2 = addend.addingProduct(a2, factor)
    a3 = addend.addingProduct(a3, factor)
    a4 = addend.addingProduct(a4, factor)
    a5 = addend.addingProduct(a5, factor)
    a6 = addend.addingProduct(a6, factor)
    a7 = addend.addingProduct(a7, factor)
    a8 = addend.addingProduct(a8, factor)
    a9 = addend.addingProduct(a9, factor)
    a10 = addend.addingProduct(a10, factor)
    a11 = addend.addingProduct(a11, factor)
  }
  let sum = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11
  // The result depends on every lane of every chain, so none can be left out.
  return sum.max().isFinite ? iterations * 12 * Vector.scalarCount * 2 : 0
}
