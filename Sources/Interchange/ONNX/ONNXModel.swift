import Foundation
import SwiftProtobuf

/// A network in the Open Neural Network Exchange format, built operation by operation and then written.
///
/// - Source: onnx.proto and docs/IR.md of ONNX; opset 17 needs intermediate representation 8.
public struct ONNXModel {
  /// The version of the operators' definitions.
  public static let operatorSet = 17
  private static let representation: Int64 = 8
  /// TensorProto's number of Float32.
  private static let float32: Int32 = 1

  /// A size of an input or output.
  public enum Dimension: Hashable, Sendable {
    /// Known.
    case fixed(Int)
    /// Free under a name: all of one name are equal.
    case free(String)
  }

  /// A setting of an operation.
  public enum Attribute: Hashable, Sendable {
    case float(Double)
    case integer(Int)
    case integers([Int])
  }

  private var graph = ONNXGraphProto()
  private var names: Set<String> = []

  /// An empty network of a name.
  public init(name: String) { graph.name = name }

  /// Declares an input of Float32.
  public mutating func addInput(_ name: String, _ shape: [Dimension]) {
    declare(name)
    graph.input.append(Self.value(name, shape))
  }

  /// Declares which value is an output.
  public mutating func addOutput(_ name: String, _ shape: [Dimension]) {
    precondition(names.contains(name), "an output is a value of the network")
    graph.output.append(Self.value(name, shape))
  }

  /// Adds a constant tensor, row-major.
  public mutating func addConstant(_ name: String, shape: [Int], _ values: [Float]) {
    precondition(shape.reduce(1, *) == values.count, "a tensor has as many values as its shape says")
    declare(name)
    var tensor = ONNXTensorProto()
    (tensor.name, tensor.dims, tensor.dataType) = (name, shape.map(Int64.init), Self.float32)
    // The format's order of bytes is that of every CPU this program runs on.
    tensor.rawData = values.withUnsafeBytes { Data($0) }
    graph.initializer.append(tensor)
  }

  /// Adds an operation; what it reads was added before.
  ///
  /// - Parameter output: the name of what it produces.
  public mutating func add(
    _ type: String, _ name: String, _ inputs: [String], to output: String, _ attributes: [String: Attribute] = [:]
  ) {
    precondition(inputs.allSatisfy(names.contains), "\(name) reads what is there")
    declare(output)
    var operation = ONNXNodeProto()
    (operation.name, operation.opType, operation.input, operation.output) = (name, type, inputs, [output])
    operation.attribute = attributes.sorted { $0.key < $1.key }.map { name, value in
      var attribute = ONNXAttributeProto()
      attribute.name = name
      switch value {
      case .float(let number): (attribute.f, attribute.type) = (Float(number), .float)
      case .integer(let number): (attribute.i, attribute.type) = (Int64(number), .int)
      case .integers(let numbers): (attribute.ints, attribute.type) = (numbers.map(Int64.init), .ints)
      }
      return attribute
    }
    graph.node.append(operation)
  }

  /// Writes the network so that its file appears whole or not at all.
  ///
  /// - Parameters:
  ///   - producer: the program and its version.
  ///   - description: what inputs and outputs are, for people.
  ///   - metadata: what else programs may want to know.
  public func write(
    producer: (name: String, version: String), description: String, metadata: [String: String], to path: String
  ) throws(InterchangeError) {
    var model = ONNXModelProto()
    (model.irVersion, model.graph, model.docString) = (Self.representation, graph, description)
    (model.producerName, model.producerVersion) = producer
    var operators = ONNXOperatorSetIdProto()
    // The empty domain is that of ONNX's own operators.
    (operators.domain, operators.version) = ("", Int64(Self.operatorSet))
    model.opsetImport = [operators]
    model.metadataProps = metadata.sorted { $0.key < $1.key }.map { key, value in
      var entry = ONNXStringStringEntryProto()
      (entry.key, entry.value) = (key, value)
      return entry
    }
    let bytes: [UInt8]
    do {
      bytes = try model.serializedBytes()
    } catch {
      // Only a message of two gigabytes cannot be written.
      throw .cannotWrite(path: path, code: EFBIG)
    }
    try AtomicFile.write(bytes, to: path)
  }

  private mutating func declare(_ name: String) {
    precondition(names.insert(name).inserted, "the value '\(name)' is there once")
  }

  private static func value(_ name: String, _ shape: [Dimension]) -> ONNXValueInfoProto {
    var value = ONNXValueInfoProto()
    value.name = name
    value.type.tensorType.elemType = float32
    value.type.tensorType.shape.dim = shape.map { dimension in
      var result = ONNXTensorShapeProto.Dimension()
      switch dimension {
      case .fixed(let size): result.dimValue = Int64(size)
      case .free(let name): result.dimParam = name
      }
      return result
    }
    return value
  }
}
