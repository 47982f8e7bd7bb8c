import Glibc

/// A file that appears under its name whole and safely stored, or not at all.
///
/// Bytes go to `.NAME.partial` in the same directory; `commit` syncs it, renames it and syncs the directory. If anything
/// fails, or if `commit` is never called, the partial file is removed. One writer a name at a time.
public final class AtomicFile {
  /// Writes some bytes to a descriptor, as `write(2)` does.
  typealias Write = (Int32, UnsafeRawPointer, Int) -> Int

  private let path: String
  private let partial: String
  private let directory: String
  private let write: Write
  private var descriptor: Int32

  /// Creates the partial file.
  public convenience init(path: String) throws(InterchangeError) {
    try self.init(path: path) { Glibc.write($0, $1, $2) }
  }

  init(path: String, write: @escaping Write) throws(InterchangeError) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let name = parts.last.map(String.init) ?? ""
    let parent = parts.dropLast().joined(separator: "/")
    directory = parts.count == 1 ? "." : parent.isEmpty ? "/" : parent
    partial = directory + "/." + name + ".partial"
    (self.path, self.write) = (path, write)
    guard !name.isEmpty else { throw .cannotWrite(path: path, code: EISDIR) }
    descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard descriptor >= 0 else { throw .cannotWrite(path: path, code: errno) }
  }

  deinit { abandon() }

  /// Adds bytes to the end.
  public func append(_ bytes: [UInt8]) throws(InterchangeError) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(InterchangeError) in
      try append(UnsafeRawBufferPointer(buffer))
    }
  }

  /// Adds bytes to the end.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(InterchangeError) {
    precondition(descriptor >= 0, "a file that failed or was committed takes no more bytes")
    guard let base = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      // One call moves less than 2^31 bytes, whatever it is asked for.
      let wrote = write(descriptor, base + done, min(bytes.count - done, 1 << 30))
      if wrote < 0 && errno == EINTR { continue }
      guard wrote > 0 else { throw fail(wrote < 0 ? errno : ENOSPC) }
      done += wrote
    }
  }

  /// Makes the file appear under its name.
  public func commit() throws(InterchangeError) {
    precondition(descriptor >= 0, "a file is committed once")
    guard fsync(descriptor) == 0 else { throw fail(errno) }
    let closing = close(descriptor)
    descriptor = -1
    guard closing == 0, rename(partial, path) == 0 else {
      let code = errno
      unlink(partial)
      throw .cannotWrite(path: path, code: code)
    }
    // The rename itself is on the disk only when the directory is.
    let parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { throw .cannotWrite(path: path, code: errno) }
    defer { close(parent) }
    // Some file systems cannot sync a directory and say EINVAL; they store names by other means.
    guard fsync(parent) == 0 || errno == EINVAL else { throw .cannotWrite(path: path, code: errno) }
  }

  /// Writes a small file at once.
  public static func write(_ bytes: [UInt8], to path: String) throws(InterchangeError) {
    let file = try AtomicFile(path: path)
    try file.append(bytes)
    try file.commit()
  }

  private func fail(_ code: Int32) -> InterchangeError {
    abandon()
    return .cannotWrite(path: path, code: code)
  }

  private func abandon() {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(partial)
    descriptor = -1
  }
}
