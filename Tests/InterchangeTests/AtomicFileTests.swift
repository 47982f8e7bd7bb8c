import Foundation
import Testing

@testable import Interchange

@Suite struct AtomicFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func appearsWholeAndReplaces() throws {
    let path = try folder.write([1], "config.json")
    let file = try AtomicFile(path: path)
    try file.append([2, 3])
    #expect(try contents(path) == [1])
    try file.commit()
    #expect(try contents(path) == [2, 3])
    #expect(try folder.names == ["config.json"])
  }

  @Test func vanishesWhenNotCommitted() throws {
    let path = try folder.write([1], "file")
    do {
      let file = try AtomicFile(path: path)
      try file.append([2])
    }
    #expect(try contents(path) == [1])
    #expect(try folder.names == ["file"])
  }

  @Test(arguments: [ENOSPC, EFBIG, EIO, EDQUOT]) func aFailedWriteLeavesTheOldFile(code: Int32) throws {
    let path = try folder.write([1], "file")
    var calls = 0
    let file = try AtomicFile(path: path) { descriptor, bytes, count in
      calls += 1
      if calls < 3 { return Glibc.write(descriptor, bytes, 1) }
      errno = code
      return -1
    }
    #expect { try file.append([1, 2, 3, 4]) } throws: { error in
      error as? InterchangeError == .cannotWrite(path: path, code: code)
        && "\(error)".contains(String(cString: strerror(code)))
        && (error as? InterchangeError)?.exitCode == 73
    }
    #expect(try contents(path) == [1])
    #expect(try folder.names == ["file"])
  }

  @Test func shortAndInterruptedWritesGoOn() throws {
    let path = folder.path + "/file"
    var calls = 0
    let file = try AtomicFile(path: path) { descriptor, bytes, count in
      calls += 1
      if calls % 2 == 0 {
        errno = EINTR
        return -1
      }
      return Glibc.write(descriptor, bytes, min(count, 3))
    }
    let bytes = (0..<20).map { UInt8($0) }
    try file.append(bytes)
    try file.commit()
    #expect(try contents(path) == bytes)
  }

  @Test func placesThatCannotBeWrittenAreNamed() throws {
    let missing = folder.path + "/none/file"
    #expect(throws: InterchangeError.cannotWrite(path: missing, code: ENOENT)) {
      try AtomicFile.write([1], to: missing)
    }
    #expect(throws: InterchangeError.self) { try AtomicFile.write([1], to: folder.path) }
    #expect(throws: InterchangeError.self) { try AtomicFile.write([1], to: folder.path + "/") }
    #expect(try folder.names == [])
  }
}
