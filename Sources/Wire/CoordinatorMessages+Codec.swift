import Lockstep

extension Welcome {
  func write(to writer: inout MessageWriter) {
    writer.write(session)
    writer.write(beatMilliseconds, as: UInt32.self, in: 1...WireLimits.beatMilliseconds, "the beat")
    writer.write(bulk, limit: WireLimits.endpoint, "the bulk endpoint")
    writer.write(samples, limit: WireLimits.endpoint, "the sample endpoint")
    writer.write(configuration, limit: WireLimits.configuration, "the configuration")
  }

  init(from reader: inout MessageReader) throws(WireError) {
    let session: UInt64 = try reader.read()
    let beat = try reader.read(UInt32.self, in: 1...WireLimits.beatMilliseconds, "beat")
    let bulk = try reader.readText(limit: WireLimits.endpoint, "bulk endpoint")
    let samples = try reader.readText(limit: WireLimits.endpoint, "sample endpoint")
    let configuration = try reader.readContent(limit: WireLimits.configuration, "configuration")
    self.init(session: session, configuration: configuration, bulk: bulk, samples: samples, beatMilliseconds: beat)
  }
}

extension Plan {
  // Leaves travel as runs of neighbours, the longest possible ones, ascending: the first leaf in 4 bytes, and in 2 how many
  // more follow it.
  func write(to writer: inout MessageWriter) {
    precondition(leaves.count <= WireLimits.planLeaves, "a plan has at most \(WireLimits.planLeaves) leaves")
    writer.writeCount(revision, "revision")
    writer.write(pass)
    var runs: [Range<Int>] = []
    for leaf in leaves {
      precondition((0..<WireLimits.leaves).contains(leaf), "leaf \(leaf) is outside every pass")
      guard let last = runs.last else { runs.append(leaf..<leaf + 1); continue }
      precondition(leaf >= last.upperBound, "a plan's leaves are ascending")
      if leaf == last.upperBound {
        runs[runs.count - 1] = last.lowerBound..<leaf + 1
      } else {
        runs.append(leaf..<leaf + 1)
      }
    }
    writer.write(UInt32(runs.count))
    for run in runs {
      writer.write(UInt32(run.lowerBound))
      writer.write(UInt16(run.count - 1))
    }
  }

  init(from reader: inout MessageReader) throws(WireError) {
    let revision = try reader.readCount("revision")
    let pass = try reader.readPass()
    let runCount = Int(try reader.read(UInt32.self))
    guard runCount <= WireLimits.planLeaves else { throw .tooLong(field: "plan") }
    guard runCount * 6 <= reader.remaining else { throw .truncated }
    var leaves: [Int] = []
    for _ in 0..<runCount {
      let first = try reader.read(UInt32.self, in: 0...WireLimits.leaves - 1, "leaves")
      let count = Int(try reader.read(UInt16.self)) + 1
      guard leaves.count + count <= WireLimits.planLeaves else { throw .tooLong(field: "plan") }
      guard first + count <= WireLimits.leaves, first > leaves.last.map({ $0 + 1 }) ?? -1 else {
        throw .invalidValue(field: "leaves")
      }
      leaves += first..<first + count
    }
    self.init(revision: revision, pass: pass, leaves: leaves)
  }
}

extension Pulse {
  func write(to writer: inout MessageWriter) { writer.writeCount(revision, "revision") }

  init(from reader: inout MessageReader) throws(WireError) { self.init(revision: try reader.readCount("revision")) }
}

extension Refuse {
  // In every version, REFUSE begins with code and reason.
  func write(to writer: inout MessageWriter) {
    writer.write(code, as: UInt8.self, in: 0...255, "an exit code")
    writer.writeProse(reason, limit: WireLimits.reason)
  }

  init(from reader: inout MessageReader) throws(WireError) {
    let code = Int(try reader.read(UInt8.self))
    self.init(code: code, reason: try reader.readText(limit: WireLimits.reason, "reason"))
  }
}

extension Stop {
  func write(to writer: inout MessageWriter) {
    writer.write(code, as: UInt8.self, in: 0...255, "an exit code")
    writer.writeProse(reason, limit: WireLimits.reason)
  }

  init(from reader: inout MessageReader) throws(WireError) {
    let code = Int(try reader.read(UInt8.self))
    self.init(code: code, reason: try reader.readText(limit: WireLimits.reason, "reason"))
  }
}
