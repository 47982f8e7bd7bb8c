/// The members of a ZIP file that are stored as they are.
///
/// PyTorch compresses nothing. So this reader has no decompressor, and no member can be larger than the file; those that are
/// compressed or encrypted are only named, and members that overlap each other are refused. A library for ZIP files (Debian's libzip) would bring
/// decompressors and cryptography along for what takes no more than this file, and would hide where a member lies, at
/// which tensors are read directly.
///
/// | from the end of the file | size | meaning |
/// |---|---|---|
/// | −22 | 22 | the end record: counts, size and offset of the central directory |
/// | −42 | 20 | where the ZIP64 end record is, if there is one |
/// | there | 56 | the ZIP64 end record: the same, in 64 bits |
///
/// - Source: PKWARE, APPNOTE.TXT 6.3.
struct ZipArchive {
  /// A member.
  struct Member {
    let name: String
    let checksum: UInt32
    /// Where its bytes lie in the file.
    let bytes: Range<Int>
  }

  /// A checkpoint has a member a storage.
  private static let memberLimit = 200_000
  private static let directoryLimit = 32 << 20

  /// All members, in the order of their bytes.
  let members: [Member]
  /// The first member that is compressed or encrypted.
  let packedMember: String?

  private let file: RandomAccessFile
  private let positions: [String: Int]

  /// Reads the central directory and each member's own header.
  init(_ file: RandomAccessFile) throws(InterchangeError) {
    self.file = file
    let directory = try Self.directory(file)
    var entries: [Entry] = []
    var position = 0
    let bytes = try file.bytes(at: directory.range.lowerBound, count: directory.range.count)
    for _ in 0..<directory.count { entries.append(try Entry(bytes, &position, file)) }
    guard position == bytes.count else { throw Self.malformed(file, "its directory is longer than its entries") }

    entries.sort { $0.header < $1.header }
    var members: [Member] = []
    var end = 0
    for entry in entries {
      guard entry.header >= end else { throw Self.malformed(file, "its members overlap") }
      let member = try entry.member(file, before: directory.range.lowerBound)
      end = member.bytes.upperBound
      members.append(member)
    }
    self.members = members
    packedMember = zip(entries, members).first { $0.0.isPacked }?.1.name
    positions = Dictionary(members.enumerated().map { ($1.name, $0) }) { first, _ in first }
    guard positions.count == members.count else { throw Self.malformed(file, "two of its members have one name") }
  }

  /// The member of a name.
  subscript(name: String) -> Member? { positions[name].map { members[$0] } }

  /// Compares a member's bytes with its checksum, a part at a time.
  func verify(_ member: Member) throws(InterchangeError) {
    var checksum = CRC32()
    var position = member.bytes.lowerBound
    while position < member.bytes.upperBound {
      let part = min(1 << 20, member.bytes.upperBound - position)
      checksum.add(try file.bytes(at: position, count: part))
      position += part
    }
    guard checksum.value == member.checksum else {
      throw Self.malformed(file, "its member '\(member.name)' is not what its checksum says")
    }
  }

  /// All bytes of a small member, checked.
  func contents(_ member: Member, limit: Int) throws(InterchangeError) -> [UInt8] {
    guard member.bytes.count <= limit else { throw Self.malformed(file, "its member '\(member.name)' is too long") }
    try verify(member)
    return try file.bytes(at: member.bytes.lowerBound, count: member.bytes.count)
  }

  private static func malformed(_ file: RandomAccessFile, _ reason: String) -> InterchangeError {
    .malformed(path: file.path, reason: reason)
  }

  /// Where the central directory is, and how many entries it has.
  private static func directory(_ file: RandomAccessFile) throws(InterchangeError) -> (range: Range<Int>, count: Int) {
    // PyTorch writes no comment behind the end record; so that is where it is, or the file is cut or has been added to.
    let endPosition = file.byteCount - 22
    guard endPosition >= 0 else { throw malformed(file, "it is too short to have a ZIP directory") }
    let end = Fields(try file.bytes(at: endPosition, count: 22))
    guard end.four(0) == 0x0605_4B50, end.two(20) == 0 else {
      throw malformed(file, "it has no ZIP directory at its end")
    }
    var count = Int(end.two(10)), size = Int(end.four(12)), offset = Int(end.four(16))
    var limit = endPosition
    if endPosition >= 20 {
      let locator = Fields(try file.bytes(at: endPosition - 20, count: 20))
      if locator.four(0) == 0x0706_4B50 {
        guard let place = Int(exactly: locator.eight(8)), place <= endPosition - 20 - 56 else {
          throw malformed(file, "its ZIP64 record lies outside it")
        }
        let record = Fields(try file.bytes(at: place, count: 56))
        guard record.four(0) == 0x0606_4B50, let count64 = Int(exactly: record.eight(32)),
          let size64 = Int(exactly: record.eight(40)), let offset64 = Int(exactly: record.eight(48)),
          count == count64 || count == 0xFFFF, size == size64 || size == 0xFFFF_FFFF,
          offset == offset64 || offset == 0xFFFF_FFFF
        else { throw malformed(file, "its two ZIP records contradict each other") }
        (count, size, offset, limit) = (count64, size64, offset64, place)
      }
    }
    guard count <= memberLimit, size <= directoryLimit, offset <= limit, size <= limit - offset else {
      throw malformed(file, "its ZIP directory is too large or lies outside it")
    }
    return (offset..<offset + size, count)
  }

