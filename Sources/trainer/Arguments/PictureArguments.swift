import ArgumentParser
import Roles

/// How pictures are shown to a trained model, shared by `evaluate` and `predict`.
struct PictureArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Parts of each picture, whose probabilities are averaged: center; 10: corners, centre and mirror images; "
        + "144: those of the GoogLeNet paper.", valueName: "center|10|144"))
  var crops: String = "center"
  @Option(help: ArgumentHelp("Height and width of the input. (default: the checkpoint's)", valueName: "pixels"))
  var imageSize: Int?
  @Option(
    help: ArgumentHelp(
      "The shorter side before crops are taken. (default: image size × 256/224, rounded; pictures that have the image "
        + "size stay as they are)", valueName: "pixels"))
  var resize: Int?
  @Option(
    help: ArgumentHelp("imagenet, cifar, cifar100, half or none. (default: the checkpoint's)", valueName: "kind"))
  var normalization: String?
  @Option(
    defaultAsFlag: Switch.on, parsing: .next,
    help: "Whether the weights want torchvision's transform_input. (default: as the checkpoint says)")
  var transformInput: Switch? = nil

  func resolved() throws -> PictureOptions {
    try PictureOptions(
      crops: crops, imageSize: imageSize, normalization: normalization,
      transformInput: transformInput.map { $0 == .on }, resize: resize)
  }
}
