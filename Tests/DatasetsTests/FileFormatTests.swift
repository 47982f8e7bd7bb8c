import Foundation
import Lockstep
import Testing

@testable import Datasets

@Suite struct CIFARTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A record whose pixel bytes are noise.
  private func record(_ labels: [UInt8], seed: UInt64) -> [UInt8] { labels + noise(3072, seed: seed) }

  private func open(_ format: String, _ role: DatasetRole = .training) throws -> any Dataset {
    try DatasetCatalog.open("\(format):\(folder.path)", role: role, imageSize: 32)
  }

  @Test func readsCIFAR10() throws {
    _ = try folder.write(record([3], seed: 1) + record([9], seed: 2), "data_batch_1.bin")
    _ = try folder.write(record([0], seed: 3), "data_batch_2.bin")
    _ = try folder.write(record([5], seed: 4), "data_batch_10.bin")
    _ = try folder.write(record([7], seed: 5), "test_batch.bin")
    let training = try open("cifar10")
    #expect(training.count == 4 && training.storedSize == 32 && training.defaultNormalization == .cifar)
    #expect((0..<4).map { training.label(ofSample: $0) } == [3, 9, 0, 5])
    #expect(
      (0..<4).map { training.name(ofSample: $0) }
        == ["data_batch_1.bin#0", "data_batch_1.bin#1", "data_batch_2.bin#0", "data_batch_10.bin#0"])
    for index in 0..<4 {
      let sample = try training.sample(at: index)
      #expect(sample.bytes == noise(3072, seed: UInt64(index + 1)) && sample.label == training.label(ofSample: index))
    }
    #expect(training.classNames[3] == "cat")
    let validation = try open("cifar10", .validation)
    #expect(validation.count == 1 && validation.label(ofSample: 0) == 7)
    // A folder is recognised by what is in it.
    #expect(try DatasetCatalog.open(folder.path, role: .training, imageSize: 32).spec == "cifar10:\(folder.path)")
  }

  @Test func aFolderWithOnePartServesBothRoles() throws {
    _ = try folder.write(record([7], seed: 5), "test_batch.bin")
    #expect(try open("cifar10", .training).label(ofSample: 0) == 7)
    #expect(try open("cifar10", .validation).label(ofSample: 0) == 7)
  }

  @Test func classNamesComeFromTheirFile() throws {
    _ = try folder.write(record([1], seed: 5), "test_batch.bin")
    let names = try folder.write(Array("disk\nstar\n\n".utf8), "batches.meta.txt")
    #expect(try open("cifar10").classNames == ["disk", "star"])
    _ = try folder.write(record([2], seed: 5), "test_batch.bin")
    #expect { try open("cifar10") } throws: { "\($0)".contains("label 2") }
    _ = try folder.write(Array("disk\ndisk\n".utf8), "batches.meta.txt")
    #expect { try open("cifar10") } throws: { "\($0)".contains(names) }
  }

  @Test func readsCIFAR100() throws {
    _ = try folder.write(record([19, 99], seed: 1) + record([0, 4], seed: 2), "train.bin")
    _ = try folder.write(record([1, 50], seed: 3), "test.bin")
    let training = try open("cifar100")
    #expect(training.count == 2 && training.classNames.count == 100 && training.defaultNormalization == .cifar100)
    #expect((0..<2).map { training.label(ofSample: $0) } == [99, 4])
    #expect(try training.sample(at: 1).bytes == noise(3072, seed: 2))
    #expect(try open("cifar100", .validation).label(ofSample: 0) == 50)
    #expect(try DatasetCatalog.open(folder.path, role: .training, imageSize: 32) is CIFAR100)
  }

  @Test(arguments: [0, 1, 3072, 3074, 6145]) func filesOfAnotherSizeAreRefused(size: Int) throws {
    let path = try folder.write([UInt8](repeating: 0, count: size), "test_batch.bin")
    #expect { try open("cifar10") } throws: { ($0 as? DatasetError)?.exitCode == 65 && "\($0)".contains(path) }
  }

  @Test func labelsOutsideTheClassesAreRefused() throws {
    _ = try folder.write(record([10], seed: 1), "test_batch.bin")
    #expect(throws: DatasetError.self) { try open("cifar10") }
    _ = try folder.write(record([0, 100], seed: 1), "test.bin")
    #expect(throws: DatasetError.self) { try open("cifar100") }
  }

  @Test(arguments: ["cifar10", "cifar100", "idx", "imagefolder"]) func missingFoldersAreErrors(format: String) {
    #expect(throws: DatasetError.self) { try open(format) }
    #expect { try DatasetCatalog.open(format, role: .training, imageSize: 32) } throws: {
      "\($0)".contains("\(format):DIR")
    }
    let missing = "\(format):\(folder.path)/none"
    #expect { try DatasetCatalog.open(missing, role: .training, imageSize: 32) } throws: {
      ($0 as? DatasetError)?.exitCode == 65 && "\($0)".contains(folder.path + "/none")
    }
  }
}

