/// A part of a storage as a pickle names it. Storages are runs of elements; tensors are views of them.
struct StorageView: Hashable, Sendable {
  /// The storage's name in the file.
  let key: String
  /// The kind of its elements; nil where these are bytes that each tensor gives a kind.
  let element: TensorElement?
  /// Elements of the whole storage, bytes where `element` is nil.
  let storageCount: Int
  /// The elements that belong to the part.
  let range: Range<Int>

  /// Bytes of the whole storage.
  ///
  /// - Returns: nil where they are too many to address.
  var storageBytes: Int? {
    let (bytes, overflows) = storageCount.multipliedReportingOverflow(by: element?.byteCount ?? 1)
    return overflows ? nil : bytes
  }
}

/// A tensor as a pickle describes it, checked against its storage.
struct StoredTensor: Hashable, Sendable {
  /// The storage's name in the file.
  let key: String
  /// The kind of its elements.
  let element: TensorElement
  /// Elements before its first one in the storage; 0 where it has none.
  let offset: Int
  /// Its sizes, outermost first.
  let shape: [Int]
  /// Elements from one index to the next, for each size.
  let strides: [Int]
  /// How many elements it has.
  let count: Int
  /// Elements of the storage from its first one to its last one.
  let span: Int

  /// Why a description fits no storage.
  struct Fault: Error { let reason: String }

  /// Checks that every element lies in the storage.
  ///
  /// A tensor with more elements than its storage, as `expand` makes them, is refused: a few bytes could stand for
  /// any amount of memory.
  init(
    of storage: StorageView, element: TensorElement, offset: Int, shape: [Int], strides: [Int]
  ) throws(Fault) {
    // Of a storage of bytes, those that make whole elements.
    let size = storage.element == nil ? element.byteCount : 1
    guard storage.range.lowerBound % size == 0 else { throw Fault(reason: "is not aligned in its storage") }
    let available = storage.range.count / size
    guard shape.count == strides.count, shape.count <= 8, offset >= 0,
      shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 })
    else { throw Fault(reason: "has sizes, strides or an offset that make no sense") }
    // Also the sizes of a tensor without elements are multiplied elsewhere.
    let product = try Self.product(shape.map { max($0, 1) }, limit: shape.contains(0) ? Int.max : available)
    let count = shape.contains(0) ? 0 : product
    var last = 0
    if count > 0 {
      guard offset < available else { throw Fault(reason: "begins beyond its storage") }
      for (size, stride) in zip(shape, strides) {
        let (step, overflows) = (size - 1).multipliedReportingOverflow(by: stride)
        // `last` stays below `available`, so the sum cannot overflow before it is compared.
        guard !overflows, step < available - offset - last else { throw Fault(reason: "ends beyond its storage") }
        last += step
      }
    }
    (key, self.element, self.shape, self.strides) = (storage.key, element, shape, strides)
    // One without elements may be said to lie anywhere; PyTorch itself writes offsets beyond the storage there.
    self.offset = count > 0 ? offset + storage.range.lowerBound / size : 0
    self.count = count
    span = count > 0 ? last + 1 : 0
  }

  private static func product(_ sizes: [Int], limit: Int) throws(Fault) -> Int {
    var product = 1
    for size in sizes {
      let (next, overflows) = product.multipliedReportingOverflow(by: size)
      guard !overflows, next <= limit else { throw Fault(reason: "has more elements than its storage") }
      product = next
    }
    return product
  }

  /// Whether its elements lie row by row without gaps.
  var isContiguous: Bool {
    guard count > 0 else { return true }
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      guard stride == expected else { return false }
      expected *= size
    }
    return true
  }

  /// Calls a function with the place of each element relative to the first one, row by row.
  func forEachElement(_ body: (_ index: Int, _ place: Int) -> Void) {
    guard count > 0 else { return }
    var position = [Int](repeating: 0, count: shape.count)
    var place = 0
    for index in 0..<count {
      body(index, place)
      var axis = shape.count - 1
      while axis >= 0 {
        position[axis] += 1
        // The stride of a size of one may be any number; what it does is undone at once.
        place &+= strides[axis]
        if position[axis] < shape[axis] { break }
        place &-= shape[axis] &* strides[axis]
        position[axis] = 0
        axis -= 1
      }
    }
  }
}
