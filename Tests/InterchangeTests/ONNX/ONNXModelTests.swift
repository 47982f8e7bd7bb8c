import Foundation
import Testing

@testable import Interchange

/// Written by onnx 1.23.2:
/// ```python
/// weight = np.array([0.5, -1, 2, 0, 1e-40, 3], "<f4").tobytes()
/// graph = helper.make_graph(
///     [helper.make_node("LRN", ["input"], ["norm"], name="norm", size=5, alpha=1e-4, beta=0.75, bias=1.0),
///      helper.make_node("AveragePool", ["norm"], ["pool"], name="pool", kernel_shape=[3, 3], pads=[1, 1, 2, 2],
///                       strides=[1, 1], count_include_pad=1),
///      helper.make_node("Gemm", ["pool", "fc.weight"], ["logits"], name="fc", transB=1)],
///     "net", [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3])],
///     [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2])],
///     [helper.make_tensor("fc.weight", TensorProto.FLOAT, [2, 3], weight, raw=True)])
/// model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="p",
///                           producer_version="1", doc_string="ü")
/// helper.set_model_props(model, {"a": "1", "b": "2"})
/// print(base64.b64encode(model.SerializeToString(deterministic=True)).decode())
/// ```
private let reference = Array(
  Data(
    base64Encoded:
      "CAgSAXAaATEyAsO8OuoCClYKBWlucHV0EgRub3JtGgRub3JtIgNMUk4qDwoFYWxwaGEVF7fROKABASoOCgRiZXRhFQAAQD+gAQEqDgoEYmlhcxUAAIA/"
      + "oAEBKgsKBHNpemUYBaABAgp1CgRub3JtEgRwb29sGgRwb29sIgtBdmVyYWdlUG9vbCoYChFjb3VudF9pbmNsdWRlX3BhZBgBoAECKhUKDGtlcm5lbF9z"
      + "aGFwZUADQAOgAQcqEQoEcGFkc0ABQAFAAkACoAEHKhAKB3N0cmlkZXNAAUABoAEHCjIKBHBvb2wKCWZjLndlaWdodBIGbG9naXRzGgJmYyIER2VtbSoN"
      + "CgZ0cmFuc0IYAaABAhIDbmV0KisIAggDEAFCCWZjLndlaWdodEoYAAAAPwAAgL8AAABAAAAAAMIWAQAAAEBAWhgKBWlucHV0Eg8KDQgBEgkKAxIBTgoC"
      + "CANiGQoGbG9naXRzEg8KDQgBEgkKAxIBTgoCCAJCBAoAEBFyBgoBYRIBMXIGCgFiEgEy"
  ) ?? Data())

@Suite struct ONNXModelTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func network() -> ONNXModel {
    var network = ONNXModel(name: "net")
    network.addInput("input", [.free("N"), .fixed(3)])
    network.addConstant("fc.weight", shape: [2, 3], [0.5, -1, 2, 0, Float(bitPattern: 0x0001_16C2), 3])
    network.add(
      "LRN", "norm", ["input"], to: "norm",
      ["size": .integer(5), "alpha": .float(1e-4), "beta": .float(0.75), "bias": .float(1)])
    network.add(
      "AveragePool", "pool", ["norm"], to: "pool",
      [
        "kernel_shape": .integers([3, 3]), "pads": .integers([1, 1, 2, 2]), "strides": .integers([1, 1]),
        "count_include_pad": .integer(1),
      ])
    network.add("Gemm", "fc", ["pool", "fc.weight"], to: "logits", ["transB": .integer(1)])
    network.addOutput("logits", [.free("N"), .fixed(2)])
    return network
  }

  @Test func writesTheBytesOfTheReferenceWriter() throws {
    let path = folder.path + "/net.onnx"
    try network().write(producer: ("p", "1"), description: "ü", metadata: ["b": "2", "a": "1"], to: path)
    #expect(try contents(path) == reference)
    #expect(try folder.names == ["net.onnx"])
  }

  @Test func whatCannotBeWrittenIsSaid() throws {
    let path = folder.path + "/none/net.onnx"
    #expect(throws: InterchangeError.cannotWrite(path: path, code: ENOENT)) {
      try network().write(producer: ("p", "1"), description: "", metadata: [:], to: path)
    }
  }
}
