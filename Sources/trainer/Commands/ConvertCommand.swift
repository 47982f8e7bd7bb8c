import ArgumentParser
import Roles

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Converts trained weights from and for other programs.",
    discussion: """
      Reads what torch.save wrote (.pth, .pt: a state_dict, alone or in a training script's dictionary; nothing in it is \
      executed), safetensors, and this program's checkpoints. Writes safetensors with torchvision's names, for \
      load_state_dict(strict=True), or the evaluation network as ONNX, for any number of pictures at a time.
      """)

  @Argument(help: ArgumentHelp("The file to read, or a run's folder.", valueName: "in")) var source: String
  @Argument(help: ArgumentHelp("The file to write: .safetensors or .onnx.", valueName: "out")) var target: String
  @Option(help: ArgumentHelp("The model, where the file does not say it. (default: by its tensors)", valueName: "name"))
  var model: String?
  @Option(
    help: ArgumentHelp(
      "Height and width of the input. (default: the checkpoint's, or else the model's)", valueName: "pixels"))
  var imageSize: Int?
  @Option(
    defaultAsFlag: Switch.on, parsing: .next,
    help: """
      Whether the weights want torchvision's transform_input, as its pretrained googlenet and inception_v3 do: it is \
      stored with them, and becomes part of an ONNX network. (default: as the checkpoint says)
      """)
  var transformInput: Switch? = nil
  @Option(
    help: ArgumentHelp("A file of the classes' names, one a line. (default: the checkpoint's)", valueName: "file"))
  var labels: String?
  @Flag(help: "Make batch norms part of the convolutions before them (ONNX).") var foldBatchNorm = false
  @Flag(help: "Leave out auxiliary heads, which only training uses (ONNX never has them).") var withoutAuxiliary = false

  func run() throws {
    try convertModel(
      source, to: target,
      ConversionOptions(
        model: model, imageSize: imageSize, transformInput: transformInput.map { $0 == .on }, labels: labels,
        foldBatchNorm: foldBatchNorm, withoutAuxiliary: withoutAuxiliary))
  }
}
