/// Why a call makes no sense.
struct CallFault: Error { let reason: String }

extension PickleObjects {
  /// What an allowed class or function makes of its arguments.
  mutating func call(_ function: TorchGlobal, _ arguments: [PickleValue]) throws(CallFault) -> PickleValue {
    switch function {
    case .orderedDictionary: return try orderedDictionary(arguments)
    case .rebuildTensor, .rebuildTensor2, .rebuildTensor3: return try tensor(function, arguments)
    case .rebuildParameter:
      guard case .tensor(let index)? = arguments.first else { throw CallFault(reason: "a parameter is no tensor") }
      return .tensor(index)
    case .size:
      guard arguments.count == 1, tuple(arguments[0]) != nil else { throw CallFault(reason: "a size is no tuple") }
      return arguments[0]
    case .device: return .other
    case .storage, .element: throw CallFault(reason: "its pickle calls what cannot be called")
    }
  }

  /// Empty, or with the pairs of a list, as Python 2 wrote them.
  private mutating func orderedDictionary(_ arguments: [PickleValue]) throws(CallFault) -> PickleValue {
    guard let first = arguments.first else { return addDictionary() }
    var pairs: [Pair] = []
    for element in list(first) ?? [] {
      guard let pair = list(element) ?? tuple(element), pair.count == 2 else {
        throw CallFault(reason: "an ordered dictionary is made of what are no pairs")
      }
      pairs.append((pair[0], pair[1]))
    }
    return addDictionary(pairs)
  }

  private mutating func tensor(_ function: TorchGlobal, _ arguments: [PickleValue]) throws(CallFault) -> PickleValue {
    guard arguments.count >= (function == .rebuildTensor3 ? 7 : 4), case .storage(let index) = arguments[0],
      let offset = arguments[1].integer, let shape = sizes(arguments[2]), let strides = sizes(arguments[3])
    else { throw CallFault(reason: "a tensor is described as none") }
    let storage = storages[index]
    var element = storage.element
    if function == .rebuildTensor3 {
      guard case .global(.element(let named)) = arguments[6] else {
        throw CallFault(reason: "a tensor has elements of no kind")
      }
      guard element == nil || element == named else {
        throw CallFault(reason: "a tensor has other elements than its storage")
      }
      element = named
    }
    guard let element else { throw CallFault(reason: "a tensor has elements of no kind") }
    do throws(StoredTensor.Fault) {
      tensors.append(
        try StoredTensor(of: storage, element: element, offset: offset, shape: shape, strides: strides))
    } catch {
      throw CallFault(reason: "a tensor \(error.reason) '\(storage.key)'")
    }
    return .tensor(tensors.count - 1)
  }

  private func sizes(_ value: PickleValue) -> [Int]? {
    guard let elements = tuple(value) ?? list(value) else { return nil }
    let sizes = elements.compactMap(\.integer)
    return sizes.count == elements.count ? sizes : nil
  }
}
