import Foundation
import Testing

@testable import Interchange

/// Whatever happens to a file, reading it ends in an error or in tensors as its description says: no trap, no endless loop.
@Suite struct DamageTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Reads everything.
  ///
  /// - Returns: the bits of all elements, or nil if the file is refused.
  private func bits(_ bytes: [UInt8]) throws -> [String: [UInt64]]? {
    let path = try folder.write(bytes, "damaged")
    do throws(InterchangeError) {
      let file = try openTensors(path)
      var all: [String: [UInt64]] = [:]
      for tensor in file.descriptions {
        #expect(tensor.count <= 8 * bytes.count)
        if tensor.element.isFloatingPoint {
          var values = [Float](repeating: 0, count: tensor.count + 1)
          try file.read(tensor.name, into: &values, count: tensor.count)
          all[tensor.name] = values.dropLast().map { UInt64($0.bitPattern) }
        } else if tensor.element.isInteger {
          all[tensor.name] = try file.integers(tensor.name).map { UInt64(bitPattern: $0) }
          #expect(all[tensor.name]?.count == tensor.count)
        }
      }
      return all
    } catch {
      #expect(error.exitCode == 65 && error.description.contains(path))
      return nil
    }
  }

  @Test(arguments: ["unit.pth", "unit-legacy.pth", "views-legacy.pth"])
  func everyCutIsFound(name: String) throws {
    let whole = try contents(golden(name))
    for length in 0..<whole.count { #expect(try bits(Array(whole[..<length])) == nil, "\(length) bytes") }
    #expect(try bits(whole + [0]) == nil)
  }

  @Test(arguments: ["unit.pth", "unit-legacy.pth", "views-legacy.pth"])
  func everyFlippedByteIsFoundOrHarmless(name: String) throws {
    let whole = try contents(golden(name))
    let expected = try #require(try bits(whole))
    var differing = 0
    for position in whole.indices {
      for flip: UInt8 in [1 << UInt8(position % 8), 0xFF] {
        var bytes = whole
        bytes[position] ^= flip
        if let found = try bits(bytes), found != expected { differing += 1 }
      }
    }
    // In the ZIP layout every byte that matters has a checksum; the legacy one has none.
    if !name.contains("legacy") { #expect(differing == 0) }
  }
}
