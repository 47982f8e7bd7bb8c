import Foundation
import Lockstep
import Testing

@testable import Datasets

@Suite struct DatasetCatalogTests {
  /// Each file in Formats holds a type of the file's name, which has a line in the catalog.
  @Test func everyFormatIsInTheCatalog() throws {
    let formats = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/Datasets/Formats").path
    let files = try FileManager.default.contentsOfDirectory(atPath: formats).filter { $0.hasSuffix(".swift") }
    #expect(!files.isEmpty)
    #expect(files.map { String($0.dropLast(6)) }.sorted() == DatasetCatalog.formats.map { "\($0)" }.sorted())
    #expect(Set(DatasetCatalog.formats.map { $0.name }).count == DatasetCatalog.formats.count)
    #expect(DatasetCatalog.formats.allSatisfy { !$0.summary.isEmpty })
  }

  @Test(arguments: ["imagenet", "tar:x-{0..3}.tar", "", ":", "/no/such/folder"]) func unknownFormatsListTheKnown(
    spec: String
  ) {
    #expect { try DatasetCatalog.open(spec, role: .training, imageSize: 32) } throws: { error in
      (error as? DatasetError)?.exitCode == 2 && DatasetCatalog.formats.allSatisfy { "\(error)".contains($0.name) }
    }
  }

  @Test func aFolderOfNothingKnownIsRefused() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write([1], "notes.txt")
    #expect { try DatasetCatalog.open(folder.path, role: .training, imageSize: 32) } throws: {
      ($0 as? DatasetError)?.exitCode == 65 && "\($0)".contains(folder.path)
    }
  }
}

@Suite struct FingerprintTests {
  /// A dataset whose every part can be varied.
  private struct Listed: Dataset {
    var samples: [(name: String, label: Int, bytes: [UInt8])]
    let spec = "listed", classNames = ["a", "b"], defaultNormalization = PixelNormalization.none, storedSize: Int? = nil
    var count: Int { samples.count }
    func name(ofSample index: Int) -> String { samples[index].name }
    func label(ofSample index: Int) -> Int { samples[index].label }
    func byteCount(ofSample index: Int) -> Int { samples[index].bytes.count }
    func sample(at index: Int) -> EncodedSample {
      EncodedSample(bytes: samples[index].bytes, label: samples[index].label, encoding: .imageFile)
    }
  }

  private let original = Listed(samples: [("x", 0, [1, 2]), ("y", 1, [3]), ("z", 0, [4, 5, 6])])

  private func differs(_ change: (inout Listed) -> Void) throws -> Bool {
    var changed = original
    change(&changed)
    return try changed.fingerprint() != original.fingerprint()
  }

  @Test func everythingMatters() throws {
    #expect(try original.fingerprint() == original.fingerprint())
    #expect(try differs { $0.samples[2].bytes[1] = 7 })
    #expect(try differs { $0.samples[1].name = "Y" })
    #expect(try differs { $0.samples[1].label = 0 })
    #expect(try differs { $0.samples.swapAt(0, 1) })
    #expect(try differs { $0.samples[0].bytes.append(0) })
    #expect(try differs { $0.samples.removeLast() })
    #expect(try differs { ($0.samples[0].name, $0.samples[1].name) = ("xy", "") })
  }

  /// Names beyond the first piece of 4,096 records, and beyond the 64 samples whose bytes are read.
  @Test func longListsMatterToTheEnd() throws {
    var list = Listed(samples: (0..<10_000).map { ("\($0)", 0, [1]) })
    let before = try list.fingerprint()
    list.samples[9_999].name = "last"
    let after = try list.fingerprint()
    #expect(before != after)
  }

  @Test func syntheticDatasetsAreTheSameEverywhere() throws {
    func fingerprint(_ spec: String, _ role: DatasetRole = .training) throws -> Digest {
      try DatasetCatalog.open(spec, role: role, imageSize: 16).fingerprint()
    }
    let first = try fingerprint("synthetic:samples=100")
    #expect(try fingerprint("synthetic:samples=100,size=16,classes=10,seed=1") == first)
    #expect(try fingerprint("synthetic:samples=100,seed=2") != first)
    #expect(try fingerprint("synthetic:samples=100", .validation) != first)
    #expect(try fingerprint("synthetic:samples=100,classes=9") != first)
  }
}
