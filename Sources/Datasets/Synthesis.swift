import Glibc

/// The formats that synthetic pictures are written in.
public enum SynthesisFormat: String, CaseIterable, Sendable {
  /// JPEG files in a folder a class.
  case imagefolder
  /// CIFAR-10's binary files.
  case cifar10
}

/// Writes synthetic pictures as a real dataset: `train/` and, if asked for, `validation/` below a folder.
///
/// The pictures are those of `synthetic` with the same size, classes and seed, one after the other; JPEG files are of
/// quality 90 without chroma subsampling. The same arguments give the same bytes.
///
/// - Parameters:
///   - output: a folder that does not exist yet or is empty.
///   - progress: told how many pictures of both parts are written, after each.
/// - Throws: `DatasetError`: `.invalid` for settings the format does not allow, `.occupied`, `.unwritable`.
public func synthesize(
  format: SynthesisFormat, samples: Int, validationSamples: Int, size: Int, classes: Int, seed: UInt64, output: String,
  progress: (Int) -> Void = { _ in }
) throws(DatasetError) {
  if format == .cifar10 {
    guard size == CIFARRecords.side else {
      throw .invalid(
        what: "size \(size)", reason: "CIFAR-10's pictures have 32 pixels a side; use --size 32 or imagefolder")
    }
    guard classes <= 10 else {
      throw .invalid(what: "\(classes) classes", reason: "CIFAR-10 has ten at most; use imagefolder")
    }
  }
  guard validationSamples >= 0 else {
    throw .invalid(what: "\(validationSamples) validation samples", reason: "choose 0 or more")
  }
  var parts: [(folder: String, pictures: SyntheticDataset)] = []
  for (folder, role, count) in [
    ("train", DatasetRole.training, samples), ("validation", .validation, validationSamples),
  ] {
    if role == .validation && count == 0 { continue }
    let pictures = try SyntheticDataset(samples: count, size: size, classes: classes, seed: seed, role: role)
    if format == .imagefolder && count < classes {
      throw .invalid(what: "\(count) samples of \(classes) classes", reason: "each class needs one at least")
    }
    parts.append((folder, pictures))
  }
  try makeEmptyFolder(output)

  var written = 0
  for part in parts {
    let folder = output + "/" + part.folder
    try makeFolder(folder)
    let step = {
      written += 1
      progress(written)
    }
    switch format {
    case .imagefolder: try writeImageFolder(part.pictures, to: folder, step)
    case .cifar10: try writeCIFAR10(part.pictures, to: folder, isTraining: part.folder == "train", step)
    }
  }
}

private func writeImageFolder(
  _ pictures: SyntheticDataset, to folder: String, _ step: () -> Void
) throws(DatasetError) {
  for name in pictures.classNames { try makeFolder(folder + "/" + name) }
  let digits = max(5, String(pictures.count - 1).count)
  for index in 0..<pictures.count {
    let label = pictures.label(ofSample: index)
    let number = String(index)
    let name = String(repeating: "0", count: digits - number.count) + number + ".jpg"
    let path = folder + "/" + pictures.classNames[label] + "/" + name
    let jpeg: [UInt8]
    do { jpeg = try encodeJPEG(Picture(pictures.draw(index)), quality: 90) } catch {
      throw .undecodable(sample: path, reason: error.reason)
    }
    try writeFile(path, jpeg)
    step()
  }
}

private func writeCIFAR10(
  _ pictures: SyntheticDataset, to folder: String, isTraining: Bool, _ step: () -> Void
) throws(DatasetError) {
  // As in the original, a file has at most 10,000 records.
  let names = pictures.classNames.joined(separator: "\n") + "\n"
  try writeFile(folder + "/batches.meta.txt", Array(names.utf8))
  let perFile = isTraining ? 10_000 : pictures.count
  for (number, first) in stride(from: 0, to: pictures.count, by: perFile).enumerated() {
    var bytes: [UInt8] = []
    for index in first..<min(first + perFile, pictures.count) {
      let sample = pictures.draw(index)
      bytes.append(UInt8(sample.label))
      bytes += sample.bytes
      step()
    }
    try writeFile(folder + (isTraining ? "/data_batch_\(number + 1).bin" : "/test_batch.bin"), bytes)
  }
}

/// Makes a folder, unless it is there and empty.
private func makeEmptyFolder(_ path: String) throws(DatasetError) {
  guard !path.isEmpty else { throw .invalid(what: "output", reason: "say which folder") }
  var status = stat()
  guard stat(path, &status) == 0 else {
    try makeParents(of: path)
    return try makeFolder(path)
  }
  guard isDirectory(path) else { throw .unwritable(path: path, code: ENOTDIR) }
  guard let stream = opendir(path) else { throw .unreadable(path: path, code: errno) }
  defer { closedir(stream) }
  var entries = 0
  while readdir(stream) != nil { entries += 1 }
  // "." and ".." are always there.
  guard entries <= 2 else { throw .occupied(path: path) }
}

private func makeParents(of path: String) throws(DatasetError) {
  let parts = path.split(separator: "/").dropLast()
  var parent = path.hasPrefix("/") ? "" : "."
  for part in parts {
    parent += "/" + part
    if !isDirectory(parent) { try makeFolder(parent) }
  }
}

private func makeFolder(_ path: String) throws(DatasetError) {
  guard mkdir(path, 0o777) == 0 else { throw .unwritable(path: path, code: errno) }
}

private func writeFile(_ path: String, _ bytes: [UInt8]) throws(DatasetError) {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
  guard descriptor >= 0 else { throw .unwritable(path: path, code: errno) }
  var done = 0
  while done < bytes.count {
    let wrote = bytes.withUnsafeBytes { buffer in
      buffer.baseAddress.map { write(descriptor, $0 + done, bytes.count - done) } ?? 0
    }
    if wrote < 0 && errno == EINTR { continue }
    guard wrote > 0 else {
      let code = wrote < 0 ? errno : ENOSPC
      close(descriptor)
      throw .unwritable(path: path, code: code)
    }
    done += wrote
  }
  guard close(descriptor) == 0 else { throw .unwritable(path: path, code: errno) }
}
