/// Why some text is not JSON as we read it, and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public let reason: String
  /// How many bytes precede the place.
  public let offset: Int

  public var description: String { "\(reason) at byte \(offset)" }
}

extension JSONValue {
  /// Reads JSON strictly.
  ///
  /// - Throws: for anything RFC 8259 does not allow, for bytes that are not UTF-8, for an object with two members of one
  ///   name (canonically equivalent names count as one), for nesting deeper than `depth`, and for more than `count` values
  ///   in all, for they take many times the memory of their text.
  public init(
    parsing bytes: some Collection<UInt8>, depth: Int = 32, count: Int = .max
  ) throws(JSONError) {
    var parser = JSONParser(bytes: Array(bytes), depth: depth, count: count)
    self = try parser.document()
  }
}

/// A recursive-descent parser whose recursion is bounded.
///
/// - Source: RFC 8259.
private struct JSONParser {
  static let decimalDigits = UInt8(ascii: "0")...UInt8(ascii: "9")

  let bytes: [UInt8]
  let depth: Int
  var remaining: Int
  var position = 0

  init(bytes: [UInt8], depth: Int, count: Int) { (self.bytes, self.depth, remaining) = (bytes, depth, count) }

  mutating func document() throws(JSONError) -> JSONValue {
    let value = try value(depth: depth)
    skipSpace()
    guard position == bytes.count else { throw error("something follows the value") }
    return value
  }

  private func error(_ reason: String) -> JSONError { JSONError(reason: reason, offset: position) }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  private mutating func take(_ byte: Character) -> Bool {
    guard current == byte.asciiValue else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth > 0 else { throw error("values are nested too deeply") }
    guard remaining > 0 else { throw error("there are too many values") }
    remaining -= 1
    skipSpace()
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw error("the text ends where a value is due")
    case let byte? where byte == UInt8(ascii: "-") || Self.decimalDigits.contains(byte): return try number()
    default: throw error("no JSON value begins like this")
    }
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let end = position + text.utf8CodeUnitCount
    let matches = end <= bytes.count && (position..<end).allSatisfy { bytes[$0] == text.utf8Start[$0 - position] }
    guard matches else { throw error("no JSON value begins like this") }
    position = end
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    skipSpace()
    if take("}") { return .object([]) }
    repeat {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw error("a member's name is due") }
      let name = try string()
      guard names.insert(name).inserted else { throw error("the name '\(name)' occurs twice") }
      skipSpace()
      guard take(":") else { throw error("a colon is due") }
      members.append(.init(name, try value(depth: depth - 1)))
      skipSpace()
    } while take(",")
    guard take("}") else { throw error("a comma or the end of an object is due") }
    return .object(members)
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return .array([]) }
    repeat {
      elements.append(try value(depth: depth - 1))
      skipSpace()
    } while take(",")
    guard take("]") else { throw error("a comma or the end of an array is due") }
    return .array(elements)
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    var isInteger = true
    _ = take("-")
    let leadingZero = current == UInt8(ascii: "0")
    let whole = digits()
    guard whole > 0, whole == 1 || !leadingZero else { throw error("a number is malformed") }
    if take(".") {
      isInteger = false
      guard digits() > 0 else { throw error("digits are due after a decimal point") }
    }
    if take("e") || take("E") {
      isInteger = false
      if !take("-") { _ = take("+") }
      guard digits() > 0 else { throw error("digits are due in an exponent") }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw error("a number is too large") }
    return .number(value)
  }

  private mutating func digits() -> Int {
    let start = position
    while let byte = current, Self.decimalDigits.contains(byte) { position += 1 }
    return position - start
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    var units: [UInt8] = []
    while true {
      guard let byte = current else { throw error("the text ends within a string") }
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: units, as: UTF8.self) else { throw error("a string is not UTF-8") }
        return text
      case UInt8(ascii: "\\"): units += Array(String(Character(try escape())).utf8)
      case 0..<0x20: throw error("a control character stands within a string")
      default: units.append(byte)
      }
    }
  }

  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    guard let byte = current else { throw error("the text ends within a string") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try hexadecimal()
      if let scalar = Unicode.Scalar(unit) { return scalar }
      guard unit < 0xDC00, take("\\"), take("u") else { throw error("half of a surrogate pair stands alone") }
      let low = try hexadecimal()
      guard (0xDC00..<0xE000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
      else { throw error("half of a surrogate pair stands alone") }
      return scalar
    default: throw error("an unknown escape")
    }
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error("the text ends within an escape") }
    var value: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw error("an escape is malformed") }
      value = value << 4 | UInt32(digit)
    }
    position += 4
    return value
  }
}
