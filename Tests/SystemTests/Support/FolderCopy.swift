import Foundation

/// A folder's files in memory, made once for several tests.
struct FolderCopy: Sendable {
  private let files: [String: Data]

  /// Makes a folder in a sandbox of its own, and keeps what is in it.
  init(_ make: (Sandbox) throws -> String) throws {
    let sandbox = try Sandbox()
    defer { sandbox.close() }
    let folder = try make(sandbox)
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
      files[name] = FileManager.default.contents(atPath: folder + "/" + name)
    }
    self.files = files
  }

  /// Writes the files into a new folder.
  func write(to folder: String) throws {
    for (name, data) in files {
      let url = URL(fileURLWithPath: folder + "/" + name)
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: url)
    }
  }
}
