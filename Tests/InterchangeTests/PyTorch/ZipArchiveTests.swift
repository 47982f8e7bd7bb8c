import Testing

@testable import Interchange

@Suite struct ZipArchiveTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func archive(_ writer: ZipWriter) throws -> ZipArchive {
    try ZipArchive(RandomAccessFile(path: folder.write(writer.bytes, "x.zip")))
  }

  /// The check value of CRC-32/ISO-HDLC in the catalogue of Greg Cook.
  @Test func theChecksumIsThatOfZIP() {
    var checksum = CRC32()
    checksum.add(Array("1234".utf8))
    checksum.add(Array("56789".utf8))
    #expect(checksum.value == 0xCBF4_3926)
  }

  @Test func storedMembersAreFound() throws {
    let writer = ZipWriter(members: [.init(name: "a/b", bytes: [1, 2, 3]), .init(name: "c", bytes: [])])
    let archive = try archive(writer)
    #expect(archive.members.map(\.name) == ["a/b", "c"] && archive.packedMember == nil)
    let member = try #require(archive["a/b"])
    #expect(try archive.contents(member, limit: 3) == [1, 2, 3])
    #expect(throws: InterchangeError.self) { try archive.contents(member, limit: 2) }
    #expect(archive["a"] == nil)
  }

  @Test func aWrongChecksumIsFound() throws {
    let archive = try archive(ZipWriter(members: [.init(name: "a", bytes: [1, 2, 3], checksum: 7)]))
    let member = try #require(archive["a"])
    let error = #expect(throws: InterchangeError.self) { try archive.verify(member) }
    #expect(error?.description.contains("'a' is not what its checksum says") == true)
  }

  /// Many gigabytes in a few bytes: nothing is decompressed, so the bomb is only named.
  @Test(arguments: [UInt16(8), 9, 12, 14, 93]) func compressedMembersAreNamed(method: UInt16) throws {
    var writer = ZipWriter.torch(
      pickle: PickleWriter.stateDictionary(elements: 1 << 30, shape: [1 << 30], strides: [1]), storages: [])
    writer.members.append(
      .init(name: "m/data/0", bytes: Array(repeating: 0, count: 100), method: method, size: 0xFFFF_FFFE))
    #expect(try archive(writer).packedMember == "m/data/0")
    let error = #expect(throws: InterchangeError.self) { try openTensors(folder.path + "/x.zip") }
    #expect(error?.description.contains("'m/data/0' is compressed") == true)
  }

  @Test func encryptedMembersAreNamed() throws {
    #expect(try archive(ZipWriter(members: [.init(name: "a", bytes: [1], flags: 1)])).packedMember == "a")
  }

  /// One run of bytes that stands for many members, as in D. Fifield, "A better zip bomb", 2019.
  @Test func overlappingMembersAreRefused() throws {
    let member = ZipWriter.Member(name: "a", bytes: Array(repeating: 0, count: 1000))
    let many = ZipWriter(members: [member], repeats: 10_000)
    let error = #expect(throws: InterchangeError.self) { try archive(many) }
    #expect(error?.description.contains("overlap") == true)
    var second = ZipWriter.Member(name: "b", bytes: [1, 2, 3])
    second.offset = 20
    #expect(throws: InterchangeError.self) { try archive(ZipWriter(members: [member, second])) }
  }

  @Test(arguments: [
    ZipWriter(members: [.init(name: "a", bytes: [1], size: 100, packedSize: 100)]),
    ZipWriter(members: [.init(name: "a", bytes: [1], size: 0xFFFF_FFFF, packedSize: 0xFFFF_FFFF)]),
    ZipWriter(members: [.init(name: "a", bytes: [1], size: 2, packedSize: 1)]),
    ZipWriter(members: [.init(name: "a", bytes: [1], offset: 0xFFFF_FFF0)]),
    ZipWriter(members: [.init(name: "a", bytes: [1], offset: 1)]),
    ZipWriter(members: [.init(name: "a", bytes: [1], headerName: "b")]),
    ZipWriter(members: [.init(name: "a", bytes: [1]), .init(name: "a", bytes: [2])]),
    ZipWriter(members: [.init(name: "a", bytes: [1])], count: 2),
    ZipWriter(members: [.init(name: "a", bytes: [1])], count: 0),
    ZipWriter(members: [.init(name: "a", bytes: [1])], count: 0xFFFF),
    ZipWriter(members: [.init(name: "a", bytes: [1])], directorySize: 0xFFFF_FFF0),
    ZipWriter(members: [.init(name: "a", bytes: [1])], directoryOffset: 0xFFFF_FFFF),
    ZipWriter(members: [.init(name: "a", bytes: [1])], directoryOffset: 1),
    ZipWriter(members: [.init(name: "a", bytes: [1])], comment: [1]),
  ]) func directoriesThatContradictTheFileAreRefused(writer: ZipWriter) throws {
    let error = #expect(throws: InterchangeError.self) { try archive(writer) }
    #expect(error?.exitCode == 65)
  }
}
