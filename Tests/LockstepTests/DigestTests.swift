import Testing

@testable import Lockstep

/// Values of the Python package xxhash: xxh3_128_hexdigest, xxh3_64_intdigest.
@Suite struct DigestTests {
  @Test(arguments: [
    ([UInt8](), "99aa06d3014798d86001c324468d497f", UInt64(0x2D06_8005_38D3_94C2)),
    (Array("a".utf8), "a96faf705af16834e6c632b61e964e1f", 0xE6C6_32B6_1E96_4E1F),
    (Array("trainer".utf8), "ce3114a27f527de5cb488dc907981962", 0x2AA6_86D8_1D5E_E5CA),
    ((0..<1000).map { UInt8($0 % 251) }, "18bf41bc8229e27733ef703fb2b20ed1", 0x33EF_703F_B2B2_0ED1),
  ])
  func goldenDigests(bytes: [UInt8], hex: String, checksum: UInt64) {
    #expect(Digest(of: bytes).hex == hex)
    #expect(bytes.withUnsafeBytes { checksum64($0) } == checksum)
  }

  @Test func textAndBytes() throws {
    let digest = try #require(Digest(hex: "00112233445566778899aabbccddeeff"))
    #expect(digest.hex == "00112233445566778899aabbccddeeff")
    #expect(digest.canonicalBytes == (0..<16).map { UInt8($0 * 17) })
    #expect(Digest(high: digest.high, low: digest.low) == digest)
    for bad in [
      "", "0", String(repeating: "0", count: 31), String(repeating: "0", count: 33), String(repeating: "A", count: 32),
      "+" + String(repeating: "0", count: 31),
      String(repeating: "0", count: 16) + "+" + String(repeating: "0", count: 15),
      "é" + String(repeating: "0", count: 30),
    ] {
      #expect(Digest(hex: bad) == nil)
    }
  }
}