@Suite struct IDXTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func header(_ type: UInt8, _ sizes: [Int]) -> [UInt8] {
    [0, 0, type, UInt8(sizes.count)]
      + sizes.flatMap { size in (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) } }
  }

  private func open(_ role: DatasetRole = .training, imageSize: Int = 32) throws -> any Dataset {
    try DatasetCatalog.open("idx:" + folder.path, role: role, imageSize: imageSize)
  }

  private func writeMNIST(
    _ part: String = "train", separator: String = "-", count: Int = 3, labels: [UInt8] = [1, 9, 4]
  ) throws {
    _ = try folder.write(header(8, [count, 28, 28]) + noise(784 * count), "\(part)-images\(separator)idx3-ubyte")
    _ = try folder.write(header(8, [labels.count]) + labels, "\(part)-labels\(separator)idx1-ubyte")
  }

  @Test(arguments: ["-", "."]) func readsMNIST(separator: String) throws {
    try writeMNIST(separator: separator)
    try writeMNIST("t10k", separator: separator, count: 1, labels: [6])
    let dataset = try open(imageSize: 28)
    #expect(dataset.count == 3 && dataset.storedSize == 28 && dataset.defaultNormalization == .half)
    #expect(dataset.classNames == (0..<10).map(String.init))
    #expect((0..<3).map { dataset.label(ofSample: $0) } == [1, 9, 4])
    let sample = try dataset.sample(at: 1)
    #expect(sample.encoding == .grey && sample.bytes == Array(noise(784 * 3)[784..<1568]))
    #expect(try open(.validation).label(ofSample: 0) == 6)
    #expect(try DatasetCatalog.open(folder.path, role: .training, imageSize: 32) is IDX)
  }

  @Test func padsTo32() throws {
    try writeMNIST()
    let dataset = try open(imageSize: 32)
    #expect(dataset.storedSize == 32 && dataset.byteCount(ofSample: 0) == 1024)
    let bytes = try dataset.sample(at: 0).bytes
    let stored = noise(784)
    for row in 0..<32 {
      for column in 0..<32 {
        let isInside = (2..<30).contains(row) && (2..<30).contains(column)
        #expect(bytes[32 * row + column] == (isInside ? stored[28 * (row - 2) + column - 2] : 0))
      }
    }
  }

  @Test func compressedFilesAreRefusedWithAdvice() throws {
    _ = try folder.write([0x1F, 0x8B], "train-images-idx3-ubyte.gz")
    #expect { try open() } throws: { "\($0)".contains("gunzip") && ($0 as? DatasetError)?.exitCode == 65 }
    #expect { try DatasetCatalog.open(folder.path, role: .training, imageSize: 32) } throws: {
      "\($0)".contains("gunzip")
    }
  }

  @Test func damagedFilesAreRefused() throws {
    try writeMNIST()
    let images = folder.path + "/train-images-idx3-ubyte"
    let good = try contents(images)
    let bad: [[UInt8]] = [
      [], Array(good[..<10]), Array(good.dropLast()), good + [0], header(9, [3, 28, 28]) + noise(784 * 3),
      header(8, [3, 784]) + noise(784 * 3), header(8, [0, 28, 28]), header(8, [3, 0, 28]),
      header(8, [0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF]), header(8, [2, 28, 28]) + noise(784 * 2),
    ]
    for bytes in bad {
      _ = try folder.write(bytes, "train-images-idx3-ubyte")
      #expect(throws: DatasetError.self, "\(bytes.prefix(16))") { try open() }
    }
    _ = try folder.write(good, "train-images-idx3-ubyte")
    _ = try open()
    try FileManager.default.removeItem(atPath: folder.path + "/train-labels-idx1-ubyte")
    #expect { try open() } throws: { "\($0)".contains("labels") }
  }
}

