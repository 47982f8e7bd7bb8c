import Testing

@testable import Datasets

@Suite struct PictureTests {
  private func decode(_ bytes: [UInt8]) throws -> Picture {
    try Picture(EncodedSample(bytes: bytes, label: 0, encoding: .imageFile))
  }

  @Test(arguments: Fixture.decodable) func decodesAsPillowDoes(name: String, fixture: Fixture) throws {
    let picture = try decode(fixture.file)
    #expect(picture.width == Fixture.width && picture.height == Fixture.height)
    #expect(picture.pixels == fixture.pixels)
  }

  /// A file cut short is refused wherever it is cut, never decoded in part.
  @Test(arguments: Fixture.decodable) func anyCutIsFound(name: String, fixture: Fixture) {
    // The last four bytes of a PNG are the checksum of an empty chunk, which the decoder does not ask for.
    let end = fixture.file.count - (name.hasPrefix("png") ? 4 : 0)
    for length in 0..<end {
      #expect(throws: ImageError.self, "\(name), \(length) bytes") { try decode(Array(fixture.file[..<length])) }
    }
  }

  /// PNG has checksums: no single damaged byte goes unnoticed.
  @Test func anyDamagedByteOfAPNGIsFound() {
    for index in Fixture.pngRGB.file.indices.dropLast(4) {
      var bytes = Fixture.pngRGB.file
      bytes[index] ^= 0x10
      #expect(throws: ImageError.self, "byte \(index)") { try decode(bytes) }
    }
  }

  /// JPEG has none, but its decoder never crashes and never gives another size than it says.
  @Test func damagedJPEGsNeverCrash() {
    for index in Fixture.jpeg420.file.indices {
      for bit in 0..<8 {
        var bytes = Fixture.jpeg420.file
        bytes[index] ^= 1 << UInt8(bit)
        guard let picture = try? decode(bytes) else { continue }
        #expect(picture.pixels.count == 3 * picture.width * picture.height)
      }
    }
  }

  @Test func otherFilesAreRefused() {
    #expect(throws: ImageError.self) { try decode(Fixture.gif.file) }
    #expect(throws: ImageError.self) { try decode([]) }
    #expect(throws: ImageError.self) { try decode(Array("BM and so on".utf8)) }
  }

  /// A header that claims 60,000 × 60,000 pixels must not lead to an allocation of 10 GB.
  @Test func hugeSizesAreRefused() {
    var png = Fixture.pngRGB.file
    // Width and height of IHDR, big-endian, at 16 and 20; its checksum at 29 covers bytes 12 ..< 29.
    for place in [16, 20] { (png[place], png[place + 1], png[place + 2], png[place + 3]) = (0, 0, 0xEA, 0x60) }
    let crc = crc32(Array(png[12..<29]))
    for byte in 0..<4 { png[29 + byte] = UInt8(truncatingIfNeeded: crc >> (24 - 8 * UInt32(byte))) }
    #expect(throws: ImageError.self) { try decode(png) }

    var jpeg = Fixture.jpeg420.file
    // SOF0 is FF C0, length, precision, then height and width.
    let start = jpeg.indices.first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 } ?? 0
    for place in [5, 7] { (jpeg[start + place], jpeg[start + place + 1]) = (0xEA, 0x60) }
    #expect { try decode(jpeg) } throws: { ($0 as? ImageError)?.reason.contains("60000×60000") == true }
  }

  @Test func planesAndGreyBecomePixels() throws {
    let planar = EncodedSample(
      bytes: [1, 2, 3, 4, 5, 6], label: 0, encoding: .planarRGB, height: 1, width: 2, channels: 3)
    #expect(try Picture(planar).pixels == [1, 3, 5, 2, 4, 6])
    let grey = EncodedSample(bytes: [7, 9], label: 0, encoding: .grey, height: 2, width: 1, channels: 1)
    #expect(try Picture(grey).pixels == [7, 7, 7, 9, 9, 9])
  }

  /// What a hostile sender may say of its bytes.
  @Test(arguments: [(0, 0), (2, 1), (-1, -6), (1 << 40, 1 << 40), (Int.max, Int.max), (6, 1)])
  func sizesThatDoNotFitTheBytesAreRefused(height: Int, width: Int) {
    let sample = EncodedSample(
      bytes: [1, 2, 3], label: 0, encoding: .planarRGB, height: height, width: width, channels: 3)
    #expect(throws: ImageError.self) { try Picture(sample) }
  }

  @Test func encodesWhatItDecodes() throws {
    let picture = Picture(width: 13, height: 9, pixels: Fixture.pngRGB.pixels)
    let bytes = try encodeJPEG(picture, quality: 90)
    #expect(bytes == (try encodeJPEG(picture, quality: 90)))
    let decoded = try decode(bytes)
    let worst = zip(decoded.pixels, picture.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
    // The picture's planes wrap from 255 to 0, the worst case for a DCT; quality 90 stays within a few tens of levels.
    #expect(worst < 64)
  }
}
