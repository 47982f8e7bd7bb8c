/// A file of PyTorch's, opened: its pickle read, and every storage that its tensors need found.
struct TorchContents {
  /// The value that was saved.
  let root: PickleValue
  /// What it is made of.
  let objects: PickleObjects
  /// Where the bytes of each storage lie in the file.
  let storages: [String: Range<Int>]

  /// Reads a file of the ZIP layout.
  init(zip file: RandomAccessFile) throws(InterchangeError) {
    let archive = try ZipArchive(file)
    func malformed(_ reason: String) -> InterchangeError { .malformed(path: file.path, reason: reason) }
    guard let folder = archive.members.first?.name.split(separator: "/", omittingEmptySubsequences: false).first else {
      throw malformed("it has no members")
    }
    if archive.members.contains(where: { $0.name == "\(folder)/constants.pkl" || $0.name.hasPrefix("\(folder)/code/") })
    {
      throw .refused(
        path: file.path,
        reason: "it is a TorchScript program; load it with torch.jit.load and save its state_dict() with torch.save")
    }
    if let name = archive.packedMember {
      throw .refused(
        path: file.path,
        reason: "its member '\(name)' is compressed or encrypted, which torch.save never does; unpack it with Python's "
          + "zipfile and pack it anew without compression")
    }
    guard let pickle = archive["\(folder)/data.pkl"] else { throw malformed("it has no member '\(folder)/data.pkl'") }
    guard archive["\(folder)/version"] != nil else { throw malformed("it has no member '\(folder)/version'") }
    if let order = archive["\(folder)/byteorder"],
      try !archive.contents(order, limit: 64).starts(with: "little".utf8)
    {
      throw .refused(path: file.path, reason: "its numbers are big-endian; save it anew on a little-endian host")
    }
    try archive.verify(pickle)
    var reader = PickleReader(file, from: pickle.bytes.lowerBound, to: pickle.bytes.upperBound)
    (root, objects) = try Unpickler.read(&reader, path: file.path)

    var storages: [String: Range<Int>] = [:]
    for (key, storage) in try Self.wholeStorages(objects, file) {
      guard let member = archive["\(folder)/data/\(key)"], member.bytes.count == storage.storageBytes else {
        throw malformed("its storage '\(key)' is missing or not of \(storage.storageCount) elements")
      }
      try archive.verify(member)
      storages[key] = member.bytes
    }
    self.storages = storages
  }

  /// Reads a file of the legacy layout.
  init(legacy file: RandomAccessFile) throws(InterchangeError) {
    func malformed(_ reason: String) -> InterchangeError { .malformed(path: file.path, reason: reason) }
    var position = TorchLayout.legacyMagic.count
    func next() throws(InterchangeError) -> (root: PickleValue, objects: PickleObjects) {
      var reader = PickleReader(file, from: position, to: file.byteCount)
      defer { position = reader.position }
      return try Unpickler.read(&reader, path: file.path)
    }
    let version = try next()
    guard version.root == .integer(1001) else { throw malformed("it is not of version 1001 of its layout") }
    let machine = try next()
    guard let pairs = machine.objects.dictionary(machine.root),
      let order = pairs.last(where: { $0.key == .string("little_endian") })
    else { throw malformed("it does not say which machine wrote it") }
    guard order.value == .boolean(true) else {
      throw .refused(path: file.path, reason: "its numbers are big-endian; save it anew on a little-endian host")
    }
    (root, objects) = try next()
    let keys = try next()
    guard let names = keys.objects.list(keys.root)?.map(\.string) else { throw malformed("it has no list of storages") }

    let known = try Self.wholeStorages(objects, file)
    var storages: [String: Range<Int>] = [:]
    for name in names {
      guard let key = name, let storage = known[key], let bytes = storage.storageBytes, storages[key] == nil else {
        throw malformed("its list of storages is not that of its tensors")
      }
      var count: Int64 = 0
      try file.read(at: position, into: &count, count: 8)
      guard Int(Int64(littleEndian: count)) == storage.storageCount else {
        throw malformed("its storage '\(key)' is not of \(storage.storageCount) elements")
      }
      guard bytes <= file.byteCount - position - 8 else {
        throw .cutShort(path: file.path, start: position + 8, count: bytes, actualBytes: file.byteCount)
      }
      storages[key] = position + 8..<position + 8 + bytes
      position += 8 + bytes
    }
    guard storages.count == known.count else { throw malformed("its list of storages is not that of its tensors") }
    guard position == file.byteCount else {
      throw malformed("\(file.byteCount - position) bytes at its end belong to no storage")
    }
    self.storages = storages
  }

  /// Every storage that the pickle names, by its key; all its mentions must agree.
  private static func wholeStorages(
    _ objects: PickleObjects, _ file: RandomAccessFile
  ) throws(InterchangeError) -> [String: StorageView] {
    var storages: [String: StorageView] = [:]
    for view in objects.storages {
      guard view.storageBytes != nil else {
        throw .malformed(path: file.path, reason: "its storage '\(view.key)' is too large to address")
      }
      if let other = storages[view.key], other.storageCount != view.storageCount || other.element != view.element {
        throw .malformed(path: file.path, reason: "its storage '\(view.key)' is described in two ways")
      }
      storages[view.key] = view
    }
    return storages
  }
}
