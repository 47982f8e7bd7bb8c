import Lockstep
import Testing

@testable import Wire

/// Whatever arrives, decoding returns or throws.
@Suite struct DamageTests {
  /// A decoder of any socket, and how to encode again what it read.
  struct Codec: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var specimens: [[UInt8]]
    var decodeAndEncode: @Sendable ([UInt8]) throws(WireError) -> [UInt8]
  }

  static let codecs = [
    Codec(testDescription: "control", specimens: Specimens.control.map { $0.encode(Specimens.envelope) }) {
      (bytes) throws(WireError) in
      let (envelope, message) = try ControlMessage.decode(bytes)
      return message.encode(envelope)
    },
    Codec(
      testDescription: "bulk",
      specimens: Specimens.bulk.map { $0.message.encode(Specimens.envelope, payload: $0.payload) }
    ) { (bytes) throws(WireError) in
      let (envelope, message, payload) = try BulkMessage.decode(bytes)
      return message.encode(envelope, payload: payload)
    },
    Codec(
      testDescription: "samples",
      specimens: Specimens.samples.map { $0.message.encode(Specimens.envelope, payload: $0.payload) }
    ) { (bytes) throws(WireError) in
      let (envelope, message, payload) = try SampleMessage.decode(bytes)
      return message.encode(envelope, payload: payload)
    },
  ]

  @Test(arguments: codecs) func everyTruncationIsNoticed(codec: Codec) {
    for specimen in codec.specimens where specimen.count < 8192 {
      for length in 0..<specimen.count {
        #expect(throws: length < 36 ? WireError.truncated : .damaged) {
          try codec.decodeAndEncode(Array(specimen.prefix(length)))
        }
      }
    }
  }

  /// With a checksum that fits, so that the fields themselves have to notice.
  @Test(arguments: codecs) func everyShorterOrLongerMessageIsNoticed(codec: Codec) {
    for specimen in codec.specimens where specimen.count < 8192 {
      for length in 36..<specimen.count {
        #expect(throws: WireError.self) { try codec.decodeAndEncode(resealed(Array(specimen.prefix(length)))) }
      }
      #expect(throws: WireError.trailingBytes) { try codec.decodeAndEncode(resealed(specimen + [0])) }
    }
  }

  @Test(arguments: codecs) func everyFlippedBitIsNoticed(codec: Codec) {
    for specimen in codec.specimens where specimen.count < 512 {
      for bit in 0..<specimen.count * 8 {
        var flipped = specimen
        flipped[bit / 8] ^= 1 << (bit % 8)
        #expect(throws: bit < 32 ? WireError.notOurs : .damaged) { try codec.decodeAndEncode(flipped) }
      }
    }
  }

  /// What is accepted in spite of mutations is a message: encoded again, it gives the same bytes.
  @Test(arguments: codecs, [1, 2, 3]) func mutationsNeverTrap(codec: Codec, seed: UInt64) throws {
    let small = codec.specimens.filter { $0.count < 600 }
    var accepted = 0
    for index in 0..<40_000 {
      var random = AddressedRandom(seed: seed, purpose: .synthesis, index: index)
      var message = small[random.integer(below: small.count)]
      for _ in 0...random.integer(below: 4) {
        // Kind and fields; the magic and the version have tests of their own.
        let offset = 6 + random.integer(below: message.count - 6)
        switch random.integer(below: 6) {
        case 0: message[offset] ^= 1 << UInt8(random.integer(below: 8))
        case 1: message[offset] = UInt8(truncatingIfNeeded: random.next())
        case 2: message[offset] = [0, 1, 0x7F, 0x80, 0xFF][random.integer(below: 5)]
        case 3 where message.count > 44: message.remove(at: offset)
        case 4: message.insert(UInt8(truncatingIfNeeded: random.next()), at: offset)
        default: for i in offset..<min(message.count, offset + 4) { message[i] = 0xFF }
        }
      }
      message = resealed(message)
      do throws(WireError) {
        let again = try codec.decodeAndEncode(message)
        accepted += 1
        if again != message { Issue.record("seed \(seed), case \(index): another message came out"); return }
      } catch {
        switch error {
        case .truncated, .unknownKind, .tooLong, .trailingBytes, .invalidValue: break
        case .notOurs, .damaged, .otherVersion: Issue.record("seed \(seed), case \(index): \(error)"); return
        }
      }
    }
    #expect(accepted > 100, "mutations that change only values are messages")
  }

  @Test(arguments: codecs) func randomBytesNeverTrap(codec: Codec) {
    for index in 0..<30_000 {
      var random = AddressedRandom(seed: 4, purpose: .synthesis, index: index)
      var message = (0..<random.integer(below: 120)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      if index % 2 == 0 {
        // Behind an envelope that is right.
        let kind = UInt8(random.integer(below: 70))
        message = resealed(
          Array("TRNR".utf8) + [1, 0, kind, 0] + [UInt8](repeating: 0, count: 20) + message
            + [UInt8](repeating: 0, count: 8))
      }
      if let again = try? codec.decodeAndEncode(message), again != message {
        Issue.record("case \(index): another message came out")
        return
      }
    }
  }
}
