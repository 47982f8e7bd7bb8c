import Foundation
import Testing

@testable import Datasets

@Suite struct ClassNamesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func names(_ bytes: [UInt8]) throws -> [String] {
    let path = folder.path + "/labels.txt"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return try readClassNames(path)
  }

  @Test(arguments: [
    "tench\ncock, rooster\nOchsenfrösche", "tench\ncock, rooster\nOchsenfrösche\n",
    "tench\r\ncock, rooster\r\nOchsenfrösche\r\n", "\u{FEFF}tench\ncock, rooster\nOchsenfrösche\n",
  ])
  func oneNameALine(text: String) throws {
    #expect(try names(Array(text.utf8)) == ["tench", "cock, rooster", "Ochsenfrösche"])
  }

  @Test(arguments: [
    ("a\n\nb\n", "line 2 is empty"), ("", "line 1 is empty"), ("a\n \nb", "line 2 is empty"),
    ("a\nb\u{1B}[31m\n", "line 2 has a control character"), ("a\tb\n", "line 1 has a control character"),
    ("a\n" + String(repeating: "x", count: 1001), "line 2 has 1001 bytes"), ("a\n\n", "line 2 is empty"),
  ]) func whatIsNoNameIsRefused(text: String, reason: String) throws {
    let error = #expect(throws: DatasetError.self) { try names(Array(text.utf8)) }
    #expect(error?.exitCode == 65)
    #expect("\(try #require(error))".contains(reason))
  }

  @Test func onlyUTF8AndOnlySmallFiles() throws {
    let latin = #expect(throws: DatasetError.self) { try names([0x61, 0x0A, 0xFC]) }
    #expect("\(try #require(latin))".contains("line 2 is not UTF-8"))
    let path = folder.path + "/large.txt"
    #expect(FileManager.default.createFile(atPath: path, contents: nil))
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    // A file of holes: as large as it says, and nothing on the disk.
    try file.truncate(atOffset: 1 << 40)
    try file.close()
    #expect(throws: DatasetError.self) { try readClassNames(path) }
    #expect(throws: DatasetError.self) { try readClassNames(folder.path + "/none.txt") }
  }
}
