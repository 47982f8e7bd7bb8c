/// A value of a pickle. Containers, storages and tensors are numbers of places in `PickleObjects`.
///
/// So no value holds another: one that contains itself does no harm, and however deeply values are nested, taking them
/// apart needs no recursion.
enum PickleValue: Hashable, Sendable {
  case none
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case storage(Int)
  case tensor(Int)
  case global(TorchGlobal)
  /// Something that no tensor needs: bytes, integers of more than 64 bits, devices.
  case other
}

/// Everything that the values of a pickle are made of.
struct PickleObjects: Sendable {
  /// A key and its value.
  typealias Pair = (key: PickleValue, value: PickleValue)

  var tuples: [[PickleValue]] = []
  /// Lists and sets.
  var lists: [[PickleValue]] = []
  var dictionaries: [[Pair]] = []
  var storages: [StorageView] = []
  var tensors: [StoredTensor] = []

  /// The elements of a tuple; nil for other values.
  func tuple(_ value: PickleValue) -> [PickleValue]? {
    if case .tuple(let index) = value { return tuples[index] }
    return nil
  }

  /// The elements of a list; nil for other values.
  func list(_ value: PickleValue) -> [PickleValue]? {
    if case .list(let index) = value { return lists[index] }
    return nil
  }

  /// The pairs of a dictionary in the order in which they were set; nil for other values.
  func dictionary(_ value: PickleValue) -> [Pair]? {
    if case .dictionary(let index) = value { return dictionaries[index] }
    return nil
  }

  mutating func addTuple(_ elements: [PickleValue]) -> PickleValue {
    tuples.append(elements)
    return .tuple(tuples.count - 1)
  }

  mutating func addList(_ elements: [PickleValue] = []) -> PickleValue {
    lists.append(elements)
    return .list(lists.count - 1)
  }

  mutating func addDictionary(_ pairs: [Pair] = []) -> PickleValue {
    dictionaries.append(pairs)
    return .dictionary(dictionaries.count - 1)
  }
}

extension PickleValue {
  var string: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  var integer: Int? {
    if case .integer(let value) = self { return value }
    return nil
  }
}
