import Lockstep

extension Hello {
  // In every version, HELLO begins with incarnation and name.
  func write(to writer: inout MessageWriter) {
    writer.write(incarnation)
    writer.writeProse(name, limit: WireLimits.name)
    writer.write(numerics.engine)
    writer.write(numerics.selfTest)
    writer.write(threads, as: UInt32.self, in: 1...WireLimits.threads, "threads")
    writer.writeProse(cpu, limit: WireLimits.cpu)
    writer.writePresence(fingerprint != nil)
    if let fingerprint { writer.write(fingerprint) }
  }

  init(from reader: inout MessageReader) throws(WireError) {
    let incarnation: UInt64 = try reader.read()
    let name = try reader.readText(limit: WireLimits.name, "name")
    let engine: UInt32 = try reader.read()
    let numerics = Numerics(engine: engine, selfTest: try reader.readDigest())
    let threads = try reader.read(UInt32.self, in: 1...WireLimits.threads, "threads")
    let cpu = try reader.readText(limit: WireLimits.cpu, "cpu")
    let fingerprint = try reader.readPresence("fingerprint") ? try reader.readDigest() : nil
    self.init(
      numerics: numerics, name: name, incarnation: incarnation, threads: threads, cpu: cpu, fingerprint: fingerprint)
  }
}

extension Beat {
  func write(to writer: inout MessageWriter) {
    writer.write(phase.rawValue)
    writer.writeCount(leavesFinished, "finished leaves")
    writer.writeCount(revision, "revision")
    writer.writePresence(pass != nil)
    if let pass { writer.write(pass) }
  }

  init(from reader: inout MessageReader) throws(WireError) {
    let phase = try reader.readCase(Phase.self, "phase")
    let leavesFinished = try reader.readCount("finished leaves")
    let revision = try reader.readCount("revision")
    let pass = try reader.readPresence("pass") ? try reader.readPass() : nil
    self.init(phase: phase, pass: pass, leavesFinished: leavesFinished, revision: revision)
  }
}

extension Done {
  func write(to writer: inout MessageWriter) {
    precondition(seconds.isFinite && seconds >= 0, "\(seconds) seconds are no duration")
    writer.write(pass)
    writer.write(leaves, as: UInt32.self, in: 0...WireLimits.leaves, "leaves")
    writer.write(seconds)
  }

  init(from reader: inout MessageReader) throws(WireError) {
    let pass = try reader.readPass()
    let leaves = try reader.read(UInt32.self, in: 0...WireLimits.leaves, "leaves")
    self.init(pass: pass, leaves: leaves, seconds: try reader.readDuration("seconds"))
  }
}

extension Fault {
  func write(to writer: inout MessageWriter) {
    writer.write(code, as: UInt8.self, in: 1...255, "an exit code")
    writer.writeProse(reason, limit: WireLimits.reason)
    writer.writePresence(sample != nil)
    if let sample { writer.write(sample) }
  }

  init(from reader: inout MessageReader) throws(WireError) {
    let code = try reader.read(UInt8.self, in: 1...255, "code")
    let reason = try reader.readText(limit: WireLimits.reason, "reason")
    let sample = try reader.readPresence("sample") ? try reader.readSampleReference() : nil
    self.init(code: code, sample: sample, reason: reason)
  }
}
