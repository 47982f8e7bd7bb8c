import Foundation
import Models
import Testing

@Suite struct CatalogTests {
  /// A model is one file and one line: a file without its line is a model that nobody can choose.
  @Test func everyFileHasItsLine() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/Models/Catalog").standardized
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    var names: [String] = []
    for file in files {
      let text = try String(contentsOf: file, encoding: .utf8)
      let matches = text.matches(of: /= ModelDefinition\(\s*name: "([^"]+)"/)
      #expect(matches.count == 1, "\(file.lastPathComponent) defines one model")
      names += matches.map { String($0.1) }
    }
    #expect(names.sorted() == ModelCatalog.all.map(\.name).sorted())
    #expect(Set(names).count == names.count)
  }

  @Test func unknownNamesAreRefusedWithTheKnownOnes() {
    let error = #expect(throws: UnknownModel.self) { try ModelCatalog.definition(named: "alexnet") }
    let names = "googlenet-seed, googlenet, googlenet-paper, inception-v3"
    #expect(error?.description == "there is no model 'alexnet'; choose one of \(names)")
  }

  /// torchvision documents 15×15 as googlenet's smallest image and 75×75 as inception-v3's; its head's 5×5 convolution needs
  /// 299×299, and so PyTorch fails below that in training. The seed network needs 7×7 after two halvings, the paper's heads
  /// 5×5 after four.
  @Test(arguments: [
    ("googlenet", 15, "maxpool3", 15), ("googlenet-seed", 25, "average_pool", 25),
    ("googlenet-paper", 79, "aux1.pool", 31), ("inception-v3", 299, "AuxLogits.conv1.conv", 75),
  ])
  func tooSmallImagesAreRefusedWithTheLayer(name: String, toTrain: Int, layer: String, toEvaluate: Int) throws {
    _ = try model(name, imageSize: toTrain)
    let error = #expect(throws: ModelError.self) { try model(name, imageSize: toTrain - 1) }
    guard case .imageTooSmall(name, toTrain - 1, layer, _, toTrain, toEvaluate) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("layer \(layer)") == true)
    #expect(error?.description.contains("at least \(toTrain)×\(toTrain) pixels") == true)
    #expect(error?.description.contains("(\(toEvaluate)×\(toEvaluate) without") == (toEvaluate < toTrain))

    let definition = try ModelCatalog.definition(named: name)
    _ = try Model(definition, classes: 10, imageSize: toEvaluate, width: 0.1, for: .evaluation)
    #expect(throws: ModelError.self) {
      try Model(definition, classes: 10, imageSize: toEvaluate - 1, width: 0.1, for: .evaluation)
    }
  }

  @Test func numbersThatNoModelHasAreRefused() {
    #expect(throws: ModelError.self) { try model("googlenet", classes: 0) }
    #expect(throws: ModelError.self) { try model("googlenet", width: 0) }
    #expect(throws: ModelError.self) { try model("googlenet", width: .nan) }
    #expect(throws: ModelError.self) { try model("googlenet", imageSize: 0) }
  }
}
