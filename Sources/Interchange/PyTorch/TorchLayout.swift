/// The two layouts in which `torch.save` has written files.
///
/// - `zip`, since PyTorch 1.6: a ZIP file whose members lie under one folder: `data.pkl` is the pickle, `data/KEY` are the
///   storages, `version` and `byteorder` say how they were written.
/// - `legacy`: five pickles one after the other (a magic number, the version, sizes of the writing machine, the object, the
///   keys of the storages) and then, for each key, a 64-bit count of elements and the elements.
///
/// - Source: torch/serialization.py; caffe2/serialize/inline_container.cc.
enum TorchLayout {
  case zip, legacy

  /// The first pickle of the legacy layout: protocol 2, and the magic number 0x1950A86A20F9469CFC6C.
  static let legacyMagic: [UInt8] = [
    0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E,
  ]

  /// What a file's first bytes say.
  ///
  /// - Returns: nil where it does not look like a file of PyTorch's, by its bytes or its name.
  /// - Throws: `.refused` for other files in which models are kept, with what to do.
  static func sniff(_ file: RandomAccessFile) throws(InterchangeError) -> TorchLayout? {
    let head = try file.bytes(at: 0, count: min(file.byteCount, 512))
    if head.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return .zip }
    if head.starts(with: legacyMagic) { return .legacy }
    func refused(_ what: String) -> InterchangeError {
      let advice = "load it with Python and save it anew, with torch.save(state_dict, FILE) or as safetensors"
      return .refused(path: file.path, reason: "it is \(what); \(advice)")
    }
    if head.count > 2, head[0] == 0x80, (2...5).contains(head[1]), !isHeaderOfTensors(head) {
      throw refused("a bare pickle, not what torch.save writes")
    }
    if head.count >= 262, head[257..<262].elementsEqual("ustar".utf8) {
      throw refused("a tar file, as PyTorch wrote before 2017")
    }
    let isNamedSo = [".pth", ".pt", ".bin", ".ckpt"].contains { file.path.hasSuffix($0) }
    guard !isNamedSo || isHeaderOfTensors(head) else {
      throw .malformed(path: file.path, reason: "it begins as none of PyTorch's files and not as safetensors do")
    }
    return nil
  }

  /// Whether a header of safetensors begins behind its length.
  private static func isHeaderOfTensors(_ head: [UInt8]) -> Bool {
    head.count > 8 && head[8] == UInt8(ascii: "{")
  }
}
