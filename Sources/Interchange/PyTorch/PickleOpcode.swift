/// The operations of pickles that are carried out, with their arguments.
///
/// None of them runs anything: a pickle may only build tuples, lists and dictionaries of plain values, and call the few
/// functions of `TorchGlobal`, which are our own. Operations with which a pickle could do more are not among them.
///
/// - Source: CPython's Lib/pickletools.py, protocols 2 to 5; those that `torch.save` writes, and those of the same values in
///   later protocols.
enum PickleOpcode: UInt8 {
  /// A version: one byte. And the byte count of a frame: eight.
  case protocolVersion = 0x80
  case frame = 0x95
  /// The end.
  case stop = 0x2E

  case none = 0x4E, newTrue = 0x88, newFalse = 0x89
  /// Unsigned integers of one and two bytes, and a signed one of four.
  case integer1 = 0x4B, integer2 = 0x4D, integer4 = 0x4A
  /// A byte count and so many bytes of a signed integer.
  case long1 = 0x8A
  /// Eight bytes, the only ones in big-endian order.
  case float = 0x47
  /// Text behind a byte count of four, one or eight bytes.
  case unicode4 = 0x58, unicode1 = 0x8C, unicode8 = 0x8D
  /// The same of Python 2, whose names are bytes: a count of one or four bytes.
  case string1 = 0x55, string4 = 0x54
  /// Bytes behind a count of one or four bytes.
  case bytes1 = 0x43, bytes4 = 0x42

  /// Remembers where a tuple or a list's new elements begin on the stack.
  case mark = 0x28
  case emptyTuple = 0x29, emptyList = 0x5D, emptyDictionary = 0x7D, emptySet = 0x8F
  /// Tuples of what is on the stack above the mark, and of the topmost one, two and three.
  case tuple = 0x74, tuple1 = 0x85, tuple2 = 0x86, tuple3 = 0x87
  case append = 0x61, appends = 0x65, addItems = 0x90, setItem = 0x73, setItems = 0x75

  /// Remember the topmost value under a number of one byte, of four, and under the next one.
  case put1 = 0x71, put4 = 0x72, memoize = 0x94
  /// Push what is remembered under a number of one byte, or of four.
  case get1 = 0x68, get4 = 0x6A

  /// A class or function by name: two lines, or two strings from the stack.
  case global = 0x63, stackGlobal = 0x93
  /// A storage by its persistent identity.
  case persistentIdentity = 0x51
  /// A call of a class or function with a tuple of arguments.
  case reduce = 0x52, newObject = 0x81
  /// Attributes for the topmost object.
  case build = 0x62

  /// What the operations are called that are refused but that a pickle may have.
  static let refusedNames: [UInt8: String] = [
    0x30: "POP", 0x31: "POP_MARK", 0x32: "DUP", 0x46: "FLOAT", 0x49: "INT", 0x4C: "LONG", 0x50: "PERSID",
    0x53: "STRING", 0x56: "UNICODE", 0x64: "DICT", 0x67: "GET", 0x69: "INST", 0x6C: "LIST", 0x6F: "OBJ", 0x70: "PUT",
    0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x8B: "LONG4", 0x8E: "BINBYTES8", 0x91: "FROZENSET", 0x92: "NEWOBJ_EX",
    0x96: "BYTEARRAY8", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
  ]
}