@Suite struct ImageFolderTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func add(_ bytes: [UInt8], _ path: String) throws {
    let parent = (folder.path + "/" + path).split(separator: "/").dropLast().joined(separator: "/")
    try FileManager.default.createDirectory(atPath: "/" + parent, withIntermediateDirectories: true)
    _ = try folder.write(bytes, path)
  }

  private func open() throws -> any Dataset {
    try DatasetCatalog.open("imagefolder:" + folder.path, role: .training, imageSize: 32)
  }

  private func addTwoClasses() throws {
    try add(Fixture.jpeg420.file, "cat/2.png")
    try add(Fixture.pngRGB.file, "cat/10.jpg")
    try add(Fixture.jpegGrey.file, "Dog/deep/er/x.JPEG")
    try add(Fixture.pngRGBA.file, "Dog/a")
  }

  @Test func listsInByteOrderAndSniffs() throws {
    try addTwoClasses()
    try add([1], "cat/.hidden")
    try add([1], ".git/config")
    try add(Array("cats and dogs".utf8), "README.txt")
    let dataset = try open()
    #expect(dataset.classNames == ["Dog", "cat"])
    #expect(
      (0..<dataset.count).map { dataset.name(ofSample: $0) } == [
        "Dog/a", "Dog/deep/er/x.JPEG", "cat/10.jpg", "cat/2.png",
      ])
    #expect((0..<dataset.count).map { dataset.label(ofSample: $0) } == [0, 0, 1, 1])
    #expect(dataset.byteCount(ofSample: 2) == Fixture.pngRGB.file.count)
    #expect(try Picture(dataset.sample(at: 2)).pixels == Fixture.pngRGB.pixels)
    #expect(try Picture(dataset.sample(at: 3)).pixels == Fixture.jpeg420.pixels)
    #expect(dataset.defaultNormalization == .imagenet && dataset.storedSize == nil)
    #expect(try DatasetCatalog.open(folder.path, role: .training, imageSize: 32).spec == "imagefolder:\(folder.path)")
  }

  /// Every fault is an error of exit code 65 that names the place.
  private func expectRefusal(_ name: String) {
    #expect { try open() } throws: { ($0 as? DatasetError)?.exitCode == 65 && "\($0)".contains(folder.path + name) }
  }

  @Test func emptyFoldersAreRefused() throws {
    expectRefusal("")
    try add(Fixture.pngRGB.file, "cat/1.png")
    #expect { try open() } throws: { "\($0)".contains("one class") }
    try FileManager.default.createDirectory(atPath: folder.path + "/dog", withIntermediateDirectories: true)
    expectRefusal("/dog")
  }

  @Test func otherFilesAreRefusedByName() throws {
    try addTwoClasses()
    try add(Fixture.gif.file, "cat/picture.jpg")
    expectRefusal("/cat/picture.jpg")
    // An inspection wants to see the rest as well.
    let lenient = try DatasetCatalog.open(
      "imagefolder:" + folder.path, role: .training, imageSize: 32, checkingFiles: false)
    #expect(lenient.count == 5)
  }

  @Test func emptyFilesAreRefusedByName() throws {
    try addTwoClasses()
    try add([], "cat/empty.png")
    expectRefusal("/cat/empty.png")
  }

  @Test func unreadableFilesAreRefusedByName() throws {
    try addTwoClasses()
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/cat/gone.png", withDestinationPath: "/nowhere/at/all")
    expectRefusal("/cat/gone.png")
  }

  @Test func loopsEnd() throws {
    try addTwoClasses()
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/cat/again", withDestinationPath: folder.path + "/cat")
    expectRefusal("/cat")
  }

  @Test func picturesOutsideOfClassesAreRefused() throws {
    try addTwoClasses()
    try add(Fixture.pngRGB.file, "stray.png")
    expectRefusal("/stray.png")
  }

  @Test func partsAreNotClasses() throws {
    try add(Fixture.pngRGB.file, "train/cat/1.png")
    try add(Fixture.pngRGB.file, "validation/cat/1.png")
    #expect { try open() } throws: { "\($0)".contains("imagefolder:\(folder.path)/train") }
  }

  @Test func aFileThatVanishesLaterIsNamed() throws {
    try addTwoClasses()
    let dataset = try open()
    try FileManager.default.removeItem(atPath: folder.path + "/Dog/a")
    #expect { try dataset.sample(at: 0) } throws: { "\($0)".contains("/Dog/a") }
  }
}
