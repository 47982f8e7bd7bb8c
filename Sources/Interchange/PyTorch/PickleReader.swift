/// The bytes of a pickle, one after the other, from a part of a file.
struct PickleReader {
  /// More than any state_dict's pickle needs: its values lie elsewhere, and a tensor takes about 200 bytes.
  static let byteLimit = 32 << 20
  /// More than any name needs.
  static let stringLimit = 1 << 20
  private static let chunk = 1 << 16

  /// Bytes of the file before the next one.
  private(set) var position: Int

  private let file: RandomAccessFile
  private let end: Int
  private var buffer: [UInt8] = []
  private var next = 0

  /// Reads from a position of a file up to another one, but no more than the limit.
  init(_ file: RandomAccessFile, from start: Int, to end: Int) {
    precondition(start >= 0 && start <= end && end <= file.byteCount, "a part of the file")
    (self.file, position) = (file, start)
    self.end = min(end, start + Self.byteLimit)
  }

  /// Sees to it that the next bytes are at hand.
  private mutating func fill(_ count: Int) throws(InterchangeError) {
    guard count > buffer.count - next else { return }
    guard count <= end - position else {
      let reason = "its pickle is cut short, or longer than the \(Self.byteLimit >> 20) MiB that are read"
      throw .malformed(path: file.path, reason: reason)
    }
    buffer = try file.bytes(at: position, count: min(max(count, Self.chunk), end - position))
    next = 0
  }

  /// The next byte.
  mutating func byte() throws(InterchangeError) -> UInt8 {
    try fill(1)
    defer { (next, position) = (next + 1, position + 1) }
    return buffer[next]
  }

  /// The next bytes as a little-endian integer.
  mutating func integer<Word: FixedWidthInteger>(_ type: Word.Type) throws(InterchangeError) -> Word {
    let count = MemoryLayout<Word>.size
    try fill(count)
    defer { (next, position) = (next + count, position + count) }
    return buffer.withUnsafeBytes { Word(littleEndian: $0.loadUnaligned(fromByteOffset: next, as: Word.self)) }
  }

  /// So many bytes.
  mutating func bytes(_ count: some BinaryInteger) throws(InterchangeError) -> [UInt8] {
    guard count >= 0, count <= Self.stringLimit, let count = Int(exactly: count) else {
      throw .malformed(path: file.path, reason: "its pickle has a text of \(count) bytes, more than is read")
    }
    try fill(count)
    defer { (next, position) = (next + count, position + count) }
    return Array(buffer[next..<next + count])
  }

  /// So many bytes of UTF-8.
  mutating func text(_ count: some BinaryInteger) throws(InterchangeError) -> String {
    try decoded(try bytes(count))
  }

  /// The text up to the next line feed.
  mutating func line() throws(InterchangeError) -> String {
    var line: [UInt8] = []
    while true {
      let byte = try byte()
      if byte == 0x0A { return try decoded(line) }
      guard line.count < 1024 else { throw .malformed(path: file.path, reason: "its pickle has an endless name") }
      line.append(byte)
    }
  }

  private func decoded(_ bytes: [UInt8]) throws(InterchangeError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .malformed(path: file.path, reason: "a text in its pickle is not UTF-8")
    }
    return text
  }
}