  /// An entry of the central directory.
  private struct Entry {
    let name: [UInt8]
    let checksum: UInt32
    /// Bytes that it takes in the file.
    let size: Int
    /// Whether it is compressed or encrypted.
    let isPacked: Bool
    /// Where the member's own header is.
    let header: Int

    init(_ directory: [UInt8], _ position: inout Int, _ file: RandomAccessFile) throws(InterchangeError) {
      guard directory.count - position >= 46 else { throw malformed(file, "its ZIP directory is cut short") }
      let fields = Fields(Array(directory[position..<position + 46]))
      let lengths = [28, 30, 32].map { Int(fields.two($0)) }
      guard fields.four(0) == 0x0201_4B50, directory.count - position - 46 >= lengths.reduce(0, +) else {
        throw malformed(file, "its ZIP directory is damaged")
      }
      position += 46
      name = Array(directory[position..<position + lengths[0]])
      let extra = Array(directory[position + lengths[0]..<position + lengths[0] + lengths[1]])
      position += lengths.reduce(0, +)

      isPacked = fields.two(8) & 1 != 0 || fields.two(10) != 0
      var numbers = [24, 20, 42].map { UInt64(fields.four($0)) }
      try Self.widen(&numbers, extra, file)
      guard isPacked || numbers[0] == numbers[1], let size = Int(exactly: numbers[1]),
        let header = Int(exactly: numbers[2])
      else {
        throw malformed(file, "the size of its member '\(String(decoding: name, as: UTF8.self))' makes no sense")
      }
      (checksum, self.size, self.header) = (fields.four(16), size, header)
    }

    /// Replaces the numbers that do not fit into 32 bits by those of the ZIP64 field, which has them in the same order.
    private static func widen(
      _ numbers: inout [UInt64], _ extra: [UInt8], _ file: RandomAccessFile
    ) throws(InterchangeError) {
      guard numbers.contains(0xFFFF_FFFF) else { return }
      let fields = Fields(extra)
      var position = 0
      while extra.count - position >= 4 {
        let length = Int(fields.two(position + 2))
        guard extra.count - position - 4 >= length else { break }
        if fields.two(position) == 1 {
          var field = position + 4
          for index in numbers.indices where numbers[index] == 0xFFFF_FFFF {
            guard position + 4 + length - field >= 8 else { throw malformed(file, "a ZIP64 field is cut short") }
            numbers[index] = fields.eight(field)
            field += 8
          }
          return
        }
        position += 4 + length
      }
      throw malformed(file, "a ZIP64 field is missing")
    }

    /// Reads the member's own header, which alone says where its bytes begin.
    func member(_ file: RandomAccessFile, before directory: Int) throws(InterchangeError) -> Member {
      let shown = String(decoding: name, as: UTF8.self)
      guard directory - header >= 30 + name.count else {
        throw malformed(file, "its member '\(shown)' lies outside it")
      }
      let bytes = try file.bytes(at: header, count: 30 + name.count), fields = Fields(bytes)
      guard fields.four(0) == 0x0403_4B50, Int(fields.two(26)) == name.count, bytes[30...].elementsEqual(name),
        let text = String(validating: name, as: UTF8.self)
      else { throw malformed(file, "the header of its member '\(shown)' contradicts the directory") }
      let start = header + 30 + name.count + Int(fields.two(28))
      guard start <= directory, size <= directory - start else {
        throw malformed(file, "its member '\(shown)' lies outside it")
      }
      return Member(name: text, checksum: checksum, bytes: start..<start + size)
    }
  }
}

/// Little-endian numbers at places of some bytes, which must be that long.
private struct Fields {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func two(_ offset: Int) -> UInt16 { load(offset) }
  func four(_ offset: Int) -> UInt32 { load(offset) }
  func eight(_ offset: Int) -> UInt64 { load(offset) }

  private func load<Word: FixedWidthInteger>(_ offset: Int) -> Word {
    bytes.withUnsafeBytes { Word(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Word.self)) }
  }
}
