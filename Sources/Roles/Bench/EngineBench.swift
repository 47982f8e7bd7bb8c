import Compute
import Models

/// `trainer bench engine`: how fast steps are on this host, and where their time goes.
public func benchEngine(_ options: EngineBenchOptions) throws(Failure) -> EngineBenchReport {
  let model = try options.builtModel()
  let signals = SignalWatch.start()
  defer { withExtendedLifetime(signals) {} }
  return try measure(options, model, ThreadPool(threads: options.threads))
}

/// `trainer bench engine --plan`: the steps of the plan, with their shapes, methods, bytes and multiply-accumulates.
public func describePlan(_ options: EngineBenchOptions) throws(Failure) -> String {
  let model = try options.builtModel()
  let executor = Executor(
    model: model, mode: options.mode.executorMode, maxBatch: options.batch,
    pool: ThreadPool(threads: options.threads))
  return executor.plan.description
}

/// The first steps meet cold caches, memory that the system has not given out yet, and slow clocks.
private let warmUpSteps = 2

private func measure(_ options: EngineBenchOptions, _ model: Model, _ pool: ThreadPool) throws(Failure)
  -> EngineBenchReport
{
  let line = StatusLine()
  // The host may be shared: looked for before, between and after the steps, the best counts.
  var peak = multiplyAddPeak(pool: pool, runs: 10)
  var report = EngineBenchReport(options: options, size: model.imageSize)
  do {
    line.progress("preparing \(options.model)")
    let engine = BenchEngine(model, mode: options.mode, batch: options.batch, pool: pool)
    for step in 1...warmUpSteps + options.steps {
      engine.step()
      let isCounted = step > warmUpSteps
      if isCounted { engine.clock.keep() }
      let name = isCounted ? "step \(step - warmUpSteps) of \(options.steps)" : "warm-up step \(step)"
      let milliseconds = StatusLine.number(engine.clock.lastStep * 1000, decimals: 1)
      let rate = StatusLine.number(Double(options.batch) / engine.clock.lastStep, decimals: 2)
      line.progress(
        "\(name): \(milliseconds) ms, \(rate) images/s", isLast: step == warmUpSteps + options.steps)
      let arrivals = SignalWatch.arrivals
      if arrivals.count > 0 { throw Failure(arrivals.exitCode, "the measurement was interrupted after \(name)") }
      peak = max(peak, multiplyAddPeak(pool: pool, runs: 2))
    }
    report.peakResidentMebibytes = HostDescription.peakResidentMebibytes
    report.add(engine)
  }
  // The arrays of the copies take the place of the engine's memory, which is free again.
  report.copyBytesPerSecond = copyBandwidth(pool: pool, runs: 20)
  report.peakFLOPS = max(peak, multiplyAddPeak(pool: pool, runs: 10))
  return report
}
