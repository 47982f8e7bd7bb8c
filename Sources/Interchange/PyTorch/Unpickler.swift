/// Reads a pickle without executing anything that it names.
///
/// A pickle is a program for a stack machine whose operations may call any function of Python; `torch.load` of an unknown
/// file used to be as safe as running it. Here it can do what `PickleOpcode` and `TorchGlobal` list, and no more.
///
/// Time and memory are bounded by the pickle's size, and that by `PickleReader`: each operation takes at least a byte and
/// pushes at most one value, values go from the stack into at most one container, and nothing recurses.
struct Unpickler {
  /// Values that may be pushed and remembered; a state_dict has about 40 a tensor.
  static let valueLimit = 1_000_000
  /// Containers that may be begun within each other.
  static let nestingLimit = 200

  private(set) var objects = PickleObjects()
  private var reader: PickleReader
  private let path: String
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private var valueCount = 0

  private init(_ reader: PickleReader, path: String) { (self.reader, self.path) = (reader, path) }

  /// Reads one pickle.
  ///
  /// - Parameter reader: stands behind the pickle afterwards.
  /// - Returns: the value, and what it is made of.
  /// - Throws: `.refused` for an operation, class or function that is not allowed, `.malformed` for what makes no sense.
  static func read(
    _ reader: inout PickleReader, path: String
  ) throws(InterchangeError) -> (root: PickleValue, objects: PickleObjects) {
    var machine = Unpickler(reader, path: path)
    let root = try machine.run()
    reader = machine.reader
    return (root, machine.objects)
  }

  private mutating func run() throws(InterchangeError) -> PickleValue {
    while true {
      let code = try reader.byte()
      guard let opcode = PickleOpcode(rawValue: code) else {
        let name = PickleOpcode.refusedNames[code].map { " (\($0))" } ?? ""
        throw refused("its pickle has the operation 0x\(String(code, radix: 16))\(name), which no state_dict needs")
      }
      if opcode == .stop {
        let root = try pop()
        guard stack.isEmpty, marks.isEmpty else { throw malformed("its pickle leaves values behind") }
        return root
      }
      try execute(opcode)
    }
  }

  private mutating func execute(_ opcode: PickleOpcode) throws(InterchangeError) {
    switch opcode {
    case .stop: break
    case .protocolVersion:
      let version = try reader.byte()
      guard (2...5).contains(version) else { throw malformed("its pickle is of protocol \(version), not of 2 to 5") }
    case .frame: _ = try reader.integer(UInt64.self)

    case .none: try push(.none)
    case .newTrue: try push(.boolean(true))
    case .newFalse: try push(.boolean(false))
    case .integer1: try push(.integer(Int(try reader.byte())))
    case .integer2: try push(.integer(Int(try reader.integer(UInt16.self))))
    case .integer4: try push(.integer(Int(try reader.integer(Int32.self))))
    case .long1: try push(Self.integer(try reader.bytes(try reader.byte())))
    case .float: try push(.number(Double(bitPattern: try reader.integer(UInt64.self).byteSwapped)))
    case .unicode1: try push(.string(try reader.text(try reader.byte())))
    case .unicode4: try push(.string(try reader.text(try reader.integer(UInt32.self))))
    case .unicode8: try push(.string(try reader.text(try reader.integer(UInt64.self))))
    case .string1: try push(string: try reader.bytes(try reader.byte()))
    case .string4: try push(string: try reader.bytes(try reader.integer(UInt32.self)))
    case .bytes1: try push(other: try reader.bytes(try reader.byte()))
    case .bytes4: try push(other: try reader.bytes(try reader.integer(UInt32.self)))

    case .mark:
      guard marks.count < Self.nestingLimit else { throw malformed("its pickle is nested too deeply") }
      marks.append(stack.count)
    case .emptyTuple: try push(objects.addTuple([]))
    case .emptyList, .emptySet: try push(objects.addList())
    case .emptyDictionary: try push(objects.addDictionary())
    case .tuple: try push(objects.addTuple(try popToMark()))
    case .tuple1: try push(objects.addTuple(try pop(1)))
    case .tuple2: try push(objects.addTuple(try pop(2)))
    case .tuple3: try push(objects.addTuple(try pop(3)))
    case .append: try append(try pop(1))
    case .appends, .addItems: try append(try popToMark())
    case .setItem: try set(try pop(2))
    case .setItems: try set(try popToMark())

    case .put1: try remember(Int(try reader.byte()))
    case .put4: try remember(Int(try reader.integer(UInt32.self)))
    case .memoize: try remember(memo.count)
    case .get1: try recall(Int(try reader.byte()))
    case .get4: try recall(Int(try reader.integer(UInt32.self)))

    case .global:
      let module = try reader.line()
      try push(try named(module, try reader.line()))
    case .stackGlobal:
      let names = try pop(2)
      guard let module = names[0].string, let name = names[1].string else { throw malformed("a name is no text") }
      try push(try named(module, name))
    case .persistentIdentity:
      let identity = try pop()
      try push(try storage(identity))
    case .reduce, .newObject:
      let call = try pop(2)
      guard case .global(let function) = call[0], let arguments = objects.tuple(call[1]) else {
        throw malformed("its pickle calls what cannot be called")
      }
      // Only an ordered dictionary copies anything: the pairs of its list.
      try count(arguments.first.flatMap { objects.list($0)?.count } ?? 0)
      let result: PickleValue
      do throws(CallFault) {
        result = try objects.call(function, arguments)
      } catch {
        throw malformed(error.reason)
      }
      try push(result)
    case .build:
      // Attributes, such as the versions of a state_dict's modules: no tensor needs them.
      _ = try pop(1)
      _ = try top()
    }
  }
}

