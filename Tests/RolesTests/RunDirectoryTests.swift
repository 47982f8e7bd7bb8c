import Foundation
import Testing
import Wire

@testable import Roles

@Suite struct RunDirectoryTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Opens the directory and lets go of it again, as a coordinator that ends does.
  private func open(_ name: String = "run", resuming: Bool) throws -> (run: String, term: Int) {
    let directory = try RunDirectory(path: folder(name), resuming: resuming)
    if !resuming { try directory.begin() }
    return (directory.runID.description, directory.term)
  }

  @Test func eachStartRaisesTheTermOfTheSameRun() throws {
    #expect(!RunDirectory.holdsRun(folder("run")))
    let first = try open(resuming: false)
    #expect(first.term == 1 && RunDirectory.holdsRun(folder("run")))
    let second = try open(resuming: true), third = try open(resuming: true)
    #expect(second.term == 2 && third.term == 3)
    #expect(second.run == first.run && third.run == first.run)
    #expect(try open("other", resuming: false).run != first.run)
  }

  @Test func aNewRunIsRefusedWhereThereIsOne() throws {
    _ = try open(resuming: false)
    expectFailure(.cannotWrite, saying: folder("run"), "--resume") { () throws(Failure) in
      try RunDirectory(path: folder("run"), resuming: false)
    }
    #expect(try open(resuming: true).term == 2)
  }

  @Test func oneCoordinatorAtATime() throws {
    let directory = try RunDirectory(path: folder("run"), resuming: false)
    expectFailure(.cannotWrite, saying: folder("run"), "another coordinator") { () throws(Failure) in
      try RunDirectory(path: folder("run"), resuming: true)
    }
    #expect(directory.isStillOurs && directory.term == 1)
  }

  /// Its coordinator was killed before there was anything to continue.
  @Test func aRunThatNeverBeganIsInNobodysWay() throws {
    do {
      let directory = try RunDirectory(path: folder("run"), resuming: false)
      #expect(directory.isStillOurs)
      try folder.write("{", to: "run/config.json")
    }
    #expect(!RunDirectory.holdsRun(folder("run")))
    #expect(try open(resuming: false).term == 1)
    #expect(try open(resuming: true).term == 2)
  }

  /// Where locks do not work, as on some network file systems, the term still tells.
  @Test func aLaterTermIsNoticed() throws {
    let directory = try RunDirectory(path: folder("run"), resuming: false)
    try directory.begin()
    let record = try folder.read("run/run.json")
    try folder.write(record.replacingOccurrences(of: "\"term\":1", with: "\"term\":2"), to: "run/run.json")
    #expect(!directory.isStillOurs)
    try folder.write("", to: "run/run.json")
    #expect(!directory.isStillOurs)
  }

  @Test func aDamagedRecordIsNamed() throws {
    _ = try open(resuming: false)
    try folder.write("{}", to: "run/run.json")
    expectFailure(.badData, saying: "run.json") { () throws(Failure) in
      try RunDirectory(path: folder("run"), resuming: true)
    }
  }

  @Test func whatNeverBeganIsCleared() throws {
    let directory = try RunDirectory(path: folder("run"), resuming: false)
    try directory.begin()
    directory.discard()
    #expect(!folder.exists("run"))
    try FileManager.default.createDirectory(atPath: folder("mine"), withIntermediateDirectories: true)
    try folder.write("mine", to: "mine/notes.txt")
    try RunDirectory(path: folder("mine"), resuming: false).discard()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder("mine")) == ["notes.txt"])
  }

  @Test func aPlaceThatCannotBeWrittenIsNamed() throws {
    try folder.write("", to: "file")
    expectFailure(.cannotWrite, saying: folder("file/run")) { () throws(Failure) in
      try RunDirectory(path: folder("file/run"), resuming: false)
    }
  }

  @Test func replacingAFileLeavesNothingElseBehind() throws {
    try folder.write("old", to: "a.json")
    try replaceFile(folder("a.json"), with: Data("new".utf8))
    #expect(try folder.read("a.json") == "new")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.json"])
    expectFailure(.cannotWrite, saying: folder("no/a.json")) { () throws(Failure) in
      try replaceFile(folder("no/a.json"), with: Data())
    }
  }
}
