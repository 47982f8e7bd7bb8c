@testable import Interchange

/// Writes ZIP files, wrong ones too.
struct ZipWriter {
  struct Member {
    var name: String
    var bytes: [UInt8]
    var method: UInt16 = 0
    var flags: UInt16 = 0
    /// What the directory says instead of the truth.
    var size: UInt32?, packedSize: UInt32?, checksum: UInt32?, offset: UInt32?
    /// What the header before the bytes says instead of the truth.
    var headerName: String?
  }

  var members: [Member]
  /// The end record's number of entries, size and offset of the directory, instead of the truth.
  var count: UInt16?, directorySize: UInt32?, directoryOffset: UInt32?
  var comment: [UInt8] = []
  /// Entries of one member may stand for all.
  var repeats = 1

  /// A file of PyTorch's layout.
  static func torch(pickle: [UInt8], storages: [[UInt8]]) -> ZipWriter {
    ZipWriter(
      members: [Member(name: "m/data.pkl", bytes: pickle), Member(name: "m/version", bytes: Array("3\n".utf8))]
        + storages.enumerated().map { Member(name: "m/data/\($0)", bytes: $1) })
  }

  var bytes: [UInt8] {
    var file: [UInt8] = [], directory: [UInt8] = []
    for member in members {
      var checksum = CRC32()
      checksum.add(member.bytes)
      let offset = UInt32(file.count), stated = member.headerName ?? member.name
      file +=
        little(UInt32(0x0403_4B50)) + little(UInt16(20)) + little(member.flags) + little(member.method) + zeros(16)
      file += little(UInt16(stated.utf8.count)) + zeros(2) + Array(stated.utf8) + member.bytes
      for _ in 0..<repeats {
        directory += little(UInt32(0x0201_4B50)) + zeros(4) + little(member.flags) + little(member.method) + zeros(4)
        directory += little(member.checksum ?? checksum.value)
        directory += little(member.packedSize ?? UInt32(member.bytes.count))
        directory += little(member.size ?? UInt32(member.bytes.count))
        directory += little(UInt16(member.name.utf8.count)) + zeros(12) + little(member.offset ?? offset)
        directory += Array(member.name.utf8)
      }
    }
    let entries = UInt16(members.count * repeats)
    let end =
      little(UInt32(0x0605_4B50)) + zeros(4) + little(count ?? entries) + little(count ?? entries)
      + little(directorySize ?? UInt32(directory.count)) + little(directoryOffset ?? UInt32(file.count))
      + little(UInt16(comment.count)) + comment
    return file + directory + end
  }

  private func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }
}
