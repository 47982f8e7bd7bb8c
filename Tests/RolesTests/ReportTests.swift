import Foundation
import Testing

@testable import Roles

@Suite struct ReportTests {
  @Test(arguments: [
    (0, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (60, "1:00"), (187, "3:07"), (3599, "59:59"),
    (3600, "1:00:00"), (7500, "2:05:00"), (360_000, "100:00:00"), (Double.infinity, "?"), (.nan, "?"), (1e300, "?"),
  ])
  func durations(seconds: Double, text: String) { #expect(StatusLine.duration(seconds) == text) }

  @Test func numbers() {
    #expect(StatusLine.number(2.30258, decimals: 4) == "2.3026" && StatusLine.number(99.95, decimals: 0) == "100")
  }

  /// Parameters and multiply-accumulates as torchvision counts those of its networks (it publishes 1.498 and 5.713 GMAC),
  /// with and without auxiliary heads, and those of the others as counted layer by layer; at their own input sizes and 1000
  /// classes.
  @Test func theCatalogInNumbers() throws {
    struct Report: Decodable {
      struct Entry: Decodable {
        let name: String, image_size: Int, classes: Int, parameters: Int, parameters_with_aux: Int
        let multiply_accumulates: Int, multiply_accumulates_with_aux: Int
      }
      let models: [Entry]
    }
    let report = try CatalogReport(classes: 1000, width: 1)
    let models = try JSONDecoder().decode(Report.self, from: Data(report.json.utf8)).models
    #expect(models.count == 4)
    for (name, size, parameters, withAux, products, productsWithAux) in [
      ("googlenet-seed", 32, 10_253_000, 16_633_240, 1_525_841_920, 1_534_214_144),
      ("googlenet", 224, 6_624_904, 13_004_888, 1_498_376_192, 1_506_748_416),
      ("googlenet-paper", 224, 6_998_552, 13_378_280, 1_582_671_872, 1_591_044_096),
      ("inception-v3", 299, 23_834_568, 27_161_264, 5_713_216_096, 5_718_899_296),
    ] {
      let entry = try #require(models.first { $0.name == name })
      #expect(entry.image_size == size && entry.classes == 1000)
      #expect(entry.parameters == parameters && entry.parameters_with_aux == withAux)
      #expect(entry.multiply_accumulates == products && entry.multiply_accumulates_with_aux == productsWithAux)
    }
    #expect(report.text.contains("27,161,264") && report.text.contains("299×299"))
    #expect(!report.json.contains("\n"))
  }

  @Test func theCatalogForOtherClassesAndWidths() throws {
    // A classifier has 1024 weights and a bias for each class.
    #expect(try CatalogReport(classes: 10, width: 1).text.contains("5,610,154"))
    expectFailure(.mismatch) { () throws(Failure) in try CatalogReport(classes: 10, width: -1) }
  }
}
