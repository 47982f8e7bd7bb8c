import Foundation
import Interchange
import Testing

/// What a run has written into its folder.
struct RunFiles {
  let path: String

  init(_ path: String) { self.path = path }

  /// A line of kind "step".
  struct Step: Equatable {
    let step: Int
    let hash: String
    let workers: Int
    let json: JSONValue
  }

  /// All whole lines of a log; a line that is still being written does not count yet.
  func lines(_ name: String = "metrics.jsonl") throws -> [JSONValue] {
    guard let data = FileManager.default.contents(atPath: path + "/" + name) else { return [] }
    let whole = data[..<(data.lastIndex(of: UInt8(ascii: "\n")) ?? data.startIndex)]
    return try whole.split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: $0).sorted }
  }

  func lines(kind: String, of name: String = "metrics.jsonl") throws -> [JSONValue] {
    try lines(name).filter { $0["kind"]?.stringValue == kind }
  }

  func steps(_ name: String = "metrics.jsonl") throws -> [Step] {
    try lines(kind: "step", of: name).map { line in
      Step(
        step: try #require(line["step"]?.integerValue), hash: try #require(line["state_hash"]?.stringValue),
        workers: try #require(line["workers"]?.integerValue), json: line)
    }
  }

  /// The names of all events so far.
  func events() throws -> [String] { try lines(kind: "event").compactMap { $0["event"]?.stringValue } }

  /// The hashes of steps 1, 2, …, each of which must be logged once, in order.
  func hashes(sourceLocation: SourceLocation = #_sourceLocation) throws -> [String] {
    let steps = try steps()
    #expect(steps.map(\.step) == Array(1..<steps.count + 1), sourceLocation: sourceLocation)
    return steps.map(\.hash)
  }

  func lastStep() throws -> Int { try steps().last?.step ?? 0 }

  func status() throws -> JSONValue { try json("status.json") }

  func json(_ name: String) throws -> JSONValue {
    let data = try #require(FileManager.default.contents(atPath: path + "/" + name), "\(path)/\(name) is missing")
    return try JSONValue(parsing: data)
  }

  func checkpoint(_ step: Int) -> String { path + "/checkpoints/" + Self.name(step) + ".safetensors" }
  func optimizer(_ step: Int) -> String { path + "/checkpoints/" + Self.name(step) + ".optimizer.safetensors" }

  /// The steps of the checkpoints that are there.
  func checkpoints() throws -> [Int] {
    try FileManager.default.contentsOfDirectory(atPath: path + "/checkpoints").compactMap { name in
      let parts = name.split(separator: ".")
      return parts.count == 2 && parts[1] == "safetensors" ? Int(parts[0].dropFirst("step-".count)) : nil
    }.sorted()
  }

  private static func name(_ step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// Waits until a step is logged.
  func wait(forStep step: Int, of program: RunningProgram) throws {
    try eventually("step \(step) of \(path)", from: program) { try lastStep() >= step ? true : nil }
  }

  /// Waits for an event.
  func wait(forEvent event: String, count: Int = 1, of program: RunningProgram) throws {
    try eventually("event '\(event)' of \(path)", from: program) {
      try events().filter { $0 == event }.count >= count ? true : nil
    }
  }
}

/// The tensors of a checkpoint and of its optimizer's file, as bytes under their names.
func tensorBytes(_ path: String) throws -> [String: [UInt8]] {
  let file = try TensorFile(path: path)
  var result: [String: [UInt8]] = [:]
  for tensor in file.tensors {
    result[tensor.name] =
      tensor.element == .int64
      ? try file.integers(tensor.name).withUnsafeBytes { Array($0) }
      : try file.floats(tensor.name).withUnsafeBytes { Array($0) }
  }
  return result
}

/// Reads the one JSON object that a program prints with `--json`.
func object(_ outcome: Outcome) throws -> JSONValue {
  let lines = outcome.output.split(separator: "\n")
  #expect(lines.count == 1, "\(outcome)")
  return try JSONValue(parsing: Array(outcome.output.utf8))
}

extension JSONValue {
  /// With the members of every object in the order of their names, so that two values can be compared.
  var sorted: JSONValue {
    switch self {
    case .object(let members):
      .object(members.map { Member($0.name, $0.value.sorted) }.sorted { $0.name < $1.name })
    case .array(let elements): .array(elements.map(\.sorted))
    default: self
    }
  }

  /// The names of an object's members.
  var names: Set<String> {
    guard case .object(let members) = self else { return [] }
    return Set(members.map(\.name))
  }
}
