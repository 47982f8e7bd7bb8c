/// The classes and functions that a pickle may name: those of which PyTorch builds a state_dict. All that they do here is
/// our own; a name that is not among them is refused, whatever is done with it.
///
/// - Source: torch/_utils.py, torch/_weights_only_unpickler.py, torch/storage.py.
enum TorchGlobal: Hashable, Sendable {
  case orderedDictionary
  /// `_rebuild_tensor(storage, offset, size, stride)`; version 2 has further arguments, version 3 the kind of elements too.
  case rebuildTensor, rebuildTensor2, rebuildTensor3
  /// `_rebuild_parameter(tensor, requires_grad, hooks)`, and the same with attributes behind them.
  case rebuildParameter
  case size
  case device
  /// The class of storages of an element; nil for storages of bytes.
  case storage(TensorElement?)
  /// The name of a kind of elements.
  case element(TensorElement)

  /// - Parameters:
  ///   - module: the Python module.
  ///   - name: what it is called there.
  init?(module: String, name: String) {
    guard let known = Self.table["\(module).\(name)"] else { return nil }
    self = known
  }

  private static let table: [String: TorchGlobal] = [
    "collections.OrderedDict": .orderedDictionary,
    "torch._utils._rebuild_tensor": .rebuildTensor,
    "torch._utils._rebuild_tensor_v2": .rebuildTensor2,
    "torch._utils._rebuild_tensor_v3": .rebuildTensor3,
    "torch._utils._rebuild_parameter": .rebuildParameter,
    "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
    "torch.nn.parameter.Parameter": .rebuildParameter,
    "torch.Size": .size,
    "torch.device": .device,

    "torch.FloatStorage": .storage(.float32), "torch.DoubleStorage": .storage(.float64),
    "torch.HalfStorage": .storage(.float16), "torch.BFloat16Storage": .storage(.bfloat16),
    "torch.LongStorage": .storage(.int64), "torch.IntStorage": .storage(.int32),
    "torch.ShortStorage": .storage(.int16), "torch.CharStorage": .storage(.int8),
    "torch.ByteStorage": .storage(.uint8), "torch.BoolStorage": .storage(.bool),
    "torch.ComplexFloatStorage": .storage(.complex64),
    "torch.storage.UntypedStorage": .storage(nil), "torch.UntypedStorage": .storage(nil),

    "torch.float32": .element(.float32), "torch.float64": .element(.float64), "torch.float16": .element(.float16),
    "torch.bfloat16": .element(.bfloat16), "torch.int64": .element(.int64), "torch.int32": .element(.int32),
    "torch.int16": .element(.int16), "torch.int8": .element(.int8), "torch.uint8": .element(.uint8),
    "torch.uint16": .element(.uint16), "torch.uint32": .element(.uint32), "torch.uint64": .element(.uint64),
    "torch.bool": .element(.bool), "torch.complex64": .element(.complex64),
  ]
}
