import Foundation
import Lockstep
import Testing

@testable import Datasets

@Suite struct SynthesisTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var output: String { folder.path + "/deep/set" }

  private func write(
    _ format: SynthesisFormat, samples: Int = 12, validation: Int = 6, size: Int = 32, classes: Int = 3
  ) throws {
    try synthesize(
      format: format, samples: samples, validationSamples: validation, size: size, classes: classes, seed: 4,
      output: output)
  }

  @Test func writesAnImageFolder() throws {
    var progress: [Int] = []
    try synthesize(
      format: .imagefolder, samples: 12, validationSamples: 6, size: 40, classes: 3, seed: 4, output: output
    ) { progress.append($0) }
    #expect(progress == Array(1...18))
    for (part, role, count) in [("train", DatasetRole.training, 12), ("validation", .validation, 6)] {
      let written = try DatasetCatalog.open("imagefolder:\(output)/\(part)", role: .training, imageSize: 40)
      let drawn = try SyntheticDataset(samples: count, size: 40, classes: 3, seed: 4, role: role)
      #expect(written.classNames == drawn.classNames && written.count == count)
      for index in 0..<count {
        // Files are sorted by class; their names are the pictures' indices.
        let name = written.name(ofSample: index)
        let number = try #require(Int(name.split(separator: "/")[1].dropLast(4)))
        #expect(name == "\(drawn.classNames[number % 3])/\(String(format: "%05d", number)).jpg")
        #expect(written.label(ofSample: index) == drawn.label(ofSample: number))
        let pixels = try Picture(written.sample(at: index)).pixels
        let expected = try Picture(drawn.sample(at: number)).pixels
        let difference = zip(pixels, expected).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        #expect(Double(difference) / Double(pixels.count) < 8, "\(name)")
      }
    }
  }

  @Test func writesCIFAR10() throws {
    try write(.cifar10, samples: 10_003, validation: 5, classes: 4)
    #expect(try contents(output + "/train/data_batch_1.bin").count == 30_730_000)
    #expect(try contents(output + "/train/data_batch_2.bin").count == 3 * 3073)
    #expect(try contents(output + "/validation/test_batch.bin").count == 5 * 3073)
    let training = try DatasetCatalog.open("cifar10:\(output)/train", role: .training, imageSize: 32)
    let validation = try DatasetCatalog.open("cifar10:\(output)/validation", role: .validation, imageSize: 32)
    let drawn = try SyntheticDataset(samples: 10_003, size: 32, classes: 4, seed: 4, role: .training)
    #expect(
      training.classNames == ["bar", "crescent", "cross", "disk"] && validation.classNames == training.classNames)
    for index in [0, 1, 9_999, 10_000, 10_002] {
      #expect(try training.sample(at: index).bytes == drawn.sample(at: index).bytes)
      #expect(training.label(ofSample: index) == index % 4)
    }
    #expect(validation.count == 5)
  }

  @Test func theSameArgumentsGiveTheSameBytes() throws {
    let other = folder.path + "/other"
    try write(.imagefolder)
    try synthesize(
      format: .imagefolder, samples: 12, validationSamples: 6, size: 32, classes: 3, seed: 4, output: other)
    let names = try FileManager.default.subpathsOfDirectory(atPath: output).sorted().filter { $0.hasSuffix("jpg") }
    #expect(names.count == 18)
    for name in names { #expect(try contents(output + "/" + name) == contents(other + "/" + name)) }
  }

  @Test func validationMayBeLeftOut() throws {
    try write(.imagefolder, validation: 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == ["train"])
  }

  @Test func foldersInUseAreLeftAlone() throws {
    try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    try Data([1]).write(to: URL(fileURLWithPath: output + "/mine"))
    #expect { try write(.imagefolder) } throws: {
      $0 as? DatasetError == .occupied(path: output) && ($0 as? DatasetError)?.exitCode == 73
        && "\($0)".contains(output)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: output) == ["mine"])
  }

  @Test func placesThatCannotBeMadeAreErrors() throws {
    _ = try folder.write([1], "deep")
    #expect { try write(.imagefolder) } throws: { ($0 as? DatasetError)?.exitCode == 73 }
  }

  @Test func settingsThatMakeNoSenseAreRefused() throws {
    for action in [
      { try write(.cifar10, size: 64) }, { try write(.cifar10, classes: 11) }, { try write(.imagefolder, samples: 2) },
      { try write(.imagefolder, validation: -1) }, { try write(.imagefolder, classes: 1) },
      { try write(.imagefolder, samples: 0) }, { try write(.imagefolder, size: 4) },
      { try write(.imagefolder, validation: 2) },
    ] {
      #expect { try action() } throws: { ($0 as? DatasetError)?.exitCode == 2 }
    }
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  @Test func inspectionCountsAndFindsWhatIsBad() throws {
    try write(.imagefolder)
    let spec = "imagefolder:\(output)/train"
    let clean = try DatasetCatalog.inspect(spec)
    #expect(clean.bad.isEmpty && clean.count == 12 && clean.classes.map(\.count) == [4, 4, 4])
    #expect(clean.sizes.map(\.width) == [32] && clean.sizes.map(\.count) == [12])
    #expect(try clean.fingerprint == DatasetCatalog.open(spec, role: .training, imageSize: 32).fingerprint())

    let path = output + "/train/bar/00000.jpg"
    try Data(contents(path).dropLast(40)).write(to: URL(fileURLWithPath: path))
    try Data(Fixture.gif.file).write(to: URL(fileURLWithPath: output + "/train/cross/picture.png"))
    var seen: [Int] = []
    let damaged = try DatasetCatalog.inspect(spec) { seen.append($0) }
    #expect(damaged.count == 13 && seen == Array(1...13))
    #expect(damaged.bad.map(\.name) == ["bar/00000.jpg", "cross/picture.png"])
    #expect(damaged.bad.allSatisfy { !$0.reason.isEmpty })
    #expect(damaged.sizes.map(\.count) == [11])
  }
}
