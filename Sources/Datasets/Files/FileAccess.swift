import Glibc

/// Whether a path is a folder, symbolic links followed.
func isDirectory(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Whether a path is a regular file, symbolic links followed.
func isFile(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
}

/// The names in a folder in byte order, without hidden ones (those that begin with a dot).
func visibleNames(in directory: String) throws(DatasetError) -> [String] {
  guard let stream = opendir(directory) else { throw .unreadable(path: directory, code: errno) }
  defer { closedir(stream) }
  var names: [String] = []
  while true {
    errno = 0
    guard let entry = readdir(stream) else {
      guard errno == 0 else { throw .unreadable(path: directory, code: errno) }
      return names.sorted(by: precedes)
    }
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(validatingCString: $0) }
    }
    guard let name else { throw .damaged(path: directory, reason: "it has a name that is not UTF-8; rename it") }
    if !name.hasPrefix(".") { names.append(name) }
  }
}

/// Byte order, the order of names and paths everywhere here.
func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

/// An open file that is read at any place by any thread.
final class RandomAccessFile: Sendable {
  let path: String
  /// Bytes it had when it was opened.
  let size: Int
  private let descriptor: Int32

  init(_ path: String) throws(DatasetError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(path: path, code: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .damaged(path: path, reason: "it is not a regular file")
    }
    (self.path, self.size, self.descriptor) = (path, Int(status.st_size), descriptor)
  }

  deinit { close(descriptor) }

  /// Reads exactly `count` bytes from `offset` on.
  func read(at offset: Int, count: Int) throws(DatasetError) -> [UInt8] {
    precondition(offset >= 0 && count >= 0 && offset + count <= size, "a read within the file")
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let got = bytes.withUnsafeMutableBytes { buffer in
        buffer.baseAddress.map { pread(descriptor, $0 + done, count - done, offset + done) } ?? 0
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw .unreadable(path: path, code: errno) }
      guard got > 0 else { throw .damaged(path: path, reason: "it became shorter while it was in use") }
      done += got
    }
    return bytes
  }
}

/// Reads a whole file of at most `limit` bytes.
func readFile(_ path: String, limit: Int) throws(DatasetError) -> [UInt8] {
  let file = try RandomAccessFile(path)
  guard file.size <= limit else {
    throw .damaged(path: path, reason: "it has \(file.size) bytes, more than the \(limit) that are allowed")
  }
  return try file.read(at: 0, count: file.size)
}
