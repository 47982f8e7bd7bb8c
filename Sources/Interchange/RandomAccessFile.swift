import Glibc

/// An open regular file that is read at given positions, never beyond its end as it was when it was opened.
///
/// Safe to use from several threads: nothing changes after `init`, and reads name their own position.
final class RandomAccessFile: Sendable {
  /// The file.
  let path: String
  /// Its size.
  let byteCount: Int

  private let descriptor: Int32

  /// Opens a file.
  init(path: String) throws(InterchangeError) {
    // A pipe or a device would otherwise wait for its other end.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .cannotRead(path: path, code: errno) }
    var status = stat()
    let code = fstat(descriptor, &status) == 0 ? 0 : errno
    guard code == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw code == 0
        ? .malformed(path: path, reason: "it is not a regular file") : .cannotRead(path: path, code: code)
    }
    (self.path, self.descriptor, byteCount) = (path, descriptor, Int(status.st_size))
  }

  deinit { close(descriptor) }

  /// Fills memory with the bytes at a position.
  ///
  /// - Throws: `.truncated` if the file has not so many.
  func read(at position: Int, into target: UnsafeMutableRawPointer, count: Int) throws(InterchangeError) {
    precondition(position >= 0 && count >= 0, "a range of bytes")
    guard count <= byteCount - position else {
      throw .truncated(path: path, expectedBytes: position + count, actualBytes: byteCount)
    }
    var done = 0
    while done < count {
      let got = pread(descriptor, target + done, count - done, position + done)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw .cannotRead(path: path, code: errno) }
      // Somebody shortened it since it was opened.
      guard got > 0 else {
        throw .truncated(path: path, expectedBytes: position + count, actualBytes: position + done)
      }
      done += got
    }
  }

  /// The bytes at a position.
  ///
  /// - Throws: `.truncated` if the file has not so many; nothing is allocated then.
  func bytes(at position: Int, count: Int) throws(InterchangeError) -> [UInt8] {
    guard count <= byteCount - position else {
      throw .truncated(path: path, expectedBytes: position + count, actualBytes: byteCount)
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var failure: InterchangeError?
    bytes.withUnsafeMutableBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      do throws(InterchangeError) { try read(at: position, into: base, count: count) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }
}
