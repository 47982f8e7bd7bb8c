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
    #expect(error?.description == "there is no model 'alexnet'; choose one of googlenet-seed, googlenet")
  }

  /// torchvision documents 15×15 as googlenet's smallest image; the seed network needs 7×7 after two halvings.
  @Test(arguments: [("googlenet", 15, "maxpool3"), ("googlenet-seed", 25, "average_pool")])
  func tooSmallImagesAreRefusedWithTheLayer(name: String, smallest: Int, layer: String) throws {
    _ = try model(name, imageSize: smallest)
    let error = #expect(throws: ModelError.self) { try model(name, imageSize: smallest - 1) }
    guard case .imageTooSmall(name, smallest - 1, layer, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(error?.description.contains("layer \(layer)") == true)
  }

  @Test func numbersThatNoModelHasAreRefused() {
    #expect(throws: ModelError.self) { try model("googlenet", classes: 0) }
    #expect(throws: ModelError.self) { try model("googlenet", width: 0) }
    #expect(throws: ModelError.self) { try model("googlenet", width: .nan) }
    #expect(throws: ModelError.self) { try model("googlenet", imageSize: 0) }
  }
}
