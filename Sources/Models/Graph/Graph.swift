/// A network: its layers in the order in which they run, which is also the order of its state_dict.
///
/// Running the layers backwards finishes the parameters' gradients in the reverse of the state_dict's order; so the order
/// in which a model file states its layers decides where the auxiliary heads stand in both.
public struct Graph: Sendable {
  /// The image.
  public let input: Value
  /// All layers, in order.
  public let operations: [Operation]
  /// How many values there are, the input included.
  let valueCount: Int
  /// Every tensor of the state_dict, in order.
  let tensors: [TensorDeclaration]

  /// The logits of a head; nil if the network lacks it.
  public func logits(of head: Head) -> Value? {
    operations.first { $0.kind == .loss(head) }?.inputs[0]
  }

  /// The heads that the network has, the main one first.
  public var heads: [Head] { Head.allCases.filter { logits(of: $0) != nil } }

  /// The layers that a value depends on, in order; for the main head's logits, the network as it is at evaluation.
  public func operations(behind value: Value) -> [Operation] {
    var needed: Set<Int> = [value.index]
    var chosen: [Operation] = []
    for operation in operations.reversed() {
      guard let output = operation.output, needed.contains(output.index) else { continue }
      needed.formUnion(operation.inputs.map(\.index))
      chosen.append(operation)
    }
    return chosen.reversed()
  }
}