// The stack.
extension Unpickler {
  private mutating func push(_ value: PickleValue) throws(InterchangeError) {
    try count()
    stack.append(value)
  }

  /// What was a string to Python 2: a name, or any bytes.
  private mutating func push(string: [UInt8]) throws(InterchangeError) {
    try push(String(validating: string, as: UTF8.self).map { .string($0) } ?? .other)
  }

  private mutating func push(other: [UInt8]) throws(InterchangeError) { try push(.other) }

  private mutating func count(_ values: Int = 1) throws(InterchangeError) {
    valueCount += values
    guard valueCount <= Self.valueLimit else {
      throw refused("its pickle has more than \(Self.valueLimit) values, more than any state_dict needs")
    }
  }

  private func top() throws(InterchangeError) -> PickleValue {
    guard let value = stack.last, stack.count > marks.last ?? 0 else { throw malformed("its pickle lacks a value") }
    return value
  }

  private mutating func pop() throws(InterchangeError) -> PickleValue {
    let value = try top()
    stack.removeLast()
    return value
  }

  private mutating func pop(_ count: Int) throws(InterchangeError) -> [PickleValue] {
    guard stack.count - count >= marks.last ?? 0 else { throw malformed("its pickle lacks a value") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func popToMark() throws(InterchangeError) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw malformed("its pickle ends what it did not begin") }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private mutating func remember(_ number: Int) throws(InterchangeError) {
    try count()
    memo[number] = try top()
  }

  private mutating func recall(_ number: Int) throws(InterchangeError) {
    guard let value = memo[number] else { throw malformed("its pickle recalls what it did not remember") }
    try push(value)
  }

  private mutating func append(_ elements: [PickleValue]) throws(InterchangeError) {
    guard case .list(let index) = try top() else { throw malformed("its pickle appends to what is no list") }
    objects.lists[index] += elements
  }

  private mutating func set(_ items: [PickleValue]) throws(InterchangeError) {
    guard case .dictionary(let index) = try top(), items.count % 2 == 0 else {
      throw malformed("its pickle sets items of what is no dictionary")
    }
    for position in stride(from: 0, to: items.count, by: 2) {
      objects.dictionaries[index].append((items[position], items[position + 1]))
    }
  }
}

// What a pickle names.
extension Unpickler {
  private func malformed(_ reason: String) -> InterchangeError { .malformed(path: path, reason: reason) }

  private func refused(_ reason: String) -> InterchangeError {
    .refused(path: path, reason: reason + "; nothing of it was run. " + Self.advice)
  }

  private static let advice =
    "Whole models and other objects are not read, only parameters and buffers: save them with "
    + "torch.save(model.state_dict(), FILE)"

  private func named(_ module: String, _ name: String) throws(InterchangeError) -> PickleValue {
    guard let global = TorchGlobal(module: module, name: name) else {
      throw refused("it names '\(module).\(name)', which is not among the classes and functions that tensors need")
    }
    return .global(global)
  }

  /// The storage of a persistent identity: "storage", its class, its key, its device, its elements and, in the legacy
  /// layout, what it is a part of.
  private mutating func storage(_ identity: PickleValue) throws(InterchangeError) -> PickleValue {
    guard let fields = objects.tuple(identity), let kind = fields.first?.string else {
      throw malformed("a persistent identity is no tuple")
    }
    guard kind == "storage", (5...6).contains(fields.count), case .global(.storage(let element)) = fields[1],
      let key = fields[2].string, let count = fields[4].integer, count >= 0
    else { throw malformed("a storage is described as none") }
    var range = 0..<count
    if fields.count == 6, fields[5] != .none {
      // The key of the part, where it begins and how many elements it has.
      guard let view = objects.tuple(fields[5]), view.count == 3, let offset = view[1].integer,
        let part = view[2].integer, offset >= 0, part >= 0, offset <= count, part <= count - offset
      else { throw malformed("a part of the storage '\(key)' lies outside it") }
      range = offset..<offset + part
    }
    objects.storages.append(StorageView(key: key, element: element, storageCount: count, range: range))
    return .storage(objects.storages.count - 1)
  }

  /// A signed little-endian integer of any length.
  private static func integer(_ bytes: [UInt8]) -> PickleValue {
    guard bytes.count <= 8 else { return .other }
    let isNegative = (bytes.last ?? 0) & 0x80 != 0
    var value: UInt64 = isNegative ? .max : 0
    for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
    return .integer(Int(Int64(bitPattern: value)))
  }
}
