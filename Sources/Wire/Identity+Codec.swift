import Lockstep

extension MessageWriter {
  /// The kind in 1 byte, the step in 4.
  mutating func write(_ pass: Pass) {
    write(pass.kind.rawValue)
    write(pass.step, as: UInt32.self, in: pass.kind.steps, "a pass's step")
  }

  /// The first leaf and the one past the last, each in 4 bytes.
  mutating func write(_ subtree: Subtree) {
    write(subtree.lower, as: UInt32.self, in: 0...WireLimits.leaves, "a subtree's lower end")
    write(subtree.upper, as: UInt32.self, in: 0...WireLimits.leaves, "a subtree's upper end")
  }

  /// The set in 1 byte, the index in 4.
  mutating func write(_ sample: SampleReference) {
    write(sample.set.rawValue)
    write(sample.index, as: UInt32.self, in: 0...Int(UInt32.max), "a sample's index")
  }
}

extension MessageReader {
  mutating func readPass() throws(WireError) -> Pass {
    let kind = try readCase(Pass.Kind.self, "pass")
    return Pass(kind, step: try read(UInt32.self, in: kind.steps, "pass"))
  }

  mutating func readSubtree() throws(WireError) -> Subtree {
    let lower = try read(UInt32.self, in: 0...WireLimits.leaves, "subtree")
    let upper = try read(UInt32.self, in: 0...WireLimits.leaves, "subtree")
    guard lower < upper else { throw .invalidValue(field: "subtree") }
    return Subtree(lower, upper)
  }

  mutating func readSampleReference() throws(WireError) -> SampleReference {
    let set = try readCase(SampleSet.self, "sample set")
    return SampleReference(set: set, index: try read(UInt32.self, in: 0...Int(UInt32.max), "sample index"))
  }
}

extension Pass.Kind {
  /// Updates count from 1, versions from 0.
  var steps: ClosedRange<Int> { (self == .training ? 1 : 0)...Int(UInt32.max) }
}
